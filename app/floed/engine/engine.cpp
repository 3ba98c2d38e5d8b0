#include "app/floed/engine/engine.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "ice/stun/attributes.h"
#include "ice/stun/hmac.h"
#include "ice/stun/message.h"

namespace floe::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// While a path does not answer, the servers are asked at most this often where we are by now.
constexpr Duration kRecheckInterval = seconds(5);

ice::portmap::MapperConfig MapperConfig(const EngineConfig& config) {
  const auto secret =
      ice::stun::HmacSha256(config.private_key.bytes(), {AsBytes("floe port mapping")});
  return {.pcp = config.pcp, .nat_pmp = config.nat_pmp, .secret = Secret<32>(secret)};
}

// Bytes of UDP payload in what every host takes (RFC 1122 section 3.3.2), and every link of IPv6
// (RFC 8200 section 5).
constexpr std::size_t kLeastWhole4 = 576 - 28;
constexpr std::size_t kLeastWhole6 = 1280 - 48;

}  // namespace

Engine::Engine(TimePoint now, std::chrono::nanoseconds unix_time, EngineConfig config,
               RandomSource& random)
    : config_(std::move(config)),
      public_key_(DerivePublicKey(config_.private_key)),
      random_(random),
      clock_{.start = now, .unix_start = unix_time},
      gatherer_(random),
      mdns_(random),
      mapper_(MapperConfig(config_)),
      tunnel_(now, config_.private_key.Clone(), unix_time, random, *config_.cipher),
      courier_(config_.private_key, public_key_, config_.rendezvous, random),
      pinger_(random) {
  tunnel_.SetKeyLog(config_.key_log);
  if (config_.packet_path) {
    tunnel_.forwarding().Enable();
  }
  SetHidden({});
  tunnel_.SetOwnAddresses(config_.addresses);
  for (const signaling::Url& url : std::exchange(config_.rendezvous, {})) {
    GuessServers(url);
  }
  for (PeerConfig& peer : std::exchange(config_.peers, {})) {
    const std::string name = peer.name;
    if (!AddPeer(now, std::move(peer))) {
      log::Warn("peer {} left out: its key is of no use", name);
    }
  }
}

void Engine::Start(TimePoint now) {
  courier_.Start(now);
  ApplyServers(now);
  ForEachPeer([&](PeerId id, Peer&) { SetWanted(now, id, true); });
  Drain(now);
}

void Engine::Stop(TimePoint now) {
  ForEachPeer([&](PeerId id, Peer&) { SetWanted(now, id, false); });
  courier_.Stop(now);
  gatherer_.Close(now);
  mapper_.Close(now);
  Drain(now);
}

void Engine::SetLocalAddresses(TimePoint now, const std::vector<SocketAddress>& addresses) {
  gatherer_.SetLocalAddresses(now, addresses);
  Drain(now);
}

void Engine::SetTcpAddresses(TimePoint now, const std::vector<SocketAddress>& passive) {
  gatherer_.SetTcpAddresses(passive);
  Drain(now);
}

void Engine::SetGateways(TimePoint now, const std::vector<ice::portmap::Gateway>& gateways) {
  mapper_.SetGateways(now, gateways);
  for (const ice::portmap::Gateway& gateway : gateways) {
    ApplyPortMapping(gateway.internal);  // The address may have been away.
  }
  Drain(now);
}

void Engine::SetUpnpMapping(TimePoint now, const SocketAddress& internal,
                            std::optional<SocketAddress> external) {
  if (external) {
    upnp_[internal] = *external;
  } else {
    upnp_.erase(internal);
  }
  ApplyPortMapping(internal);
  Drain(now);
}

std::vector<PortMapping> Engine::port_mappings() const {
  std::vector<PortMapping> mappings;
  for (const auto& [gateway, client] : mapper_.clients()) {
    if (const auto& mapped = client.mapped()) {
      const bool pcp = mapped->protocol == ice::portmap::Protocol::kPcp;
      mappings.push_back({pcp ? "pcp" : "nat-pmp", gateway.internal, mapped->external});
    }
  }
  for (const auto& [internal, external] : upnp_) {
    mappings.push_back({"upnp", internal, external});
  }
  return mappings;
}

