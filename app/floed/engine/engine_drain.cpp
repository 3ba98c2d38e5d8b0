// The part of Engine that passes on: what one machine says to the others, until none has more.

#include <algorithm>
#include <array>
#include <utility>

#include "app/floed/engine/engine.h"
#include "base/log.h"

namespace floe::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A first handshake that is lost is sent again after these, the last of them several times, and
// then at WireGuard's own pace of 5 s: a path that has just been found must not wait that long for
// its first packet, least of all where much is lost.
constexpr std::array<Duration, 4> kHandshakeGaps{milliseconds(250), milliseconds(250),
                                                 milliseconds(500), seconds(1)};
constexpr std::uint32_t kMaxHandshakes = 20;
// A plain device that has several addresses is tried at the next after this.
constexpr Duration kNextAddress = milliseconds(500);
// An answer that found no way is of use to the peer for this long: then it asks again.
constexpr Duration kKeptAnswer = seconds(1);
constexpr std::size_t kMaxSenders = 65'536;
constexpr std::size_t kMaxPackets = 4096;  // For the TUN device. It is drained after every input.

/// Those of two that share one are told of each other's trouble, and know nothing of such a pair.
std::uint64_t HashOf(const SocketAddress& local, const SocketAddress& remote) {
  const SocketAddressHash hash;
  return (std::uint64_t{hash(local)} * 0x9E37'79B9'7F4A'7C15U) ^ hash(remote);
}

/// A mark is set where all that is on the way out of the tunnel is known to look at it. Of a relay
/// and of a plain WireGuard device it is not: RFC 6040 section 4.1, compatibility mode.
std::uint8_t WithoutEcn(std::uint8_t tos) {
  return tos & 0xFCU;
}

}  // namespace

void Engine::TellUnreachable(TimePoint now, const SocketAddress& local,
                             const SocketAddress& remote) {
  const auto sender = senders_.find(HashOf(local, remote));
  if (sender != senders_.end()) {
    peers_[sender->second]->link->HandleUnreachable(now, local, remote);
    Touch(sender->second);
  }
}

void Engine::Drain(TimePoint now) {
  bool busy = true;
  while (busy) {
    busy = DrainMapper(now);
    busy = DrainGatherer(now) || busy;
    busy = DrainTunnel(now) || busy;
    busy = DrainCourier(now) || busy;
    while (!touched_.empty()) {
      const PeerId id = *touched_.begin();
      touched_.erase(touched_.begin());
      busy = DrainLink(now, id) || busy;
    }
    busy = DrainNames(now) || busy;
  }
}

bool Engine::DrainMapper(TimePoint now) {
  bool any = false;
  while (auto transmit = mapper_.PollTransmit()) {
    gatherer_.Send(now, transmit->local, transmit->remote, std::move(transmit->payload));
    any = true;
  }
  while (const auto event = mapper_.PollEvent()) {
    any = true;
    if (const auto* changed = std::get_if<ice::portmap::MappingChanged>(&*event)) {
      log::Debug("port mapping of {}: {}", ToString(changed->internal),
                 changed->external ? ToString(*changed->external) : "none");
      ApplyPortMapping(changed->internal);
    } else if (const auto* silent = std::get_if<ice::portmap::RouterSilent>(&*event)) {
      actions_.emplace_back(MapByUpnp{silent->gateway});
    }
  }
  return any;
}

/// What PCP or NAT-PMP say goes before what UPnP says.
void Engine::ApplyPortMapping(const SocketAddress& internal) {
  std::optional<SocketAddress> external;
  if (const auto upnp = upnp_.find(internal); upnp != upnp_.end()) {
    external = upnp->second;
  }
  for (const auto& [gateway, client] : mapper_.clients()) {
    if (gateway.internal == internal && client.mapped()) {
      external = client.mapped()->external;
    }
  }
  gatherer_.SetPortMapping(internal, external);
}

bool Engine::DrainGatherer(TimePoint now) {
  bool any = false;
  while (const auto event = gatherer_.PollEvent()) {
    any = true;
    if (const auto* added = std::get_if<ice::CandidateAdded>(&*event)) {
      log::Debug("found {}", ice::ToLine(added->candidate));
    } else if (const auto* refused = std::get_if<ice::RelayRefused>(&*event)) {
      notices_.emplace_back(*refused);
      continue;
    } else if (const auto* unreachable = std::get_if<ice::RelayedUnreachable>(&*event)) {
      TellUnreachable(now, unreachable->relayed, unreachable->peer);
      continue;
    } else if (const auto* removed = std::get_if<ice::CandidateRemoved>(&*event);
               removed != nullptr &&
               removed->candidate.type == ice::CandidateType::kServerReflexive) {
      mapper_.CheckNow(now);  // A NAT that has forgotten one mapping may have forgotten all.
    }
    ForEachPeer([&](PeerId id, Peer& peer) {
      if (const auto* added = std::get_if<ice::CandidateAdded>(&*event)) {
        peer.link->HandleLocalCandidate(now, added->candidate);
      } else if (const auto* removed = std::get_if<ice::CandidateRemoved>(&*event)) {
        peer.link->HandleLocalCandidateGone(now, removed->candidate);
      }
      Touch(id);
    });
  }
  return any;
}

