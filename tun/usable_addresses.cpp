#include "tun/usable_addresses.h"

#include <algorithm>
#include <fnmatch.h>
#include <iterator>
#include <utility>

namespace floe::tun {
namespace {

/// Stateless autoconfiguration, which temporary addresses come from, makes networks of 64 bits.
constexpr std::size_t kNetworkSize = 8;  // bytes

bool IsSiteLocal(const IpAddress& ip) {
  // fec0::/10, which RFC 8445 section 5.1.1.1 excludes.
  return ip.is_v6() && ip.bytes[0] == 0xFE && (ip.bytes[1] & 0xC0U) == 0xC0U;
}

bool IsOfUseToOthers(const IpAddress& ip) {
  return !ip.is_unspecified() && !ip.is_loopback() && !ip.is_link_local() && !ip.is_multicast() &&
         !ip.is_broadcast() && !ip.is_v4_mapped() && !IsSiteLocal(ip);
}

/// A default route, or one of the two halves by which some programs override it.
bool IsWayOut(const Route& route) {
  return route.destination.length <= 1;
}

/// Whether the address is of another overlay network or of containers, as far as routes can tell.
bool IsApart(const InterfaceAddress& address, const std::vector<Route>& routes) {
  const bool own_network = address.ip.is_v4() && address.prefix_length == 32;
  return (address.made_up || own_network) && std::ranges::none_of(routes, [&](const Route& route) {
           return route.index == address.index && IsWayOut(route);
         });
}

/// All rules but the guesses and the preference for temporary addresses.
bool IsUsable(const InterfaceAddress& address, const std::vector<Route>& routes,
              const AddressPolicy& policy) {
  const bool ignored =
      std::ranges::any_of(policy.ignore_cidrs,
                          [&](const IpPrefix& prefix) { return prefix.Contains(address.ip); }) ||
      (!policy.interfaces.empty() && !MatchesAny(address.interface, policy.interfaces));
  if (policy.default_route_only) {
    const Route* route = DefaultRoute(routes, address.ip.family);
    if (route == nullptr || route->index != address.index) {
      return false;
    }
  }
  const bool own = !policy.own_interface.empty() && address.interface == policy.own_interface;
  return address.up && !address.deprecated && !address.tentative && !own && !ignored &&
         IsOfUseToOthers(address.ip);
}

bool AreInOneNetwork(const InterfaceAddress& a, const InterfaceAddress& b) {
  return a.index == b.index && a.ip.is_v6() && b.ip.is_v6() &&
         std::ranges::equal(a.ip.octets().first(kNetworkSize), b.ip.octets().first(kNetworkSize));
}

/// RFC 8445 section 5.1.1.1: a temporary address rather than a permanent one, for privacy.
std::vector<InterfaceAddress> PreferTemporary(const std::vector<InterfaceAddress>& addresses) {
  std::vector<InterfaceAddress> preferred;
  std::ranges::copy_if(addresses, std::back_inserter(preferred), [&](const auto& address) {
    return address.temporary || std::ranges::none_of(addresses, [&](const auto& other) {
             return other.temporary && AreInOneNetwork(address, other);
           });
  });
  return preferred;
}

}  // namespace

const std::vector<std::string>& DefaultIgnoredInterfaces() {
  static const std::vector<std::string> patterns{"docker*",    "veth*", "br-*", "virbr*", "cni*",
                                                 "tailscale*", "wg*",   "zt*",  "floe*"};
  return patterns;
}

bool MatchesAny(const std::string& name, const std::vector<std::string>& patterns) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  });
}

const Route* DefaultRoute(const std::vector<Route>& routes, IpFamily family) {
  const Route* best = nullptr;
  const auto rank = [](const Route& route) {
    return std::pair(route.table == kMainTable ? 0 : 1, route.metric);
  };
  for (const Route& route : routes) {
    const bool is_default =
        route.destination.length == 0 && route.destination.address.family == family;
    if (is_default && (best == nullptr || rank(route) < rank(*best))) {
      best = &route;
    }
  }
  return best;
}

std::vector<InterfaceAddress> UsableAddresses(const std::vector<InterfaceAddress>& all,
                                              const std::vector<Route>& routes,
                                              const AddressPolicy& policy) {
  std::vector<InterfaceAddress> usable;
  std::ranges::copy_if(all, std::back_inserter(usable), [&](const auto& address) {
    const bool refused =
        policy.ignore_interfaces && MatchesAny(address.interface, *policy.ignore_interfaces);
    return !refused && IsUsable(address, routes, policy);
  });
  if (!policy.interfaces.empty()) {
    return PreferTemporary(usable);  // The user has said which, so there is nothing to guess.
  }
  std::vector<InterfaceAddress> likely;
  std::ranges::copy_if(usable, std::back_inserter(likely), [&](const auto& address) {
    const bool named =
        !policy.ignore_interfaces && MatchesAny(address.interface, DefaultIgnoredInterfaces());
    return !named && !IsApart(address, routes);
  });
  return PreferTemporary(likely.empty() ? usable : likely);
}

}  // namespace floe::tun
