#include "ice/driver/mdns_sockets.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/uv/native_address.h"
#include "ice/mdns/message.h"

namespace floe::ice {
namespace {

constexpr std::size_t kMaxMessage = 9000;  // bytes, RFC 6762 section 17
constexpr int kHops = 255;                 // RFC 6762 section 11
constexpr int kOn = 1;

Error LastError(const char* call) {
  return {.code = {errno, std::system_category()}, .context = call};
}

/// The number of the interface that has this address, or 0.
std::uint32_t InterfaceOf(const IpAddress& ip) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) {
    return 0;
  }
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, &freeifaddrs);
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    const auto address = each->ifa_addr == nullptr ? std::nullopt : uv::FromNative(each->ifa_addr);
    if (address && address->ip.bytes == ip.bytes && address->ip.family == ip.family) {
      return if_nametoindex(each->ifa_name);
    }
  }
  return 0;
}

bool SetHops(int fd, IpFamily family) {
  return family == IpFamily::kIpv4
             ? setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &kHops, sizeof(kHops)) == 0
             : setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &kHops, sizeof(kHops)) == 0;
}

bool Join(int fd, const SocketAddress& group, std::uint32_t interface) {
  if (group.ip.is_v4()) {
    ip_mreqn request{};
    std::memcpy(&request.imr_multiaddr, group.ip.octets().data(), sizeof(request.imr_multiaddr));
    request.imr_ifindex = static_cast<int>(interface);
    return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)) == 0;
  }
  ipv6_mreq request{};
  std::memcpy(&request.ipv6mr_multiaddr, group.ip.octets().data(),
              sizeof(request.ipv6mr_multiaddr));
  request.ipv6mr_interface = interface;
  return setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof(request)) == 0;
}

/// A socket that hears the group on one interface. Bound to the group's address, so that it takes
/// nothing that is meant for a responder of this machine alone.
Result<UniqueFd> OpenGroup(SocketAddress group, std::uint32_t interface) {
  UniqueFd fd(socket(uv::ToNative(group.ip.family), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) {
    return Fail(LastError("open a socket for multicast DNS"));
  }
  group.ip.scope_id = group.ip.is_v6() ? interface : 0;
  const uv::NativeAddress native(group);
  if (setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &kOn, sizeof(kOn)) != 0 ||
      setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &kOn, sizeof(kOn)) != 0 ||
      bind(fd.get(), native.get(), native.size()) != 0 || !Join(fd.get(), group, interface)) {
    return Fail(LastError("join the group of multicast DNS"));
  }
  return fd;
}

}  // namespace

MdnsSockets::MdnsSockets(uv::Loop& loop, OnDatagram on_datagram)
    : loop_(loop), on_datagram_(std::move(on_datagram)) {}

void MdnsSockets::Open(const std::vector<IpAddress>& locals) {
  std::erase_if(networks_, [&](const auto& each) {
    return std::ranges::find(locals, each->local.ip) == locals.end();
  });
  for (const IpAddress& local : locals) {
    if (std::ranges::any_of(networks_, [&](const auto& each) { return each->local.ip == local; })) {
      continue;
    }
    if (const auto opened = OpenOne(local); !opened) {
      log::Debug("{}: {}", opened.error().context, opened.error().code.message());
    }
  }
}

Result<void> MdnsSockets::OpenOne(const IpAddress& local) {
  const std::uint32_t interface = InterfaceOf(local);
  auto ask = uv::UdpSocket::OpenAt({local, 0});
  if (!ask) {
    return Fail(std::move(ask.error()));
  }
  if (!SetHops(ask->fd(), local.family)) {
    return Fail(LastError("setsockopt IP_MULTICAST_TTL"));
  }
  auto group = OpenGroup(mdns::GroupAddress(local.family), interface);
  if (!group) {
    return Fail(std::move(group.error()));
  }
  networks_.push_back(std::make_unique<Network>(Network{.local = {local, ask->port()},
                                                        .interface = interface,
                                                        .ask = std::move(*ask),
                                                        .group = std::move(*group),
                                                        .ask_poll = nullptr,
                                                        .group_poll = nullptr}));
  return Watch(*networks_.back());
}

Result<void> MdnsSockets::Watch(Network& network) {
  auto ask = uv::Poll::Make(loop_, network.ask.fd(), [this, &network] {
    network.ask.Receive(
        [this](const SocketAddress& /*local*/, const SocketAddress& remote, Bytes datagram,
               std::uint8_t /*tos*/) {
          if (remote.port == mdns::kPort) {
            on_datagram_(datagram);
          }
        },
        /*max_batches=*/1);
  });
  if (!ask) {
    return Fail(std::move(ask.error()));
  }
  auto group = uv::Poll::Make(loop_, network.group.get(), [this, &network] { ReadGroup(network); });
  if (!group) {
    return Fail(std::move(group.error()));
  }
  network.ask_poll = std::move(*ask);
  network.ask_poll->Watch(uv::Interest::kReadable);
  network.group_poll = std::move(*group);
  network.group_poll->Watch(uv::Interest::kReadable);
  return {};
}

void MdnsSockets::ReadGroup(const Network& network) {
  std::array<std::uint8_t, kMaxMessage> buffer{};
  sockaddr_storage from{};
  socklen_t from_size = sizeof(from);
  const ssize_t size = recvfrom(network.group.get(), buffer.data(), buffer.size(), 0,
                                reinterpret_cast<sockaddr*>(&from), &from_size);
  const auto remote = uv::FromNative(reinterpret_cast<const sockaddr*>(&from));
  if (size > 0 && remote && remote->port == mdns::kPort) {
    on_datagram_(Bytes(buffer).first(static_cast<std::size_t>(size)));
  }
}

void MdnsSockets::Send(Bytes query) {
  for (const auto& network : networks_) {
    SocketAddress group = mdns::GroupAddress(network->local.ip.family);
    group.ip.scope_id = group.ip.is_v6() ? network->interface : 0;
    if (network->ask.Send(network->local, group, query, network->interface) !=
        uv::SendResult::kSent) {
      log::Debug("a question of multicast DNS was not sent from {}", ToString(network->local));
    }
  }
}

}  // namespace floe::ice
