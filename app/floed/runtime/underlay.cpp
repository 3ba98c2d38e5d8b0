#include "app/floed/runtime/underlay.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "app/floed/runtime/flood_filter.h"
#include "base/log.h"
#include "tun/interfaces.h"
#include "tun/netlink.h"

namespace floe::daemon {
namespace {

constexpr Duration kSettle = std::chrono::milliseconds(50);

/// All routes of the machine; none if the kernel would not say.
std::vector<tun::Route> ListRoutes() {
  auto netlink = tun::Netlink::Open();
  if (!netlink) {
    return {};
  }
  return netlink->Routes().value_or(std::vector<tun::Route>{});
}

/// The metric of each interface's default route; interfaces without one are not in it.
std::map<std::uint32_t, std::uint32_t> DefaultRouteMetrics(const std::vector<tun::Route>& routes) {
  std::map<std::uint32_t, std::uint32_t> metrics;
  for (const tun::Route& route : routes) {
    if (route.destination.length == 0) {
      const auto [it, first] = metrics.emplace(route.index, route.metric);
      it->second = std::min(it->second, route.metric);
    }
  }
  return metrics;
}

/// The router that packets from this address go to first, or nothing.
std::optional<IpAddress> RouterOf(const tun::InterfaceAddress& address,
                                  const std::vector<tun::Route>& routes) {
  std::vector<tun::Route> own;
  std::ranges::copy_if(routes, std::back_inserter(own),
                       [&](const tun::Route& route) { return route.index == address.index; });
  const tun::Route* route = tun::DefaultRoute(own, address.ip.family);
  const bool same_family =
      route != nullptr && route->gateway && route->gateway->family == address.ip.family;
  return same_family ? route->gateway : std::nullopt;
}

tun::AddressPolicy MakeAddressPolicy(const config::Config& config) {
  tun::AddressPolicy policy{
      .own_interface = config.tun.name,
      .interfaces = config.paths.interfaces,
      .ignore_cidrs = config.paths.ignore_cidrs,
      .default_route_only = config.paths.privacy == config::Privacy::kDefaultRouteAndHost ||
                            config.paths.privacy == config::Privacy::kDefaultRoute};
  if (!config.paths.ignore_interfaces.empty()) {
    policy.ignore_interfaces = config.paths.ignore_interfaces;
  }
  return policy;
}

}  // namespace

Result<std::unique_ptr<Underlay>> Underlay::Open(uv::Loop& loop, const config::Config& config,
                                                 std::function<void()> on_change) {
  auto v4 = uv::UdpSocket::Open(IpFamily::kIpv4, config.node.listen_port, config.node.fwmark);
  if (!v4) {
    return Fail(std::move(v4.error()));
  }
  std::optional<uv::UdpSocket> v6;
  auto opened = uv::UdpSocket::Open(IpFamily::kIpv6, v4->port(), config.node.fwmark);
  if (opened) {
    v6 = std::move(*opened);
  } else if (opened.error().code == std::errc::address_in_use) {
    return Fail(std::move(opened.error()));
  } else {
    log::Debug("no IPv6: {}", opened.error().context);
  }
  auto monitor = tun::InterfaceMonitor::Open();
  if (!monitor) {
    return Fail(std::move(monitor.error()));
  }
  const config::OffloadConfig& offload = config.tun.offload;
  uv::UdpOffloadReport report =
      uv::CheckUdpOffloads({.segment = offload.udp_segment, .gro = offload.udp_gro});
  v4->SetOffloads(report.usable);
  if (v6) {
    v6->SetOffloads(report.usable);
  }
  return std::make_unique<Underlay>(loop, std::move(*v4), std::move(v6), std::move(*monitor),
                                    std::move(report), config, std::move(on_change));
}

Underlay::Underlay(uv::Loop& loop, uv::UdpSocket v4, std::optional<uv::UdpSocket> v6,
                   tun::InterfaceMonitor monitor, uv::UdpOffloadReport offload_report,
                   const config::Config& config, std::function<void()> on_change)
    : loop_(loop),
      v4_(std::move(v4)),
      v6_(std::move(v6)),
      monitor_(std::move(monitor)),
      policy_(MakeAddressPolicy(config)),
      paths_(config.paths),
      offload_report_(std::move(offload_report)),
      on_change_(std::move(on_change)),
      settle_(loop, [this] {
        if (UpdateAddresses()) {
          on_change_();
        }
      }) {
  sockets_.push_back(&v4_);
  if (v6_) {
    sockets_.push_back(&*v6_);
  }
  UpdateAddresses();
}

Result<void> Underlay::Start() {
  auto monitor = uv::Poll::Make(loop_, monitor_.fd(), [this] {
    if (monitor_.Drain()) {
      settle_.ArmAt(uv::Loop::Now() + kSettle);
    }
  });
  if (!monitor) {
    return Fail(std::move(monitor.error()));
  }
  poll_monitor_ = std::move(*monitor);
  poll_monitor_->Watch(uv::Interest::kReadable);
  return {};
}

uv::UdpOffloads Underlay::offloads() const {
  uv::UdpOffloads used = v4_.offloads();
  if (v6_) {
    used.segment = used.segment && v6_->offloads().segment;
    used.gro = used.gro && v6_->offloads().gro;
  }
  return used;
}

std::uint32_t Underlay::WayOutOf(const IpAddress& ip) const {
  const std::lock_guard lock(ways_out_lock_);
  const auto way_out = ways_out_.find(ip);
  return way_out == ways_out_.end() ? 0 : way_out->second;
}

void Underlay::Send(const SocketAddress& local, const SocketAddress& remote, Bytes datagram,
                    ice::Handling handling) {
  const bool fits = waiting_count_ > 0 && way_.first == local && way_.second == remote &&
                    handling_ == handling && !handling.dont_fragment &&
                    datagram.size() <= waiting_size_ &&
                    waiting_.size() == waiting_count_ * waiting_size_ &&
                    waiting_count_ < uv::UdpSocket::kMaxSegments &&
                    waiting_.size() + datagram.size() <= uv::UdpSocket::kMaxTogether;
  if (!fits) {
    SendWaiting();
    way_ = {local, remote};
    handling_ = handling;
    waiting_size_ = datagram.size();
  }
  waiting_.insert(waiting_.end(), datagram.begin(), datagram.end());
  ++waiting_count_;
}

uv::SendResult Underlay::SendNow(const SocketAddress& local, const SocketAddress& remote,
                                 std::uint8_t tos, Bytes datagrams, std::size_t size) {
  uv::UdpSocket* const socket = SocketFor(remote);
  return socket == nullptr
             ? uv::SendResult::kUnreachable
             : socket->SendTogether(local, remote, datagrams, size, WayOutOf(local.ip), tos);
}

std::optional<NarrowWay> Underlay::Measure(const SocketAddress& local,
                                           const SocketAddress& remote) {
  const uv::UdpSocket* const socket = SocketFor(remote);
  const auto fits = socket == nullptr ? std::nullopt : socket->LargestWhole(local, remote);
  return fits ? std::optional(NarrowWay{local, remote, *fits}) : std::nullopt;
}

uv::UdpSocket* Underlay::SocketFor(const SocketAddress& remote) {
  return remote.ip.is_v4() ? &v4_ : v6_ ? &*v6_ : nullptr;
}

void Underlay::SendWaiting() {
  if (waiting_count_ == 0) {
    return;
  }
  uv::UdpSocket* const socket = SocketFor(way_.second);
  const uv::SendResult result =
      socket == nullptr ? uv::SendResult::kUnreachable : SendWaiting(*socket);
  if (result == uv::SendResult::kUnreachable) {
    unreachable_.push_back(way_);
  } else if (result == uv::SendResult::kTooBig) {
    if (const auto narrow = Measure(way_.first, way_.second)) {
      narrow_.push_back(*narrow);
    }
  }
  waiting_.clear();
  waiting_count_ = 0;
}

uv::SendResult Underlay::SendWaiting(uv::UdpSocket& socket) {
  const auto& [local, remote] = way_;
  const std::uint32_t interface = WayOutOf(local.ip);
  return handling_.dont_fragment
             ? socket.SendWhole(local, remote, waiting_, interface, handling_.tos)
             : socket.SendTogether(local, remote, waiting_, waiting_size_, interface,
                                   handling_.tos);
}

void Underlay::SetFlooded(bool flooded) {
  if (std::exchange(flooded_, flooded) == flooded) {
    return;
  }
  log::Debug("{} handshakes of strangers", flooded ? "too many" : "no longer too many");
  for (const uv::UdpSocket* socket : {&v4_, v6_ ? &*v6_ : nullptr}) {
    if (const auto done =
            socket != nullptr ? ShedInitiations(socket->fd(), flooded) : Result<void>{};
        !done) {
      log::Debug("{}: {}", done.error().context, done.error().code.message());
    }
  }
}

std::vector<Underlay::Way> Underlay::Flush() {
  SendWaiting();
  return std::exchange(unreachable_, {});
}

bool Underlay::UpdateAddresses() {
  const auto all = tun::ListAddresses();
  if (!all) {
    log::Warn("cannot list addresses: {}: {}", all.error().context, all.error().code.message());
    return false;
  }
  const std::vector<tun::Route> routes = ListRoutes();
  std::vector<tun::InterfaceAddress> usable = tun::UsableAddresses(*all, routes, policy_);
  std::erase_if(usable,
                [&](const tun::InterfaceAddress& address) { return address.ip.is_v6() && !v6_; });
  const auto metrics = DefaultRouteMetrics(routes);
  std::ranges::stable_sort(usable, {}, [&](const tun::InterfaceAddress& address) {
    const auto metric = metrics.find(address.index);
    return std::pair(
        !tun::MatchesAny(address.interface, paths_.prefer_interfaces),
        metric == metrics.end() ? std::uint64_t{UINT32_MAX} + 1 : std::uint64_t{metric->second});
  });
  std::vector<SocketAddress> addresses;
  std::vector<ice::portmap::Gateway> gateways;
  std::unordered_map<IpAddress, std::uint32_t, IpAddressHash> ways_out;
  hidden_ = paths_.hide_cidrs;
  for (const tun::InterfaceAddress& address : usable) {
    addresses.push_back({address.ip, port()});
    if (const auto router = RouterOf(address, routes)) {
      gateways.push_back({{address.ip, port()}, *router});
    }
    if (tun::MatchesAny(address.interface, paths_.hide_interfaces)) {
      hidden_.push_back({address.ip, address.ip.bits()});
    }
    if (metrics.size() > 1 && metrics.contains(address.index)) {
      ways_out[address.ip] = address.index;
    }
  }
  {
    const std::lock_guard lock(ways_out_lock_);
    ways_out_ = std::move(ways_out);
  }
  if (addresses == addresses_ && gateways == gateways_) {
    return false;
  }
  addresses_ = std::move(addresses);
  gateways_ = std::move(gateways);
  return true;
}

}  // namespace floe::daemon
