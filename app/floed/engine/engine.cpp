#include "app/floed/engine/engine.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "ice/stun/attributes.h"
#include "ice/stun/message.h"

namespace floe::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// While a path does not answer, the servers are asked at most this often where we are by now.
constexpr Duration kRecheckInterval = seconds(5);
// A first handshake that is lost is sent again after these, the last of them several times, and
// then at WireGuard's own pace of 5 s: a path that has just been found must not wait that long for
// its first packet, least of all where much is lost.
constexpr std::array<Duration, 4> kHandshakeGaps{milliseconds(250), milliseconds(250),
                                                 milliseconds(500), seconds(1)};
constexpr std::uint32_t kMaxHandshakes = 20;
constexpr std::size_t kMaxPackets = 4096;  // For the TUN device. It is drained after every input.

/// The STUN service that a rendezvous with a numeric address may have beside it. Asking there
/// before it has taken us in saves a round trip; what it hands out afterwards replaces the guess.
std::optional<SocketAddress> GuessStun(const signaling::Url& url) {
  constexpr std::uint16_t kStunPort = 3478;
  const auto ip = ParseIpAddress(url.host);
  return ip ? std::optional(SocketAddress{*ip, kStunPort}) : std::nullopt;
}

}  // namespace

Engine::Engine(TimePoint now, std::chrono::nanoseconds unix_time, EngineConfig config,
               RandomSource& random)
    : config_(std::move(config)),
      public_key_(DerivePublicKey(config_.private_key)),
      random_(random),
      clock_{.start = now, .unix_start = unix_time},
      gatherer_(random),
      tunnel_(now, config_.private_key.Clone(), unix_time, random),
      pinger_(random) {
  for (const signaling::Url& url : config_.rendezvous) {
    Client& client = clients_.emplace_back();
    client.client = std::make_unique<signaling::Client>(signaling::ClientConfig{.url = url},
                                                        config_.private_key, public_key_, random_);
    if (const auto guess = GuessStun(url)) {
      client.offered.stun.push_back(*guess);
    }
  }
  for (PeerConfig& peer : config_.peers) {
    const auto id = static_cast<PeerId>(peers_.size());
    Peer& added = peers_.emplace_back();
    by_key_.emplace(peer.key, id);
    added.is_static = peer.is_static;
    added.box = signaling::PeerBox::Make(config_.private_key, public_key_, peer.key);
    added.link = std::make_unique<Link>(LinkConfig{.name = peer.name,
                                                   .key = peer.key,
                                                   .allowed_ips = peer.allowed_ips,
                                                   .policy = config_.policy},
                                        public_key_, clock_, gatherer_, random_);
    std::optional<PresharedKey> preshared_key;
    if (peer.preshared_key) {
      preshared_key = peer.preshared_key->Clone();
    }
    if (!tunnel_.AddPeer(now, id,
                         {.public_key = peer.key,
                          .preshared_key = std::move(preshared_key),
                          .allowed_ips = peer.allowed_ips,
                          .persistent_keepalive = peer.persistent_keepalive})) {
      log::Warn("peer {} left out: its key is of no use", peer.name);
    }
  }
}

void Engine::Start(TimePoint now) {
  for (Client& client : clients_) {
    client.client->Start(now);
  }
  ApplyServers(now);
  for (PeerId id = 0; id < peers_.size(); ++id) {
    SetWanted(now, id, true);
  }
  Drain(now);
}

void Engine::Stop(TimePoint now) {
  for (PeerId id = 0; id < peers_.size(); ++id) {
    SetWanted(now, id, false);
  }
  for (Client& client : clients_) {
    client.client->Stop(now);
  }
  gatherer_.Close(now);
  Drain(now);
}

void Engine::SetLocalAddresses(TimePoint now, const std::vector<SocketAddress>& addresses) {
  gatherer_.SetLocalAddresses(now, addresses);
  Drain(now);
}

void Engine::HandleNetworkChange(TimePoint now) {
  gatherer_.HandleNetworkChange(now);
  for (Client& client : clients_) {
    client.client->HandleNetworkChange(now);
  }
  for (PeerId id = 0; id < peers_.size(); ++id) {
    peers_[id].link->HandleNetworkChange(now);
    Touch(id);
  }
  Drain(now);
}

void Engine::SetServers(TimePoint now, Servers servers) {
  configured_ = std::move(servers);
  ApplyServers(now);
  Drain(now);
}