bool Engine::DrainLink(TimePoint now, PeerId id) {
  Peer& peer = *peers_[id];
  bool any = false;
  while (auto transmit = peer.link->PollTransmit()) {
    if (senders_.size() >= kMaxSenders) {
      senders_.clear();  // They are hints, and come back with the next checks.
    }
    senders_[HashOf(transmit->local, transmit->remote)] = id;
    gatherer_.Send(now, transmit->local, transmit->remote, std::move(transmit->payload),
                   transmit->handling);
    any = true;
  }
  while (const auto message = peer.link->PollMessage()) {
    courier_.Send(now, id, *message);
    any = true;
  }
  while (const auto name = peer.link->PollName()) {
    if (!mdns_.Resolve(now, *name)) {
      peer.link->HandleName(now, {.name = *name, .address = std::nullopt});
    }
    any = true;
  }
  any = DrainSocketWishes(now, id) || any;
  if (peer.endpoint && peer.endpoint->PollResolve() && peer.wanted) {
    actions_.emplace_back(ResolveEndpoint{id});
  }
  if (peer.link->PollPathChanged()) {
    HandlePathChanged(now, id);
    any = true;
  }
  if (peer.agents_version != peer.link->agents_version()) {
    IndexAgents(id);
  }
  UpdateRoom(id);
  UpdateWay(now, id);
  UpdateDeadline(id);
  return any;
}

bool Engine::DrainNames(TimePoint now) {
  bool any = false;
  while (const auto resolution = mdns_.PollResolution()) {
    log::Debug("{} is {}", resolution->name,
               resolution->address ? ToString(*resolution->address) : "nobody's name");
    ForEachPeer([&](PeerId id, Peer& peer) {
      peer.link->HandleName(now, *resolution);
      Touch(id);
    });
    any = true;
  }
  return any;
}

bool Engine::DrainSocketWishes(TimePoint now, PeerId id) {
  bool any = false;
  while (auto wish = peers_[id]->link->PollSocketWish()) {
    any = true;
    if (auto* done = std::get_if<SocketsDone>(&*wish)) {
      for (const SocketAddress& socket : done->sockets) {
        probe_sockets_.erase(socket);
      }
      actions_.emplace_back(CloseSockets{std::move(done->sockets)});
      continue;
    }
    const auto& wanted = std::get<SocketsWanted>(*wish);
    const bool taken = std::ranges::any_of(peer_ids(), [&](PeerId other) {
      const Predictor* predictor = link(other).predictor();
      return other != id && predictor != nullptr && predictor->has_sockets();
    });
    if (taken) {  // One attempt at a time: they are many sockets.
      peers_[id]->link->SetProbeSockets(now, {});
    } else {
      actions_.emplace_back(OpenSockets{id, wanted.ip, wanted.count});
    }
  }
  return any;
}

void Engine::HandlePathChanged(TimePoint now, PeerId id) {
  Peer& peer = *peers_[id];
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
  SendKeptAnswer(now, peer);
  tunnel_.StartHandshake(now, id);
  peer.handshakes = 0;
  peer.next_handshake = now + kHandshakeGaps.front();
  if (!peer.up && tunnel_.Stats(id).has_session) {
    peer.up = true;
    notices_.emplace_back(PeerUp{id, !ice::IsDirect(path->tier())});
  }
}

/// The peer was a little sooner than we, as it is over a relay that is reached by TCP: it had a
/// path and asked before we had one. What went the unproven way back may be lost as well.
void Engine::SendKeptAnswer(TimePoint now, Peer& peer) {
  if (auto kept = std::exchange(peer.kept_answer, std::nullopt);
      kept && now - kept->first <= kKeptAnswer) {
    const ice::Path& path = *peer.link->path();
    gatherer_.Send(now, path.local, path.remote, std::move(kept->second));
  }
}

