// The part of Engine by which peers and rendezvous servers come, change and go.

#include <algorithm>
#include <utility>

#include "app/floed/engine/engine.h"

namespace floe::engine {

std::optional<PeerId> Engine::AddPeer(TimePoint now, PeerConfig peer) {
  const auto id = static_cast<PeerId>(peers_.size());
  if (!courier_.AddPeer(id, peer.key)) {
    return std::nullopt;
  }
  if (!tunnel_.AddPeer(now, id,
                       {.public_key = peer.key,
                        .preshared_key = std::exchange(peer.preshared_key, std::nullopt),
                        .allowed_ips = peer.allowed_ips,
                        .persistent_keepalive = peer.persistent_keepalive})) {
    courier_.RemovePeer(id);
    return std::nullopt;
  }
  Peer& added = *peers_.emplace_back(std::make_unique<Peer>());
  added.link = std::make_unique<Link>(LinkConfig{.name = peer.name,
                                                 .key = peer.key,
                                                 .allowed_ips = peer.allowed_ips,
                                                 .policy = config_.policy,
                                                 .port_prediction = config_.port_prediction,
                                                 .mtu = config_.mtu},
                                      public_key_, clock_, gatherer_, pacer_, random_);
  if (peer.is_static) {
    ++static_peers_;
    added.endpoint = std::make_unique<StaticEndpoint>();
  }
  added.config = std::move(peer);
  UpdateRoom(id);
  return id;
}

void Engine::RemovePeer(TimePoint now, PeerId id) {
  SetWanted(now, id, false);
  Peer& peer = *peers_[id];
  static_peers_ -= peer.config.is_static ? 1U : 0U;
  tunnel_.RemovePeer(id);
  courier_.RemovePeer(id);
  ForgetIndices(id);
  if (peer.deadline) {
    deadlines_.erase({*peer.deadline, id});
  }
  touched_.erase(id);
  std::erase_if(senders_, [id](const auto& sender) { return sender.second == id; });
  CloseSockets close;
  std::erase_if(probe_sockets_, [&](const auto& socket) {
    if (socket.second == id) {
      close.sockets.push_back(socket.first);
    }
    return socket.second == id;
  });
  if (!close.sockets.empty()) {
    actions_.emplace_back(std::move(close));
  }
  std::erase_if(notices_, [id](const Notice& notice) {
    const auto* down = std::get_if<PeerDown>(&notice);
    return down != nullptr && down->peer == id;
  });
  peers_[id].reset();
  Drain(now);
}

void Engine::ChangePeer(TimePoint now, PeerId id, PeerConfig peer) {
  Peer& entry = *peers_[id];
  tunnel_.SetAllowedIps(id, peer.allowed_ips);
  tunnel_.SetPersistentKeepalive(now, id, peer.persistent_keepalive);
  entry.link->Describe(peer.name, peer.allowed_ips);
  if (entry.config.is_static != peer.is_static) {
    SetStatic(now, id, peer.is_static);
  }
  if (tunnel_.SetPresharedKey(id, std::exchange(peer.preshared_key, std::nullopt))) {
    if (entry.up) {
      entry.up = false;
      notices_.emplace_back(PeerDown{id});
    }
    entry.handshakes = 0;
    if (entry.wanted && (endpoint(id) || entry.link->path())) {
      tunnel_.StartHandshake(now, id);
    }
  }
  entry.config = std::move(peer);
  UpdateRoom(id);
  Drain(now);
}

/// The session goes on, wherever its packets go.
void Engine::SetStatic(TimePoint now, PeerId id, bool is_static) {
  Peer& peer = *peers_[id];
  peer.endpoint = is_static ? std::make_unique<StaticEndpoint>() : nullptr;
  peer.config.is_static = is_static;
  static_peers_ = is_static ? static_peers_ + 1 : static_peers_ - 1;
  peer.link->SetWanted(now, peer.wanted && !is_static);
  Touch(id);
}

/// Of the rendezvous that comes next: the STUN service that one with a numeric address may have
/// beside it. Asking there before it has taken us in saves a round trip; what it hands out
/// afterwards replaces the guess.
void Engine::GuessServers(const signaling::Url& url) {
  constexpr std::uint16_t kStunPort = 3478;
  Servers& servers = offered_.emplace_back();
  if (const auto ip = ParseIpAddress(url.host)) {
    servers.stun.push_back({*ip, kStunPort});
  }
}

StreamId Engine::AddRendezvous(TimePoint now, const signaling::Url& url) {
  const StreamId id = courier_.AddServer(url);
  GuessServers(url);
  courier_.Start(now);
  ApplyServers(now);
  Drain(now);
  return id;
}

void Engine::RemoveRendezvous(TimePoint now, StreamId id) {
  courier_.RemoveServer(now, id);
  offered_[id] = {};
  ApplyServers(now);
  Drain(now);
}

}  // namespace floe::engine