void Engine::SetOfferedServers(TimePoint now, StreamId id, Servers servers) {
  clients_[id].offered = std::move(servers);
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
      const bool known = std::ranges::any_of(
          relays, [&](const ice::RelayServer& other) { return other.address == relay.address; });
      if (!known) {
        relays.push_back({.address = relay.address,
                          .username = relay.username,
                          .password = relay.password.Clone()});
      }
    }
  };
  add(configured_);  // The user's own come first.
  for (const Client& client : clients_) {
    add(client.offered);
  }
  gatherer_.SetServers(now, stun, std::move(relays));
}

void Engine::SetEndpoint(TimePoint now, PeerId peer, const SocketAddress& endpoint) {
  peers_[peer].endpoint = endpoint;
  if (peers_[peer].wanted) {
    tunnel_.StartHandshake(now, peer);
  }
  Drain(now);
}

void Engine::SetWanted(TimePoint now, PeerId peer, bool wanted) {
  Peer& entry = peers_[peer];
  entry.wanted = wanted;
  if (entry.is_static) {
    if (wanted && entry.endpoint) {
      tunnel_.StartHandshake(now, peer);
    }
  } else {
    entry.link->SetWanted(now, wanted);
    Touch(peer);
  }
  if (!wanted && entry.up) {
    entry.up = false;
    notices_.emplace_back(PeerDown{peer});
  }
  Drain(now);
}

void Engine::HandleDatagram(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                            Bytes datagram) {
  if (tunnel::Tunnel::LooksLikeWireGuard(datagram)) {
    HandleTunnelDatagram(now, local, remote, datagram);
    Drain(now);
    return;
  }
  const auto inbound = gatherer_.HandleDatagram(now, local, remote, datagram);
  switch (inbound.verdict) {
    case ice::Gatherer::Verdict::kConsumed:
      break;
    case ice::Gatherer::Verdict::kData:
      if (tunnel::Tunnel::LooksLikeWireGuard(inbound.payload)) {
        HandleTunnelDatagram(now, inbound.local, inbound.remote, inbound.payload);
      } else {
        HandleStun(now, inbound.local, inbound.remote, inbound.payload);
      }
      break;
    case ice::Gatherer::Verdict::kNotMine:
      HandleStun(now, local, remote, datagram);
      break;
  }
  Drain(now);
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
  peers_[*peer].link->HandleStun(now, local, remote, *message);
  Touch(*peer);
}

void Engine::HandleTunnelDatagram(TimePoint now, const SocketAddress& local,
                                  const SocketAddress& remote, Bytes datagram) {
  const auto accepted = tunnel_.HandleDatagram(now, datagram);
  if (!accepted) {
    return;
  }
  Peer& peer = peers_[accepted->peer];
  if (peer.is_static) {
    peer.endpoint = remote;  // WireGuard roams after authenticated packets.
  } else {
    peer.link->NoteDataReceived(now, local, remote);
  }
}

void Engine::HandleUnreachable(TimePoint now, const SocketAddress& local,
                               const SocketAddress& remote) {
  for (PeerId id = 0; id < peers_.size(); ++id) {
    peers_[id].link->HandleUnreachable(now, local, remote);
    Touch(id);
  }
  Drain(now);
}

void Engine::HandlePacket(TimePoint now, Bytes packet) {
  tunnel_.HandlePacket(now, packet);
  Drain(now);
}

void Engine::HandleStreamOpened(TimePoint now, StreamId id) {
  clients_[id].client->HandleConnected(now);
  Drain(now);
}

void Engine::HandleStreamBytes(TimePoint now, StreamId id, Bytes bytes) {
  clients_[id].client->HandleBytes(now, bytes);
  Drain(now);
}

void Engine::HandleStreamClosed(TimePoint now, StreamId id, std::string_view reason) {
  clients_[id].client->HandleClosed(now, reason);
  Drain(now);
}

