#include "tunnel/allowed_ips.h"

#include "base/check.h"

namespace floe::tunnel {

void AllowedIps::Insert(const IpPrefix& prefix, Owner owner) {
  FLOE_CHECK(prefix.length <= prefix.address.bits());
  TrieOf(prefix.address).Insert(AddressBits::Of(prefix.address), prefix.length, owner);
}

void AllowedIps::Remove(const IpPrefix& prefix, Owner owner) {
  TrieOf(prefix.address).Remove(AddressBits::Of(prefix.address), prefix.length, owner);
}

std::optional<AllowedIps::Owner> AllowedIps::Find(const IpAddress& ip) const {
  return (ip.is_v4() ? v4_ : v6_).Find(AddressBits::Of(ip));
}

}  // namespace floe::tunnel