void Engine::SetHidden(std::vector<IpPrefix> hidden) {
  gatherer_.SetDisclosure({.relay_only = config_.policy == PathPolicy::kRelayOnly,
                           .public_only = config_.tell_public_only,
                           .hidden = std::move(hidden)});
}

void Engine::HandleNetworkChange(TimePoint now) {
  gatherer_.HandleNetworkChange(now);
  courier_.HandleNetworkChange(now);
  mapper_.CheckNow(now);
  ForEachPeer([&](PeerId id, Peer& peer) {
    peer.link->HandleNetworkChange(now);
    if (peer.config.is_static) {
      peer.endpoint->HandleNetworkChange(now);
      if (peer.wanted && tunnel_.Stats(id).has_session) {
        tunnel_.SendKeepalive(now, id);  // So that the device learns where we are by now.
      }
    }
    Touch(id);
  });
  Drain(now);
}

void Engine::SetServers(TimePoint now, Servers servers) {
  configured_ = std::move(servers);
  renew_servers_at_.reset();
  if (configured_.lifetime) {
    renew_servers_at_ = now + *configured_.lifetime / 2;
  }
  ApplyServers(now);
  Drain(now);
}

void Engine::SetOfferedServers(TimePoint now, StreamId id, Servers servers) {
  offered_[id] = std::move(servers);
  ApplyServers(now);
  Drain(now);
}

void Engine::ApplyServers(TimePoint now) {
  std::vector<SocketAddress> stun = configured_.stun;
  std::vector<ice::RelayServer> relays;
  const auto add = [&](const Servers& servers) {
    for (const SocketAddress& server : servers.stun) {
      if (std::ranges::find(stun, server) == stun.end()) {
        stun.push_back(server);
      }
    }
    for (const ice::RelayServer& relay : servers.relays) {
      const bool known = std::ranges::any_of(relays, [&](const ice::RelayServer& other) {
        return other.address == relay.address && other.transport == relay.transport &&
               other.host() == relay.host();
      });
      if (!known) {
        relays.push_back(relay.Clone());
      }
    }
  };
  add(configured_);  // The user's own come first.
  for (const Servers& servers : offered_) {
    add(servers);
  }
  gatherer_.SetServers(now, stun, std::move(relays));
}

void Engine::SetProbeSockets(TimePoint now, PeerId peer, std::vector<SocketAddress> sockets) {
  for (const SocketAddress& socket : sockets) {
    probe_sockets_[socket] = peer;
  }
  peers_[peer]->link->SetProbeSockets(now, std::move(sockets));
  Touch(peer);
  Drain(now);
}

PredictionCounters Engine::prediction_counters() const {
  PredictionCounters sum;
  for (const PeerId id : peer_ids()) {
    if (const Predictor* predictor = link(id).predictor()) {
      sum.attempts += predictor->counters().attempts;
      sum.probes += predictor->counters().probes;
      sum.found += predictor->counters().found;
    }
  }
  return sum;
}

void Engine::SetEndpoint(TimePoint now, PeerId peer, std::vector<SocketAddress> addresses) {
  Peer& entry = *peers_[peer];
  if (entry.endpoint && entry.endpoint->SetAddresses(now, std::move(addresses)) && entry.wanted) {
    tunnel_.StartHandshake(now, peer);
  }
  Touch(peer);
  Drain(now);
}

void Engine::SetWanted(TimePoint now, PeerId peer, bool wanted) {
  Peer& entry = *peers_[peer];
  entry.wanted = wanted;
  if (entry.config.is_static) {
    if (wanted && entry.endpoint->way()) {
      tunnel_.StartHandshake(now, peer);
    }
  } else {
    entry.link->SetWanted(now, wanted);
    Touch(peer);
  }
  UpdateWay(now, peer);
  if (!wanted && entry.up) {
    entry.up = false;
    notices_.emplace_back(PeerDown{peer});
  }
  Drain(now);
}