void Engine::HandleTimeout(TimePoint now) {
  if (gatherer_.NextTimeout() && *gatherer_.NextTimeout() <= now) {
    gatherer_.HandleTimeout(now);
  }
  if (tunnel_.NextTimeout() && *tunnel_.NextTimeout() <= now) {
    tunnel_.HandleTimeout(now);
  }
  for (Client& client : clients_) {
    if (client.client->NextTimeout() && *client.client->NextTimeout() <= now) {
      client.client->HandleTimeout(now);
    }
  }
  std::vector<PeerId> due;
  for (const auto& [time, id] : deadlines_) {
    if (time > now) {
      break;
    }
    due.push_back(id);
  }
  for (const PeerId id : due) {
    peers_[id].link->HandleTimeout(now);
    RetryHandshake(now, id);
    Touch(id);
    if (peers_[id].link->is_suspect() && (!next_recheck_ || now >= *next_recheck_)) {
      next_recheck_ = now + kRecheckInterval;
      gatherer_.HandleNetworkChange(now);
      for (Client& client : clients_) {
        client.client->HandleNetworkChange(now);
      }
    }
  }
  Drain(now);
}

void Engine::Drain(TimePoint now) {
  bool busy = true;
  while (busy) {
    busy = DrainGatherer(now);
    busy = DrainTunnel(now) || busy;
    for (StreamId id = 0; id < clients_.size(); ++id) {
      busy = DrainClient(now, id) || busy;
    }
    while (!touched_.empty()) {
      const PeerId id = *touched_.begin();
      touched_.erase(touched_.begin());
      busy = DrainLink(now, id) || busy;
    }
  }
}

bool Engine::DrainGatherer(TimePoint now) {
  bool any = false;
  while (const auto event = gatherer_.PollEvent()) {
    any = true;
    if (const auto* added = std::get_if<ice::CandidateAdded>(&*event)) {
      log::Debug("found {}", ice::ToLine(added->candidate));
    }
    for (PeerId id = 0; id < peers_.size(); ++id) {
      Link& link = *peers_[id].link;
      if (const auto* added = std::get_if<ice::CandidateAdded>(&*event)) {
        link.HandleLocalCandidate(now, added->candidate);
      } else if (const auto* removed = std::get_if<ice::CandidateRemoved>(&*event)) {
        link.HandleLocalCandidateGone(now, removed->candidate);
      }
      Touch(id);
    }
  }
  return any;
}

bool Engine::DrainLink(TimePoint now, PeerId id) {
  Peer& peer = peers_[id];
  bool any = false;
  while (auto transmit = peer.link->PollTransmit()) {
    gatherer_.Send(now, transmit->local, transmit->remote, std::move(transmit->payload));
    any = true;
  }
  while (const auto message = peer.link->PollMessage()) {
    SendMessage(now, id, *message);
    any = true;
  }
  if (peer.link->PollPathChanged()) {
    HandlePathChanged(now, id);
    any = true;
  }
  if (peer.agents_version != peer.link->agents_version()) {
    IndexAgents(id);
  }
  UpdateDeadline(id);
  return any;
}

void Engine::HandlePathChanged(TimePoint now, PeerId id) {
  Peer& peer = peers_[id];
  const auto& path = peer.link->path();
  if (!path) {
    peer.next_handshake.reset();
    if (peer.up) {
      peer.up = false;
      notices_.emplace_back(PeerDown{id});
    }
    return;
  }
  gatherer_.UseForData(now, path->local, path->remote);
  notices_.emplace_back(PathMoved{id, *path});
  tunnel_.StartHandshake(now, id);
  peer.handshakes = 0;
  peer.next_handshake = now + kHandshakeGaps.front();
  if (!peer.up && tunnel_.Stats(id).has_session) {
    peer.up = true;
    notices_.emplace_back(PeerUp{id, !ice::IsDirect(path->tier())});
  }
}

void Engine::RetryHandshake(TimePoint now, PeerId id) {
  Peer& peer = peers_[id];
  if (!peer.next_handshake || now < *peer.next_handshake) {
    return;
  }
  peer.next_handshake.reset();
  if (tunnel_.Stats(id).has_session || !peer.link->path()) {
    return;
  }
  tunnel_.StartHandshake(now, id);
  if (++peer.handshakes < kMaxHandshakes) {
    peer.next_handshake =
        now + kHandshakeGaps.at(std::min<std::size_t>(peer.handshakes, kHandshakeGaps.size() - 1));
  }
}

void Engine::IndexAgents(PeerId id) {
  Peer& peer = peers_[id];
  for (const std::string& ufrag : peer.ufrags) {
    by_ufrag_.erase(ufrag);
  }
  for (const std::uint32_t tag : peer.tags) {
    by_tag_.erase(tag);
  }
  peer.ufrags = peer.link->ufrags();
  peer.tags = peer.link->tags();
  for (const std::string& ufrag : peer.ufrags) {
    by_ufrag_[ufrag] = id;
  }
  for (const std::uint32_t tag : peer.tags) {
    by_tag_[tag] = id;
  }
  peer.agents_version = peer.link->agents_version();
}

