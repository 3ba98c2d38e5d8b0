#include "tun/usable_addresses.h"

#include <algorithm>
#include <fnmatch.h>
#include <iterator>

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

bool MatchesAny(const std::string& name, const std::vector<std::string>& patterns) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  });
}

/// All rules but the patterns and the preference for temporary addresses.
bool IsUsable(const InterfaceAddress& address, const AddressPolicy& policy) {
  const bool ignored = std::ranges::any_of(
      policy.ignore_cidrs, [&](const IpPrefix& prefix) { return prefix.Contains(address.ip); });
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

std::vector<InterfaceAddress> UsableAddresses(const std::vector<InterfaceAddress>& all,
                                              const AddressPolicy& policy) {
  std::vector<InterfaceAddress> usable;
  std::ranges::copy_if(all, std::back_inserter(usable),
                       [&](const auto& address) { return IsUsable(address, policy); });
  const auto& patterns =
      policy.ignore_interfaces ? *policy.ignore_interfaces : DefaultIgnoredInterfaces();
  std::vector<InterfaceAddress> named;
  std::ranges::copy_if(usable, std::back_inserter(named), [&](const auto& address) {
    return !MatchesAny(address.interface, patterns);
  });
  const bool guess_failed = named.empty() && !policy.ignore_interfaces;
  return PreferTemporary(guess_failed ? usable : named);
}

}  // namespace floe::tun
