#include "tun/netlink.h"

#include <algorithm>
#include <array>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/nexthop.h>
#include <sys/socket.h>
#include <utility>

#include "base/check.h"
#include "tun/nl.h"

namespace floe::tun {
namespace {

constexpr std::uint8_t kNoLinkLocalAddress = 1;     // IN6_ADDR_GEN_MODE_NONE
constexpr std::uint32_t kDefaultIpv6Metric = 1024;  // IP6_RT_PRIO_USER

int ToNlIndex(std::uint32_t index) {
  return static_cast<int>(index);
}

/// The interface's name for an error, or its number if it has gone.
std::string NameOf(std::uint32_t index) {
  std::array<char, IF_NAMESIZE> name{};
  return if_indextoname(index, name.data()) != nullptr ? std::string(name.data())
                                                       : "#" + std::to_string(index);
}

NlRoute MakeRoute(std::uint32_t index, const IpPrefix& destination, std::uint32_t metric,
                  std::uint32_t table) {
  NlRoute route(rtnl_route_alloc());
  rtnl_nexthop* hop = rtnl_route_nh_alloc();
  FLOE_CHECK(route != nullptr && hop != nullptr);  // Out of memory.
  rtnl_route_set_family(route.get(), destination.address.is_v4() ? AF_INET : AF_INET6);
  rtnl_route_set_dst(route.get(), ToNl(destination.address, destination.length).get());
  rtnl_route_set_table(route.get(), table);
  rtnl_route_set_priority(route.get(), metric);
  rtnl_route_nh_set_ifindex(hop, ToNlIndex(index));
  rtnl_route_add_nexthop(route.get(), hop);  // The route owns it from here.
  return route;
}

std::string RouteText(const char* verb, const IpPrefix& destination, std::uint32_t index) {
  return std::string(verb) + " route " + ToString(destination) + " dev " + NameOf(index);
}

/// Appends a Route for each path of `route`, unless it is of a kind that Routes() leaves out.
void AppendPaths(rtnl_route* route, nl_cache* links, std::vector<Route>& routes) {
  const std::uint32_t table = rtnl_route_get_table(route);
  nl_addr* destination = rtnl_route_get_dst(route);
  const auto ip = FromNl(destination, rtnl_route_get_family(route));
  if (rtnl_route_get_type(route) != RTN_UNICAST || table == RT_TABLE_LOCAL || !ip) {
    return;
  }
  const auto length =
      destination == nullptr ? 0U : static_cast<unsigned int>(nl_addr_get_prefixlen(destination));
  for (int i = 0; i < rtnl_route_get_nnexthops(route); ++i) {
    rtnl_nexthop* hop = rtnl_route_nexthop_n(route, i);
    const int index = rtnl_route_nh_get_ifindex(hop);
    std::array<char, IF_NAMESIZE> name{};
    rtnl_link_i2name(links, index, name.data(), name.size());  // Leaves "" if it has gone.
    nl_addr* gateway = rtnl_route_nh_get_gateway(hop);
    if (gateway == nullptr) {
      gateway = rtnl_route_nh_get_via(hop);
    }
    routes.push_back({.destination = {*ip, static_cast<std::uint8_t>(length)},
                      .index = static_cast<std::uint32_t>(index),
                      .interface = name.data(),
                      .table = table,
                      .metric = rtnl_route_get_priority(route),
                      .connected = gateway == nullptr,
                      .gateway = gateway == nullptr
                                     ? std::nullopt
                                     : FromNl(gateway, nl_addr_get_family(gateway))});
    if (auto& hop_ip = routes.back().gateway;
        hop_ip && hop_ip->is_v6() && hop_ip->is_link_local()) {
      hop_ip->scope_id = static_cast<std::uint32_t>(index);
    }
  }
}

}  // namespace

void Netlink::Closer::operator()(nl_sock* socket) const noexcept {
  nl_socket_free(socket);
}

Netlink::Netlink(std::unique_ptr<nl_sock, Closer> socket) : socket_(std::move(socket)) {}

Result<Netlink> Netlink::Open() {
  auto socket = OpenNlSocket();
  if (!socket) {
    return Fail(std::move(socket.error()));
  }
  return Netlink(std::unique_ptr<nl_sock, Closer>(socket->release()));
}

Result<void> Netlink::SetUp(std::uint32_t index, std::uint32_t mtu, std::uint32_t txqueuelen) {
  const NlLink link(rtnl_link_alloc());
  const NlLink quiet(rtnl_link_alloc());
  const NlLink changes(rtnl_link_alloc());
  FLOE_CHECK(link != nullptr && quiet != nullptr && changes != nullptr);  // Out of memory.
  rtnl_link_set_ifindex(link.get(), ToNlIndex(index));

  // Before it is up, or it is too late. A kernel without IPv6 refuses, and needs it not.
  if (rtnl_link_inet6_set_addr_gen_mode(quiet.get(), kNoLinkLocalAddress) == 0) {
    rtnl_link_change(socket_.get(), link.get(), quiet.get(), 0);
  }
  rtnl_link_set_mtu(changes.get(), mtu);
  rtnl_link_set_txqlen(changes.get(), txqueuelen);
  rtnl_link_set_flags(changes.get(), IFF_UP);
  const int code = rtnl_link_change(socket_.get(), link.get(), changes.get(), 0);
  if (code < 0) {
    return Fail(MakeNlError(code, "set up " + NameOf(index) + " with mtu " + std::to_string(mtu)));
  }
  return {};
}

Result<void> Netlink::AddAddress(std::uint32_t index, const IpAddress& ip,
                                 std::uint8_t prefix_length) {
  const NlInterfaceAddress address(rtnl_addr_alloc());
  FLOE_CHECK(address != nullptr);  // Out of memory.
  rtnl_addr_set_ifindex(address.get(), ToNlIndex(index));
  rtnl_addr_set_local(address.get(), ToNl(ip, prefix_length).get());
  if (ip.is_v6()) {
    rtnl_addr_set_flags(address.get(), IFA_F_NODAD);
  }
  const int code = rtnl_addr_add(socket_.get(), address.get(), NLM_F_EXCL);
  if (code < 0 && code != -NLE_EXIST) {
    return Fail(MakeNlError(code, "add address " + ToString(ip) + "/" +
                                      std::to_string(prefix_length) + " dev " + NameOf(index)));
  }
  return {};
}

Result<void> Netlink::RemoveAddress(std::uint32_t index, const IpAddress& ip,
                                    std::uint8_t prefix_length) {
  const NlInterfaceAddress address(rtnl_addr_alloc());
  FLOE_CHECK(address != nullptr);  // Out of memory.
  rtnl_addr_set_ifindex(address.get(), ToNlIndex(index));
  rtnl_addr_set_local(address.get(), ToNl(ip, prefix_length).get());
  const int code = rtnl_addr_delete(socket_.get(), address.get(), 0);
  if (code < 0 && code != -NLE_NOADDR && code != -NLE_OBJ_NOTFOUND) {
    return Fail(MakeNlError(code, "remove address " + ToString(ip) + "/" +
                                      std::to_string(prefix_length) + " dev " + NameOf(index)));
  }
  return {};
}

Result<void> Netlink::AddRoute(std::uint32_t index, const IpPrefix& destination,
                               std::uint32_t metric, std::uint32_t table) {
  const NlRoute route = MakeRoute(index, destination, metric, table);
  // Exclusive, because the kernel would put it before another route to the same place.
  const int code = rtnl_route_add(socket_.get(), route.get(), NLM_F_EXCL);
  if (code >= 0) {
    return {};
  }
  if (code == -NLE_EXIST) {
    const auto same = HasRoute({.destination = destination,
                                .index = index,
                                .interface = {},
                                .table = table,
                                .metric = metric});
    if (same && *same) {
      return {};
    }
  }
  return Fail(MakeNlError(code, RouteText("add", destination, index)));
}

Result<void> Netlink::RemoveRoute(std::uint32_t index, const IpPrefix& destination,
                                  std::uint32_t metric, std::uint32_t table) {
  const NlRoute route = MakeRoute(index, destination, metric, table);
  const int code = rtnl_route_delete(socket_.get(), route.get(), 0);
  if (code < 0 && code != -NLE_OBJ_NOTFOUND) {
    return Fail(MakeNlError(code, RouteText("remove", destination, index)));
  }
  return {};
}

Result<std::vector<Route>> Netlink::Routes() {
  const auto links = DumpLinks(socket_.get());
  if (!links) {
    return Fail(links.error());
  }
  const auto cache =
      DumpCache(socket_.get(), "list routes", [](nl_sock* socket, nl_cache** result) {
        return rtnl_route_alloc_cache(socket, AF_UNSPEC, 0, result);
      });
  if (!cache) {
    return Fail(cache.error());
  }
  std::vector<Route> routes;
  for (nl_object* object = nl_cache_get_first(cache->get()); object != nullptr;
       object = nl_cache_get_next(object)) {
    // A cache of routes holds nothing else; libnl's own macros cast so.
    AppendPaths(reinterpret_cast<rtnl_route*>(object), links->get(), routes);
  }
  return routes;
}

Result<bool> Netlink::HasRoute(const Route& wanted) {
  const auto routes = Routes();
  if (!routes) {
    return Fail(routes.error());
  }
  const std::uint32_t metric =
      wanted.metric == 0 && wanted.destination.address.is_v6() ? kDefaultIpv6Metric : wanted.metric;
  return std::ranges::any_of(*routes, [&](const Route& route) {
    return route.destination == wanted.destination && route.index == wanted.index &&
           route.table == wanted.table && route.metric == metric && route.connected;
  });
}

}  // namespace floe::tun