void Engine::UpdateDeadline(PeerId id) {
  Peer& peer = peers_[id];
  auto next = peer.link->NextTimeout();
  if (peer.next_handshake && (!next || *peer.next_handshake < *next)) {
    next = peer.next_handshake;
  }
  if (peer.deadline == next) {
    return;
  }
  if (peer.deadline) {
    deadlines_.erase({*peer.deadline, id});
  }
  peer.deadline = next;
  if (next) {
    deadlines_.emplace(*next, id);
  }
}

bool Engine::DrainTunnel(TimePoint now) {
  bool any = false;
  while (auto datagram = tunnel_.PollDatagram()) {
    Route(now, std::move(*datagram));
    any = true;
  }
  while (auto packet = tunnel_.PollPacket()) {
    any = true;
    if (!pinger_.HandlePacket(now, packet->peer, packet->bytes) && packets_.size() < kMaxPackets) {
      packets_.push_back(std::move(packet->bytes));
    }
  }
  while (const auto event = tunnel_.PollEvent()) {
    HandleTunnelEvent(now, *event);
    any = true;
  }
  return any;
}

void Engine::HandleTunnelEvent(TimePoint /*now*/, const tunnel::Event& event) {
  if (const auto* completed = std::get_if<tunnel::HandshakeCompleted>(&event)) {
    Peer& peer = peers_[completed->peer];
    if (!peer.up) {
      peer.up = true;
      const auto& path = peer.link->path();
      notices_.emplace_back(PeerUp{completed->peer, path && !ice::IsDirect(path->tier())});
    }
  } else if (const auto* expired = std::get_if<tunnel::SessionExpired>(&event)) {
    log::Debug("{}: tunnel session expired", config_.peers[expired->peer].name);
  } else if (const auto* gave_up = std::get_if<tunnel::HandshakeGaveUp>(&event)) {
    log::Debug("{}: tunnel handshake not answered", config_.peers[gave_up->peer].name);
  }
}

void Engine::Route(TimePoint now, tunnel::Datagram datagram) {
  Peer& peer = peers_[datagram.peer];
  if (!peer.wanted) {
    ++counters_.no_path;
    return;
  }
  if (peer.is_static) {
    if (peer.endpoint) {
      gatherer_.Send(now, SocketAddress{{.family = peer.endpoint->ip.family}, 0}, *peer.endpoint,
                     std::move(datagram.bytes));
    }
    return;
  }
  const auto& path = peer.link->path();
  if (!path) {
    ++counters_.no_path;
    return;
  }
  peer.link->NoteDataSent(now);
  gatherer_.Send(now, path->local, path->remote, std::move(datagram.bytes));
}

void Engine::SendMessage(TimePoint now, PeerId id, const signaling::Message& message) {
  Peer& peer = peers_[id];
  if (!peer.box) {
    return;
  }
  const auto box = peer.box->Seal(message, random_);
  if (!box) {
    log::Warn("{}: message not sent: {}", config_.peers[id].name, ToString(box.error()));
    return;
  }
  peer.latest = {.number = next_number_++, .waiting = clients_.size()};
  // To every rendezvous: the peer may be at any of them, and knows what it has seen already.
  for (Client& client : clients_) {
    const std::uint64_t sent = client.client->Send(now, config_.peers[id].key, *box);
    client.asked[sent] = {.peer = id, .number = peer.latest.number};
  }
}

bool Engine::DrainClient(TimePoint now, StreamId id) {
  signaling::Client& client = *clients_[id].client;
  bool any = false;
  while (auto action = client.PollAction()) {
    any = true;
    if (std::holds_alternative<signaling::Connect>(*action)) {
      actions_.emplace_back(OpenStream{id, config_.rendezvous[id]});
    } else if (auto* write = std::get_if<signaling::Write>(&*action)) {
      actions_.emplace_back(WriteStream{id, std::move(write->bytes)});
    } else {
      actions_.emplace_back(CloseStream{id});
    }
  }
  while (auto event = client.PollEvent()) {
    HandleClientEvent(now, id, std::move(*event));
    any = true;
  }
  return any;
}