void Engine::RetryHandshake(TimePoint now, PeerId id) {
  Peer& peer = *peers_[id];
  if (!peer.next_handshake || now < *peer.next_handshake) {
    return;
  }
  peer.next_handshake.reset();
  if (tunnel_.Stats(id).has_session || !(peer.config.is_static || peer.link->path())) {
    return;
  }
  tunnel_.StartHandshake(now, id);
  if (peer.config.is_static) {
    return;
  }
  if (++peer.handshakes < kMaxHandshakes) {
    peer.next_handshake =
        now + kHandshakeGaps.at(std::min<std::size_t>(peer.handshakes, kHandshakeGaps.size() - 1));
  }
}

void Engine::ForgetIndices(PeerId id) {
  const Peer& peer = *peers_[id];
  const auto is_its_own = [id](const auto& entry) { return entry.second == id; };
  for (const std::string& ufrag : peer.ufrags) {
    if (const auto found = by_ufrag_.find(ufrag); found != by_ufrag_.end() && is_its_own(*found)) {
      by_ufrag_.erase(found);
    }
  }
  for (const std::uint32_t tag : peer.tags) {
    if (const auto found = by_tag_.find(tag); found != by_tag_.end() && is_its_own(*found)) {
      by_tag_.erase(found);
    }
  }
}

