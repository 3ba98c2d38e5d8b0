#include "app/rendezvous/server.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>

#include "base/base64.h"
#include "base/log.h"
#include "base/uv/sd_notify.h"
#include "ice/turn/authenticator.h"

namespace floe::rendezvous {
namespace {

using std::chrono::seconds;

constexpr seconds kCredentialLifetime{3600};
constexpr std::size_t kMaxConnections = 20'000;
constexpr std::size_t kMaxBatches = 8;
constexpr const char* kRealm = "floe";

seconds UnixTime() {
  return std::chrono::duration_cast<seconds>(std::chrono::system_clock::now().time_since_epoch());
}

SecretString MakeSecret(RandomSource& random) {
  Secret<32> secret;
  random.Fill(secret.mutable_bytes());
  return RevealKey(secret);
}

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

std::string HostOf(const IpAddress& ip) {
  return ip.is_v6() ? '[' + ToString(ip) + ']' : ToString(ip);
}

}  // namespace

OwnServices::OwnServices(std::vector<IpAddress> addresses, SecretString secret)
    : addresses_(std::move(addresses)), secret_(std::move(secret)) {}

std::vector<std::string> OwnServices::StunUrls() {
  std::vector<std::string> urls;
  for (const IpAddress& ip : addresses_) {
    urls.push_back("stun:" + HostOf(ip) + ':' + std::to_string(kStunPort));
  }
  return urls;
}

std::vector<signaling::TurnCredentials> OwnServices::MakeTurn(const PublicKey& node) {
  signaling::TurnCredentials credentials;
  for (const IpAddress& ip : addresses_) {
    credentials.urls.push_back("turn:" + HostOf(ip) + ':' + std::to_string(kStunPort) +
                               "?transport=udp");
  }
  credentials.username = ice::turn::RestUsername(UnixTime() + kCredentialLifetime, ToString(node));
  credentials.password = ice::turn::RestPassword(secret_, credentials.username);
  credentials.ttl = kCredentialLifetime;
  std::vector<signaling::TurnCredentials> all;
  all.push_back(std::move(credentials));
  return all;
}

Result<std::unique_ptr<Server>> Server::Make(const ServerConfig& config) {
  auto loop = uv::Loop::Make();
  if (!loop) {
    return Fail(std::move(loop.error()));
  }
  std::vector<IpAddress> addresses;
  for (const SocketAddress& address : config.listen) {
    if (std::ranges::find(addresses, address.ip) == addresses.end()) {
      addresses.push_back(address.ip);
    }
  }
  SystemRandom random;
  auto server = std::make_unique<Server>(std::move(*loop), addresses, MakeSecret(random));
  if (auto listening = server->Listen(config); !listening) {
    return Fail(std::move(listening.error()));
  }
  return server;
}

Server::Server(std::unique_ptr<uv::Loop> loop, std::vector<IpAddress> addresses,
               SecretString secret)
    : loop_(std::move(loop)),
      addresses_(std::move(addresses)),
      services_(addresses_, secret.Clone()),
      hub_({}, services_, random_),
      turn_(TurnConfig(addresses_, secret), random_) {
  timer_ = std::make_unique<uv::Timer>(*loop_, [this] {
    const TimePoint now = uv::Loop::Now();
    hub_.HandleTimeout(now);
    turn_.HandleTimeout(now);
    FlushHub();
    FlushTurn();
  });
}

Result<void> Server::Listen(const ServerConfig& config) {
  auto signals = uv::Signals::Make(*loop_, [this](int signal) {
    if (signal != SIGHUP) {
      loop_->Stop();
    }
  });
  if (!signals) {
    return Fail(std::move(signals.error()));
  }
  signals_ = std::move(*signals);
  for (const SocketAddress& address : config.listen) {
    auto listener = uv::Listener::ListenTcp(
        *loop_, address, [this](std::unique_ptr<uv::Stream> stream) { Accept(std::move(stream)); });
    if (!listener) {
      return Fail(std::move(listener.error()));
    }
    listeners_.push_back(std::move(*listener));
  }
  for (const IpAddress& ip : addresses_) {
    if (!stun_.contains(ip.family)) {
      if (auto opened = OpenStun(ip.family); !opened) {
        return opened;
      }
    }
  }
  return {};
}

Result<void> Server::OpenStun(IpFamily family) {
  auto socket = uv::UdpSocket::Open(family, kStunPort);
  if (!socket) {
    return Fail(std::move(socket.error()));
  }
  const auto [entry, added] =
      stun_.emplace(family, RelaySocket{.socket = std::move(*socket), .poll = nullptr});
  uv::UdpSocket& opened = entry->second.socket;
  auto poll = uv::Poll::Make(*loop_, opened.fd(), [this, &opened] {
    opened.Receive(
        [this](const SocketAddress& local, const SocketAddress& remote, Bytes datagram,
               std::uint8_t /*tos*/) {
          if (IsOurs(local.ip)) {
            turn_.HandleDatagram(uv::Loop::Now(), remote, local, datagram);
          }
        },
        kMaxBatches);
    FlushTurn();
  });
  if (!poll) {
    return Fail(std::move(poll.error()));
  }
  entry->second.poll = std::move(*poll);
  entry->second.poll->Watch(uv::Interest::kReadable);
  return {};
}

/// The sockets are bound to the wildcard address; what was not told to listen must not answer.
bool Server::IsOurs(const IpAddress& ip) const {
  return std::ranges::any_of(addresses_, [&](const IpAddress& own) {
    return own == ip || (own.is_unspecified() && own.family == ip.family);
  });
}

void Server::Run() {
  ArmTimer();
  if (const auto told = uv::SdNotify("READY=1"); !told) {
    log::Warn("{}: {}", told.error().context, told.error().code.message());
  }
  loop_->Run();
  listeners_.clear();
  streams_.clear();
  relays_.clear();
  stun_.clear();
}

void Server::Accept(std::unique_ptr<uv::Stream> stream) {
  const auto remote = stream->remote_address();
  if (!remote || streams_.size() >= kMaxConnections) {
    return;  // Destroying the stream closes it.
  }
  const signaling::ConnectionId id = next_id_++;
  uv::Stream& accepted = *streams_.emplace(id, std::move(stream)).first->second;
  accepted.Start({.on_data =
                      [this, id](Bytes bytes) {
                        hub_.HandleBytes(uv::Loop::Now(), id, bytes);
                        FlushHub();
                      },
                  .on_drain =
                      [this, id] {
                        hub_.HandleWritten(id, std::exchange(unwritten_[id], 0));
                        FlushHub();
                      },
                  .on_close =
                      [this, id](uv::CloseReason, const Error&) {
                        hub_.HandleClosed(id);
                        Forget(id);
                        FlushHub();
                      }});
  hub_.HandleOpened(uv::Loop::Now(), id, *remote);
  FlushHub();
}

void Server::FlushHub() {
  while (const auto action = hub_.PollAction()) {
    if (const auto* write = std::get_if<signaling::HubWrite>(&*action)) {
      Write(*write);
    } else if (const auto* close = std::get_if<signaling::HubClose>(&*action)) {
      Close(*close);
    }
  }
  ArmTimer();
}

void Server::ArmTimer() {
  const auto hub = hub_.NextTimeout();
  const auto turn = turn_.NextTimeout();
  timer_->ArmAt(hub && turn ? std::min(*hub, *turn) : (hub ? hub : turn));
}

void Server::Write(const signaling::HubWrite& write) {
  const auto found = streams_.find(write.id);
  if (found == streams_.end()) {
    return;
  }
  found->second->Write(write.bytes);
  if (found->second->write_queue_size() == 0) {
    hub_.HandleWritten(write.id, write.bytes.size());
  } else {
    unwritten_[write.id] += write.bytes.size();
  }
}

void Server::Close(const signaling::HubClose& close) {
  const auto found = streams_.find(close.id);
  if (found == streams_.end()) {
    return;
  }
  if (close.mode == signaling::HubClose::Mode::kFlush) {
    found->second->Shutdown();  // on_close comes when the other end has ended too.
  } else {
    Forget(close.id);
  }
}

void Server::Forget(signaling::ConnectionId id) {
  streams_.erase(id);
  unwritten_.erase(id);
}

void Server::FlushTurn() {
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
  ArmTimer();
}

void Server::OpenRelay(const SocketAddress& address) {
  const TimePoint now = uv::Loop::Now();
  auto socket = uv::UdpSocket::Open(address.ip.family, address.port);
  if (!socket) {
    turn_.HandleRelayFailed(now, address);
    return;
  }
  auto poll = uv::Poll::Make(*loop_, socket->fd(), [this, address] { ReceiveRelayed(address); });
  if (!poll) {
    turn_.HandleRelayFailed(now, address);
    return;
  }
  (*poll)->Watch(uv::Interest::kReadable);
  relays_.emplace(address, RelaySocket{.socket = std::move(*socket), .poll = std::move(*poll)});
  turn_.HandleRelayOpened(now, address);
}

void Server::ReceiveRelayed(const SocketAddress& address) {
  relays_.at(address).socket.Receive(
      [&](const SocketAddress& local, const SocketAddress& remote, Bytes datagram,
          std::uint8_t /*tos*/) {
        if (local.ip == address.ip) {
          turn_.HandleRelayed(uv::Loop::Now(), address, remote, datagram);
        }
      },
      kMaxBatches);
  FlushTurn();
}

}  // namespace floe::rendezvous