void Engine::HandleClientEvent(TimePoint now, StreamId id, signaling::ClientEvent event) {
  if (auto* logged_in = std::get_if<signaling::LoggedIn>(&event)) {
    notices_.emplace_back(RendezvousUp{id});
    actions_.emplace_back(ResolveServers{id, std::move(logged_in->welcome)});
    for (PeerId peer = 0; peer < peers_.size(); ++peer) {
      peers_[peer].link->HandleRendezvousUp(now);
      Touch(peer);
    }
  } else if (const auto* logged_out = std::get_if<signaling::LoggedOut>(&event)) {
    clients_[id].asked.clear();
    notices_.emplace_back(RendezvousDown{id, std::string(logged_out->reason)});
  } else if (const auto* received = std::get_if<signaling::Received>(&event)) {
    ReceiveBox(now, received->from, received->box);
  } else if (const auto* answered = std::get_if<signaling::Answered>(&event)) {
    HandleAnswered(now, id, *answered);
  } else if (auto* renewed = std::get_if<signaling::Renewed>(&event)) {
    actions_.emplace_back(ResolveServers{id, std::move(renewed->welcome)});
  }
}

void Engine::HandleAnswered(TimePoint now, StreamId id, const signaling::Answered& answered) {
  using Result = signaling::Answered::Result;
  const auto asked = clients_[id].asked.find(answered.id);
  if (asked == clients_[id].asked.end()) {
    return;
  }
  const Pending pending = asked->second;
  clients_[id].asked.erase(asked);
  Peer& peer = peers_[pending.peer];
  if (answered.result == Result::kNotConnected) {
    peer.link->HandleMessageLost();
  }
  if (pending.number != peer.latest.number) {
    return;  // Overtaken: what counts is what became of the latest.
  }
  --peer.latest.waiting;
  peer.latest.delivered = peer.latest.delivered || answered.result == Result::kDelivered;
  if (!peer.latest.delivered && peer.latest.waiting > 0) {
    return;  // Another rendezvous may still reach it.
  }
  Delivery delivery = Delivery::kDelivered;
  if (!peer.latest.delivered) {
    switch (answered.result) {
      case Result::kDelivered:
        break;
      case Result::kOffline:
        delivery = Delivery::kOffline;
        break;
      case Result::kLimited:
      case Result::kTooLarge:
        delivery = Delivery::kLimited;
        break;
      case Result::kNotConnected:
        delivery = Delivery::kNotConnected;
        break;
    }
  }
  peer.link->HandleDelivery(now, delivery);
  Touch(pending.peer);
}

void Engine::ReceiveBox(TimePoint now, const PublicKey& from, std::string_view box) {
  const auto found = by_key_.find(from);
  if (found == by_key_.end() || !peers_[found->second].box) {
    ++counters_.bad_boxes;
    return;
  }
  Peer& peer = peers_[found->second];
  const auto message = peer.box->Open(box);
  if (!message) {
    ++counters_.bad_boxes;
    log::Debug("{}: message refused: {}", config_.peers[found->second].name,
               ToString(message.error()));
    return;
  }
  peer.link->HandleMessage(now, *message);
  Touch(found->second);
}

std::optional<std::uint16_t> Engine::Ping(TimePoint now, PeerId peer) {
  for (const IpPrefix& prefix : config_.peers[peer].allowed_ips) {
    if (prefix.length != prefix.address.bits()) {
      continue;
    }
    for (const IpAddress& own : config_.addresses) {
      if (own.family == prefix.address.family) {
        Pinger::Request request = pinger_.MakeRequest(now, peer, own, prefix.address);
        tunnel_.HandlePacket(now, request.packet);
        Drain(now);
        return request.seq;
      }
    }
  }
  return std::nullopt;
}

std::optional<PeerId> Engine::FindPeer(std::string_view name) const {
  const auto found = std::ranges::find(config_.peers, name, &PeerConfig::name);
  return found == config_.peers.end()
             ? std::nullopt
             : std::optional(static_cast<PeerId>(found - config_.peers.begin()));
}

std::optional<ice::Transmit> Engine::PollTransmit() {
  return gatherer_.PollTransmit();
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
  for (const Client& client : clients_) {
    consider(client.client->NextTimeout());
  }
  if (!deadlines_.empty()) {
    consider(deadlines_.begin()->first);
  }
  return next;
}

}  // namespace floe::engine
