#include "app/rendezvous/turn_service.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "app/rendezvous/own_services.h"

namespace floe::rendezvous {
namespace {

using std::chrono::seconds;

constexpr std::size_t kMaxBatches = 8;
constexpr const char* kRealm = "floe";

ice::turn::ServerConfig TurnConfig(const std::vector<IpAddress>& addresses,
                                   const SecretString& secret) {
  ice::turn::ServerConfig config;
  config.auth.realm = kRealm;
  config.auth.shared_secret = secret.Clone();
  config.auth.epoch_offset =
      UnixTime() - std::chrono::duration_cast<seconds>(uv::Loop::Now().time_since_epoch());
  config.relay_ips = addresses;
  config.allow_loopback_peers =
      std::ranges::all_of(addresses, [](const IpAddress& ip) { return ip.is_loopback(); });
  return config;
}

}  // namespace

Result<std::unique_ptr<TurnService>> TurnService::Make(uv::Loop& loop, RandomSource& random,
                                                       std::vector<IpAddress> addresses,
                                                       const SecretString& secret) {
  auto service = std::make_unique<TurnService>(loop, random, std::move(addresses), secret);
  for (const IpAddress& ip : service->addresses_) {
    if (!service->stun_.contains(ip.family)) {
      if (auto opened = service->OpenStun(ip.family); !opened) {
        return Fail(std::move(opened.error()));
      }
    }
  }
  return service;
}

TurnService::TurnService(uv::Loop& loop, RandomSource& random, std::vector<IpAddress> addresses,
                         const SecretString& secret)
    : loop_(loop),
      addresses_(std::move(addresses)),
      turn_(TurnConfig(addresses_, secret), random),
      timer_(loop, [this] {
        turn_.HandleTimeout(uv::Loop::Now());
        Flush();
      }) {}

Result<void> TurnService::OpenStun(IpFamily family) {
  auto socket = uv::UdpSocket::Open(family, kStunPort);
  if (!socket) {
    return Fail(std::move(socket.error()));
  }
  const auto [entry, added] =
      stun_.emplace(family, RelaySocket{.socket = std::move(*socket), .poll = nullptr});
  uv::UdpSocket& opened = entry->second.socket;
  auto poll = uv::Poll::Make(loop_, opened.fd(), [this, &opened] {
    opened.Receive(
        [this](const SocketAddress& local, const SocketAddress& remote, Bytes datagram,
               std::uint8_t /*tos*/) {
          if (IsOurs(local.ip)) {
            turn_.HandleDatagram(uv::Loop::Now(), remote, local, datagram);
          }
        },
        kMaxBatches);
    Flush();
  });
  if (!poll) {
    return Fail(std::move(poll.error()));
  }
  entry->second.poll = std::move(*poll);
  entry->second.poll->Watch(uv::Interest::kReadable);
  return {};
}

/// The sockets are bound to the wildcard address; what was not told to listen must not answer.
bool TurnService::IsOurs(const IpAddress& ip) const {
  return std::ranges::any_of(addresses_, [&](const IpAddress& own) {
    return own == ip || (own.is_unspecified() && own.family == ip.family);
  });
}

void TurnService::Flush() {
  bool busy = true;
  while (busy) {
    busy = false;
    while (const auto action = turn_.PollAction()) {
      busy = true;
      if (const auto* open = std::get_if<ice::turn::OpenRelay>(&*action)) {
        OpenRelay(open->address);
      } else if (const auto* close = std::get_if<ice::turn::CloseRelay>(&*action)) {
        relays_.erase(close->address);
      }
    }
    while (const auto transmit = turn_.PollTransmit()) {
      busy = true;
      const auto relay = relays_.find(transmit->local);
      const auto stun = stun_.find(transmit->remote.ip.family);
      // What cannot be sent is lost, as on a wire; its sender repeats what matters.
      if (relay != relays_.end()) {
        static_cast<void>(
            relay->second.socket.Send(transmit->local, transmit->remote, transmit->payload));
      } else if (stun != stun_.end()) {
        static_cast<void>(
            stun->second.socket.Send(transmit->local, transmit->remote, transmit->payload));
      }
    }
  }
  timer_.ArmAt(turn_.NextTimeout());
}

void TurnService::OpenRelay(const SocketAddress& address) {
  const TimePoint now = uv::Loop::Now();
  auto socket = uv::UdpSocket::Open(address.ip.family, address.port);
  if (!socket) {
    turn_.HandleRelayFailed(now, address);
    return;
  }
  auto poll = uv::Poll::Make(loop_, socket->fd(), [this, address] { ReceiveRelayed(address); });
  if (!poll) {
    turn_.HandleRelayFailed(now, address);
    return;
  }
  (*poll)->Watch(uv::Interest::kReadable);
  relays_.emplace(address, RelaySocket{.socket = std::move(*socket), .poll = std::move(*poll)});
  turn_.HandleRelayOpened(now, address);
}

void TurnService::ReceiveRelayed(const SocketAddress& address) {
  relays_.at(address).socket.Receive(
      [&](const SocketAddress& local, const SocketAddress& remote, Bytes datagram,
          std::uint8_t /*tos*/) {
        if (local.ip == address.ip) {
          turn_.HandleRelayed(uv::Loop::Now(), address, remote, datagram);
        }
      },
      kMaxBatches);
  Flush();
}

}  // namespace floe::rendezvous