void Engine::IndexAgents(PeerId id) {
  ForgetIndices(id);
  Peer& peer = *peers_[id];
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

/// Of a plain WireGuard device nothing can be found out, so packets are as large as it lets them be
/// itself; the network cuts what does not fit.
void Engine::UpdateRoom(PeerId id) {
  Peer& peer = *peers_[id];
  const std::uint16_t room = peer.config.is_static ? config_.mtu : peer.link->room();
  if (peer.room != room) {
    log::Debug("{}: the path has room for {} bytes", peer.config.name, room);
    peer.room = room;
    tunnel_.SetRoom(id, room);
  }
}

void Engine::UpdateDeadline(PeerId id) {
  Peer& peer = *peers_[id];
  auto next = peer.link->NextTimeout();
  const auto lookup = peer.endpoint ? peer.endpoint->NextTimeout() : std::nullopt;
  for (const auto& time : {peer.next_handshake, lookup}) {
    if (time && (!next || *time < *next)) {
      next = time;
    }
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
  while (auto reply = tunnel_.PollReply()) {
    gatherer_.Send(now, reply->way.local, reply->way.remote, std::move(reply->bytes));
    any = true;
  }
  while (auto packet = tunnel_.PollPacket()) {
    any = true;
    DeliverPacket(now, packet->peer, std::move(packet->bytes));
  }
  while (const auto event = tunnel_.PollEvent()) {
    HandleTunnelEvent(now, *event);
    any = true;
  }
  return any;
}

void Engine::DeliverPacket(TimePoint now, PeerId id, std::vector<std::uint8_t> packet) {
  if (!peers_[id]->wanted) {
    return;  // Taken down here, while the other end still holds a session.
  }
  if (!pinger_.HandlePacket(now, id, packet) && packets_.size() < kMaxPackets) {
    packets_.push_back(std::move(packet));
  }
}

void Engine::HandleTunnelEvent(TimePoint /*now*/, const tunnel::Event& event) {
  if (const auto* completed = std::get_if<tunnel::HandshakeCompleted>(&event)) {
    Peer& peer = *peers_[completed->peer];
    peer.handshakes = 0;
    if (peer.wanted && !peer.up) {
      peer.up = true;
      const auto& path = peer.link->path();
      notices_.emplace_back(PeerUp{completed->peer, path && !ice::IsDirect(path->tier())});
    }
  } else if (const auto* expired = std::get_if<tunnel::SessionExpired>(&event)) {
    Peer& peer = *peers_[expired->peer];
    log::Debug("{}: tunnel session expired", peer.config.name);
    // Of a plain device nothing else tells whether it is there.
    if (peer.config.is_static && std::exchange(peer.up, false)) {
      notices_.emplace_back(PeerDown{expired->peer});
    }
  } else if (const auto* gave_up = std::get_if<tunnel::HandshakeGaveUp>(&event)) {
    peers_[gave_up->peer]->handshakes = 0;
    log::Debug("{}: tunnel handshake not answered", peers_[gave_up->peer]->config.name);
  }
}

void Engine::Route(TimePoint now, tunnel::Datagram datagram) {
  Peer& peer = *peers_[datagram.peer];
  if (!peer.wanted) {
    ++counters_.no_path;
    return;
  }
  if (peer.config.is_static) {
    RouteToStatic(now, peer, std::move(datagram));
    return;
  }
  auto path = peer.link->path();
  if (!path && tunnel::Tunnel::IsHandshake(datagram.bytes)) {
    path = peer.link->way_back();
    if (!tunnel::Tunnel::IsInitiation(datagram.bytes)) {
      peer.kept_answer.emplace(now, datagram.bytes);
    }
  }
  if (!path) {
    ++counters_.no_path;
    return;
  }
  // The first packet after a long silence must not wait 5 s because one datagram was lost.
  if (tunnel::Tunnel::IsInitiation(datagram.bytes) && !peer.next_handshake &&
      peer.handshakes < kMaxHandshakes && !tunnel_.Stats(datagram.peer).has_session) {
    peer.next_handshake = now + kHandshakeGaps.front();
    Touch(datagram.peer);
  }
  peer.link->NoteDataSent(now);
  const bool whole_way = ice::IsDirect(path->tier());
  gatherer_.Send(now, path->local, path->remote, std::move(datagram.bytes),
                 {.tos = whole_way ? datagram.tos : WithoutEcn(datagram.tos)});
  UpdateWay(now, datagram.peer);  // A relay's channel may have been bound.
}

void Engine::UpdateWay(TimePoint now, PeerId id) {
  if (!config_.packet_path) {
    return;  // Nobody asks, and this is done for every packet.
  }
  const Peer& peer = *peers_[id];
  if (peer.config.is_static) {
    const auto& way = peer.endpoint->way();
    tunnel_.SetWay(id,
                   peer.wanted && way
                       ? std::optional(tunnel::UdpWay{.local = way->local, .remote = way->remote})
                       : std::nullopt,
                   TimePoint::max());
    return;
  }
  const auto& path = peer.link->path();
  const ice::Pair* const pair = peer.link->selected();
  const bool usable =
      peer.wanted && path && pair != nullptr && !probe_sockets_.contains(path->local);
  const auto way = usable ? gatherer_.UnderlyingOf(now, path->local, path->remote) : std::nullopt;
  if (!way) {
    tunnel_.SetWay(id, std::nullopt, now);
    return;
  }
  tunnel_.SetWay(id,
                 tunnel::UdpWay{.local = way->local,
                                .remote = way->remote,
                                .channel = way->channel,
                                .carries_ecn = ice::IsDirect(path->tier())},
                 ice::Agent::ConsentEnds(*pair));
}

void Engine::RouteToStatic(TimePoint now, Peer& peer, tunnel::Datagram datagram) {
  if (tunnel::Tunnel::IsInitiation(datagram.bytes)) {
    peer.endpoint->HandleInitiation(now);
    // WireGuard would wait 5 s for each address of a name.
    if (peer.endpoint->has_untried()) {
      peer.next_handshake = now + kNextAddress;
    }
    Touch(datagram.peer);
  }
  if (const auto& way = peer.endpoint->way()) {
    gatherer_.Send(now, way->local, way->remote, std::move(datagram.bytes),
                   {.tos = WithoutEcn(datagram.tos)});
  } else {
    ++counters_.no_path;
  }
}

bool Engine::DrainCourier(TimePoint now) {
  bool any = false;
  while (auto action = courier_.PollAction()) {
    std::visit([&](auto& stream) { actions_.emplace_back(std::move(stream)); }, *action);
    any = true;
  }
  while (auto event = courier_.PollEvent()) {
    HandleCourierEvent(now, std::move(*event));
    any = true;
  }
  return any;
}

void Engine::HandleCourierEvent(TimePoint now, CourierEvent event) {
  if (const auto* received = std::get_if<MessageReceived>(&event)) {
    peers_[received->peer]->link->HandleMessage(now, received->message);
    Touch(received->peer);
  } else if (const auto* answered = std::get_if<MessageAnswered>(&event)) {
    peers_[answered->peer]->link->HandleDelivery(now, answered->delivery);
    Touch(answered->peer);
  } else if (auto* logged_in = std::get_if<LoggedIn>(&event)) {
    notices_.emplace_back(RendezvousUp{logged_in->id});
    actions_.emplace_back(ResolveServers{logged_in->id, std::move(logged_in->welcome)});
    ForEachPeer([&](PeerId id, Peer& peer) {
      peer.link->HandleRendezvousUp(now);
      Touch(id);
    });
  } else if (auto* renewed = std::get_if<Renewed>(&event)) {
    actions_.emplace_back(ResolveServers{renewed->id, std::move(renewed->welcome)});
  } else if (auto* logged_out = std::get_if<LoggedOut>(&event)) {
    notices_.emplace_back(RendezvousDown{logged_out->id, std::move(logged_out->reason)});
  }
}

}  // namespace floe::engine
