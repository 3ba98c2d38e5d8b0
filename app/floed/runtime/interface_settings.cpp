#include "app/floed/runtime/interface_settings.h"

#include <algorithm>
#include <cerrno>
#include <net/if.h>
#include <set>
#include <system_error>

#include "base/log.h"

namespace floe::daemon {
namespace {

using Addresses = std::set<config::InterfaceAddress>;
using Prefixes = std::set<IpPrefix>;

Addresses AddressesOf(const config::Config& config) {
  return {config.node.addresses.begin(), config.node.addresses.end()};
}

Prefixes RoutesOf(const config::Config& config) {
  Prefixes routes;
  for (const config::PeerConfig& peer : config.peers) {
    routes.insert(peer.allowed_ips.begin(), peer.allowed_ips.end());
  }
  return routes;
}

template <typename Set>
Set Difference(const Set& all, const Set& without) {
  Set rest;
  std::ranges::set_difference(all, without, std::inserter(rest, rest.end()));
  return rest;
}

Result<void> Add(tun::Netlink& netlink, std::uint32_t index, const Addresses& addresses,
                 const Prefixes& routes) {
  for (const config::InterfaceAddress& address : addresses) {
    if (auto added = netlink.AddAddress(index, address.ip, address.prefix_length); !added) {
      return added;
    }
  }
  for (const IpPrefix& route : routes) {
    if (auto added = netlink.AddRoute(index, route); !added) {
      return added;
    }
  }
  return {};
}

void Remove(tun::Netlink& netlink, std::uint32_t index, const Addresses& addresses,
            const Prefixes& routes) {
  const auto complain = [](const Result<void>& removed) {
    if (!removed) {
      log::Warn("{}: {}", removed.error().context, removed.error().code.message());
    }
  };
  for (const IpPrefix& route : routes) {
    complain(netlink.RemoveRoute(index, route));
  }
  for (const config::InterfaceAddress& address : addresses) {
    complain(netlink.RemoveAddress(index, address.ip, address.prefix_length));
  }
}

}  // namespace

Result<void> CheckRoutes(tun::Netlink& netlink, const config::Config& config) {
  if (config.allow_overlap) {
    return {};
  }
  const auto routes = netlink.Routes();
  if (!routes) {
    return Fail(routes.error());
  }
  for (const config::PeerConfig& peer : config.peers) {
    for (const IpPrefix& prefix : peer.allowed_ips) {
      for (const tun::Route& route : *routes) {
        if (route.connected && route.interface != config.tun.name && route.destination.length > 0 &&
            !route.destination.address.is_link_local() &&
            !route.destination.address.is_multicast() && route.destination.Overlaps(prefix)) {
          return Fail(Error{std::make_error_code(std::errc::address_in_use),
                            "allowed_ips " + ToString(prefix) + " of peer " + peer.name +
                                " overlap " + ToString(route.destination) + " on " +
                                route.interface +
                                "; take another range, or set routing.allow_overlap = true"});
        }
      }
    }
  }
  return {};
}

Result<void> AddSettings(tun::Netlink& netlink, std::uint32_t index, const config::Config& config) {
  return Add(netlink, index, AddressesOf(config), RoutesOf(config));
}

Result<void> ChangeSettings(const config::Config& before, const config::Config& after) {
  auto netlink = tun::Netlink::Open();
  if (!netlink) {
    return Fail(std::move(netlink.error()));
  }
  if (auto checked = CheckRoutes(*netlink, after); !checked) {
    return checked;
  }
  const std::uint32_t index = if_nametoindex(after.tun.name.c_str());
  if (index == 0) {
    return Fail(
        Error{std::error_code(errno, std::generic_category()), "interface " + after.tun.name});
  }
  const Addresses addresses[] = {AddressesOf(before), AddressesOf(after)};
  const Prefixes routes[] = {RoutesOf(before), RoutesOf(after)};
  const Addresses fresh = Difference(addresses[1], addresses[0]);
  const Prefixes fresh_routes = Difference(routes[1], routes[0]);
  if (auto added = Add(*netlink, index, fresh, fresh_routes); !added) {
    Remove(*netlink, index, fresh, fresh_routes);
    return added;
  }
  const Addresses stale = Difference(addresses[0], addresses[1]);
  Remove(*netlink, index, stale, Difference(routes[0], routes[1]));
  if (stale.empty()) {
    return {};
  }
  // With an IPv4 address the kernel takes the others of its network away, and with the last one all
  // routes (inet_del_ifa() in net/ipv4/devinet.c).
  return AddSettings(*netlink, index, after);
}

}  // namespace floe::daemon