void Engine::HandleDatagram(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                            Bytes datagram, std::uint8_t tos) {
  HandleDueLinks(now);
  if (tunnel::Tunnel::LooksLikeWireGuard(datagram)) {
    if (config_.policy == PathPolicy::kRelayOnly && static_peers_ == 0) {
      ++counters_.unwanted_direct;
      return;
    }
    HandleTunnelDatagram(now, local, remote, datagram, tos);
    Drain(now);
    return;
  }
  if (const auto socket = probe_sockets_.find(local); socket != probe_sockets_.end()) {
    const PeerId id = socket->second;
    const auto message = ice::stun::MessageView::Parse(datagram);
    if (!message || !peers_[id]->link->HandleProbe(now, local, remote, *message)) {
      HandleStun(now, local, remote, datagram);
    }
    Touch(id);
    Drain(now);
    return;
  }
  if (mapper_.HandleDatagram(now, local, remote, datagram)) {
    Drain(now);
    return;
  }
  const auto inbound = gatherer_.HandleDatagram(now, local, remote, datagram);
  switch (inbound.verdict) {
    case ice::Gatherer::Verdict::kConsumed:
      break;
    case ice::Gatherer::Verdict::kData:
      HandleRelayed(now, inbound.local, inbound.remote, inbound.payload, tos);
      break;
    case ice::Gatherer::Verdict::kNotMine:
      HandleStun(now, local, remote, datagram);
      break;
  }
  Drain(now);
}

void Engine::HandleRelayed(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                           Bytes datagram, std::uint8_t tos) {
  if (tunnel::Tunnel::LooksLikeWireGuard(datagram)) {
    HandleTunnelDatagram(now, local, remote, datagram, tos);
  } else {
    HandleStun(now, local, remote, datagram);
  }
}

void Engine::HandleStun(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                        Bytes datagram) {
  const auto message = ice::stun::MessageView::Parse(datagram);
  if (!message) {
    ++counters_.unknown_datagrams;
    return;
  }
  std::optional<PeerId> peer;
  if (message->message_class() == ice::stun::Class::kRequest) {
    const auto username = ice::stun::FindText(*message, ice::stun::AttributeType::kUsername);
    const std::string ufrag(username ? username->substr(0, username->find(':')) : "");
    if (const auto found = by_ufrag_.find(ufrag); found != by_ufrag_.end()) {
      peer = found->second;
    }
  } else if (const auto found = by_tag_.find(LoadBe<std::uint32_t>(message->transaction_id(), 0));
             found != by_tag_.end()) {
    peer = found->second;
  }
  if (!peer) {
    ++counters_.unrouted_stun;
    return;
  }
  Link& link = *peers_[*peer]->link;
  const auto before = link.way_back();
  link.HandleStun(now, local, remote, *message);
  Touch(*peer);
  if (const auto after = link.way_back(); after && before != after) {
    // The peer's check came through, so most likely its way back is open too. Waiting for our own
    // check to be answered would cost the first handshake a round trip.
    tunnel_.StartHandshake(now, *peer);
  }
}

void Engine::HandleTunnelDatagram(TimePoint now, const SocketAddress& local,
                                  const SocketAddress& remote, Bytes datagram, std::uint8_t tos) {
  const auto accepted = tunnel_.HandleDatagram(now, {local, remote}, datagram, tunnel::EcnOf(tos));
  if (!accepted) {
    return;
  }
  Peer& peer = *peers_[accepted->peer];
  if (peer.config.is_static) {
    peer.endpoint->HandleReceived(local, remote);
    UpdateWay(now, accepted->peer);
  } else {
    peer.link->NoteDataReceived(now, local, remote);
  }
}

void Engine::HandleUnreachable(TimePoint now, const SocketAddress& local,
                               const SocketAddress& remote) {
  TellUnreachable(now, local, remote);
  Drain(now);
}

