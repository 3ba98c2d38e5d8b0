#include "tun/interfaces.h"

#include <algorithm>
#include <array>
#include <linux/if_addr.h>
#include <net/if.h>
#include <optional>
#include <string_view>

#include "tun/nl.h"

namespace floe::tun {
namespace {

/// By the kernel's names of kinds. A real interface has none; vlan, bond and the like stand for
/// one.
bool IsMadeUp(rtnl_link* link) {
  static constexpr std::array<std::string_view, 14> kKinds{
      "bridge", "tun", "wireguard", "dummy",  "ipip", "ip6tnl", "gre",
      "ip6gre", "sit", "vxlan",     "geneve", "xfrm", "vti",    "openvswitch"};
  const char* kind = rtnl_link_get_type(link);
  return (rtnl_link_get_flags(link) & IFF_POINTOPOINT) != 0 ||
         (kind != nullptr && std::ranges::find(kKinds, kind) != kKinds.end());
}

std::optional<InterfaceAddress> Convert(rtnl_addr* address, nl_cache* links) {
  nl_addr* local = rtnl_addr_get_local(address);
  auto ip = FromNl(local, rtnl_addr_get_family(address));
  const NlLink link(rtnl_link_get(links, rtnl_addr_get_ifindex(address)));
  if (local == nullptr || !ip || link == nullptr) {
    return std::nullopt;  // Of another family, or the interface came after its list was read.
  }
  const auto index = static_cast<std::uint32_t>(rtnl_addr_get_ifindex(address));
  if (ip->is_v6() && ip->is_link_local()) {
    ip->scope_id = index;
  }
  const unsigned int link_flags = rtnl_link_get_flags(link.get());
  const unsigned int flags = rtnl_addr_get_flags(address);
  const bool v6 = ip->is_v6();  // For IPv4 the same bit as IFA_F_TEMPORARY says "secondary".
  return InterfaceAddress{
      .ip = *ip,
      .prefix_length = static_cast<std::uint8_t>(rtnl_addr_get_prefixlen(address)),
      .interface = rtnl_link_get_name(link.get()),
      .index = index,
      .up = (link_flags & IFF_UP) != 0 && (link_flags & IFF_RUNNING) != 0,
      .deprecated = v6 && (flags & IFA_F_DEPRECATED) != 0,
      .temporary = v6 && (flags & IFA_F_TEMPORARY) != 0,
      .tentative = v6 && (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0,
      .point_to_point = (link_flags & IFF_POINTOPOINT) != 0,
      .made_up = IsMadeUp(link.get())};
}

}  // namespace

Result<std::vector<InterfaceAddress>> ListAddresses() {
  const auto socket = OpenNlSocket();
  if (!socket) {
    return Fail(socket.error());
  }
  const auto links = DumpLinks(socket->get());
  if (!links) {
    return Fail(links.error());
  }
  const auto cache = DumpCache(socket->get(), "list addresses", rtnl_addr_alloc_cache);
  if (!cache) {
    return Fail(cache.error());
  }
  std::vector<InterfaceAddress> addresses;
  for (nl_object* object = nl_cache_get_first(cache->get()); object != nullptr;
       object = nl_cache_get_next(object)) {
    // A cache of addresses holds nothing else; libnl's own macros cast so.
    if (auto address = Convert(reinterpret_cast<rtnl_addr*>(object), links->get())) {
      addresses.push_back(*std::move(address));
    }
  }
  return addresses;
}

}  // namespace floe::tun
