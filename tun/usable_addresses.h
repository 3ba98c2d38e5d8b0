// Which of this machine's addresses are worth offering to a peer.
//
// Source: RFC 8445 section 5.1.1.1 (host candidates).

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/socket_address.h"
#include "tun/interfaces.h"

namespace floe::tun {

struct AddressPolicy {
  /// Our own TUN device, which cannot carry what it is made of. Empty: none.
  std::string own_interface;
  /// Patterns of names, as the shell has them. Unset: DefaultIgnoredInterfaces().
  std::optional<std::vector<std::string>> ignore_interfaces;
  std::vector<IpPrefix> ignore_cidrs;
};

/// Bridges and cables of containers and virtual machines, and other overlay networks.
[[nodiscard]] const std::vector<std::string>& DefaultIgnoredInterfaces();

/// Those of `all` to gather from, in the same order. Leaves out addresses that are of no use to
/// anyone else (loopback, link-local, multicast, site-local, IPv4-mapped), that are not ready or on
/// their way out (down, tentative, deprecated), that `policy` ignores, and the stable IPv6 address
/// of an interface that has a temporary one in the same network.
///
/// The default patterns are a guess by name. If nothing is left but for them, they do not apply.
[[nodiscard]] std::vector<InterfaceAddress> UsableAddresses(
    const std::vector<InterfaceAddress>& all, const AddressPolicy& policy);

}  // namespace floe::tun
