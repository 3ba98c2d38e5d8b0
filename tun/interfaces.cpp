#include "tun/interfaces.h"

#include <linux/if_addr.h>
#include <net/if.h>
#include <optional>

#include "tun/nl.h"

namespace floe::tun {
namespace {

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
      .point_to_point = (link_flags & IFF_POINTOPOINT) != 0};
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