void Engine::HandleTooBig(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                          std::size_t fits) {
  // RFC 8899 section 4.6.1: nobody says less in earnest.
  const std::size_t believed = std::max(fits, remote.ip.is_v4() ? kLeastWhole4 : kLeastWhole6);
  ForEachPeer([&](PeerId id, Peer& peer) {
    const auto& path = peer.link->path();
    const auto way = path ? gatherer_.UnderlyingOf(now, path->local, path->remote) : std::nullopt;
    if (way && way->local == local && way->remote == remote) {
      peer.link->HandleTooBig(now, believed - (way->channel ? tunnel::kChannelHeaderSize : 0));
      Touch(id);
    }
  });
  Drain(now);
}

void Engine::HandlePacket(TimePoint now, Bytes packet) {
  HandleDueLinks(now);
  tunnel_.HandlePacket(now, packet);
  Drain(now);
}

void Engine::HandleActivity(TimePoint now) {
  for (const auto& [id, activity] : tunnel_.HandleActivity(now)) {
    Peer& peer = *peers_[id];
    const auto& path = peer.link->path();
    if (peer.config.is_static) {
      if (const auto way = peer.endpoint->way(); way && activity.received) {
        peer.endpoint->HandleReceived(way->local, way->remote);
      }
    } else if (path) {
      if (activity.sent) {
        peer.link->NoteDataSent(*activity.sent);
        if (gatherer_.IsRelayed(path->local)) {
          gatherer_.UseForData(now, path->local, path->remote);
        }
      }
      if (activity.received) {
        peer.link->NoteDataReceived(*activity.received, path->local, path->remote);
      }
    }
    tunnel_.SetWantsEchoReplies(id, pinger_.IsWaiting(now, id));
    UpdateWay(now, id);
  }
  Drain(now);
}

void Engine::HandlePeersPacket(TimePoint now, PeerId peer, Bytes packet) {
  DeliverPacket(now, peer, {packet.begin(), packet.end()});
  Drain(now);
}

void Engine::HandleMdns(TimePoint now, Bytes datagram) {
  mdns_.HandleDatagram(datagram);
  Drain(now);
}

void Engine::HandleRelayStreamOpened(TimePoint now, ice::StreamId id, const SocketAddress& local) {
  gatherer_.HandleStreamOpened(now, id, local);
  Drain(now);
}

void Engine::HandleRelayStreamBytes(TimePoint now, ice::StreamId id, Bytes bytes) {
  gatherer_.HandleStreamBytes(now, id, bytes);
  while (const auto received = gatherer_.PollReceived()) {
    HandleRelayed(now, received->local, received->remote, received->payload, /*tos=*/0);
    Drain(now);
  }
  Drain(now);
}

void Engine::HandleRelayStreamClosed(TimePoint now, ice::StreamId id, std::string_view reason) {
  gatherer_.HandleStreamClosed(now, id, reason);
  Drain(now);
}

void Engine::HandleStreamOpened(TimePoint now, StreamId id,
                                const std::optional<signaling::ChannelBinding>& binding) {
  courier_.HandleStreamOpened(now, id, binding);
  Drain(now);
}

void Engine::HandleStreamBytes(TimePoint now, StreamId id, Bytes bytes) {
  courier_.HandleStreamBytes(now, id, bytes);
  Drain(now);
}

void Engine::HandleStreamClosed(TimePoint now, StreamId id, std::string_view reason) {
  courier_.HandleStreamClosed(now, id, reason);
  Drain(now);
}

void Engine::HandleTimeout(TimePoint now) {
  if (gatherer_.NextTimeout() && *gatherer_.NextTimeout() <= now) {
    gatherer_.HandleTimeout(now);
  }
  HandleDueLinks(now);
  if (tunnel_.NextTimeout() && *tunnel_.NextTimeout() <= now) {
    tunnel_.HandleTimeout(now);
  }
  if (mapper_.NextTimeout() && *mapper_.NextTimeout() <= now) {
    mapper_.HandleTimeout(now);
  }
  mdns_.HandleTimeout(now);
  courier_.HandleTimeout(now);
  if (renew_servers_at_ && *renew_servers_at_ <= now) {
    renew_servers_at_.reset();
    actions_.emplace_back(RenewServers{});
  }
  Drain(now);
}

