// Which of this machine's addresses are worth offering to a peer.
//
// Source: RFC 8445 section 5.1.1.1 (host candidates), RFC 8828 section 5.2 (modes 2 and 3).

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/socket_address.h"
#include "tun/interfaces.h"
#include "tun/netlink.h"

namespace floe::tun {

struct AddressPolicy {
  /// Our own TUN device, which cannot carry what it is made of. Empty: none.
  std::string own_interface;
  /// Patterns of names, as the shell has them. Not empty: of these interfaces alone, and the
  /// guesses below do not apply.
  std::vector<std::string> interfaces;
  /// Patterns of names. Unset: DefaultIgnoredInterfaces().
  std::optional<std::vector<std::string>> ignore_interfaces;
  std::vector<IpPrefix> ignore_cidrs;
  /// Only of the interface that the best default route of the address's family leads out of.
  bool default_route_only = false;
};

/// Bridges and cables of containers and virtual machines, and other overlay networks.
[[nodiscard]] const std::vector<std::string>& DefaultIgnoredInterfaces();

/// Those of `all` to gather from, in the same order. Leaves out addresses that are of no use to
/// anyone else (loopback, link-local, multicast, site-local, IPv4-mapped), that are not ready or on
/// their way out (down, tentative, deprecated), that `policy` ignores, and the stable IPv6 address
/// of an interface that has a temporary one in the same network.
///
/// Also left out is what belongs to another overlay network or to containers, told by route: a
/// made-up interface that no way out leads over, or an IPv4 address that is a network of its own
/// (/32) on such an interface. A way out is a default route, or half of one, in any table.
///
/// This rule and the default patterns are guesses. If nothing is left but for them, they do not
/// apply.
[[nodiscard]] std::vector<InterfaceAddress> UsableAddresses(
    const std::vector<InterfaceAddress>& all, const std::vector<Route>& routes,
    const AddressPolicy& policy);

/// Whether the name of an interface matches one of the patterns, as the shell matches.
[[nodiscard]] bool MatchesAny(const std::string& name, const std::vector<std::string>& patterns);

/// The default route of a family that is taken: of the main table before others, then of the lowest
/// metric. Null if there is none. Borrows `routes`.
[[nodiscard]] const Route* DefaultRoute(const std::vector<Route>& routes, IpFamily family);

}  // namespace floe::tun