/// Before anything may be sent: after a sleep the consent of a path is over, and no timer has said
/// so yet.
void Engine::HandleDueLinks(TimePoint now) {
  std::vector<PeerId> due;
  for (const auto& [time, id] : deadlines_) {
    if (time > now) {
      break;
    }
    due.push_back(id);
  }
  for (const PeerId id : due) {
    peers_[id]->link->HandleTimeout(now);
    if (peers_[id]->endpoint) {
      peers_[id]->endpoint->HandleTimeout(now);
    }
    RetryHandshake(now, id);
    Touch(id);
    const Link& link = *peers_[id]->link;
    if ((link.is_doubtful() || link.is_lost(now)) && (!next_recheck_ || now >= *next_recheck_)) {
      next_recheck_ = now + kRecheckInterval;
      gatherer_.HandleNetworkChange(now);
      courier_.HandleNetworkChange(now);
      mapper_.CheckNow(now);
    }
  }
}

std::optional<std::uint16_t> Engine::Ping(TimePoint now, PeerId peer) {
  if (!peers_[peer]) {
    return std::nullopt;
  }
  for (const IpPrefix& prefix : peers_[peer]->config.allowed_ips) {
    if (prefix.length != prefix.address.bits()) {
      continue;
    }
    for (const IpAddress& own : config_.addresses) {
      if (own.family == prefix.address.family) {
        HandleDueLinks(now);
        Pinger::Request request = pinger_.MakeRequest(now, peer, own, prefix.address);
        tunnel_.SetWantsEchoReplies(peer, true);
        tunnel_.HandlePacket(now, request.packet);
        Drain(now);
        return request.seq;
      }
    }
  }
  return std::nullopt;
}

std::optional<PeerId> Engine::FindPeer(std::string_view name) const {
  const auto has_name = [&](const auto& peer) { return peer && peer->config.name == name; };
  const auto found = std::ranges::find_if(peers_, has_name);
  return found == peers_.end() ? std::nullopt
                               : std::optional(static_cast<PeerId>(found - peers_.begin()));
}

std::vector<PeerId> Engine::peer_ids() const {
  std::vector<PeerId> ids;
  for (PeerId id = 0; id < peers_.size(); ++id) {
    if (peers_[id]) {
      ids.push_back(id);
    }
  }
  return ids;
}

std::optional<ice::Transmit> Engine::PollTransmit() {
  return gatherer_.PollTransmit();
}

std::optional<ice::StreamAction> Engine::PollRelayAction() {
  return gatherer_.PollStreamAction();
}

std::optional<std::vector<std::uint8_t>> Engine::PollMdnsQuery() {
  return mdns_.PollQuery();
}

std::optional<std::vector<std::uint8_t>> Engine::PollPacket() {
  if (packets_.empty()) {
    return std::nullopt;
  }
  std::vector<std::uint8_t> packet = std::move(packets_.front());
  packets_.pop_front();
  return packet;
}

std::optional<Action> Engine::PollAction() {
  if (actions_.empty()) {
    return std::nullopt;
  }
  Action action = std::move(actions_.front());
  actions_.pop_front();
  return action;
}

std::optional<Notice> Engine::PollNotice() {
  if (notices_.empty()) {
    return std::nullopt;
  }
  Notice notice = std::move(notices_.front());
  notices_.pop_front();
  return notice;
}

std::optional<Pong> Engine::PollPong() {
  return pinger_.PollPong();
}

std::optional<TimePoint> Engine::NextTimeout() const {
  std::optional<TimePoint> next = gatherer_.NextTimeout();
  const auto consider = [&next](std::optional<TimePoint> time) {
    if (time && (!next || *time < *next)) {
      next = time;
    }
  };
  consider(tunnel_.NextTimeout());
  consider(courier_.NextTimeout());
  consider(mapper_.NextTimeout());
  consider(renew_servers_at_);
  consider(mdns_.NextTimeout());
  if (!deadlines_.empty()) {
    consider(deadlines_.begin()->first);
  }
  return next;
}

}  // namespace floe::engine
