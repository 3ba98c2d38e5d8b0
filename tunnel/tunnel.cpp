#include "tunnel/tunnel.h"

#include <algorithm>
#include <array>
#include <deque>
#include <utility>

#include "tunnel/constants.h"
#include "tunnel/ip_packet.h"
#include "tunnel/messages.h"
#include "tunnel/noise.h"
#include "tunnel/packet/fragmenter.h"
#include "tunnel/packet/headers.h"
#include "tunnel/packet/mss_clamp.h"
#include "tunnel/packet/too_big.h"
#include "tunnel/peer.h"

namespace floe::tunnel {
namespace {

template <typename T>
std::optional<T> PopFront(std::deque<T>& queue) {
  if (queue.empty()) {
    return std::nullopt;
  }
  std::optional<T> front(std::move(queue.front()));
  queue.pop_front();
  return front;
}

// RFC 4443 section 2.4 (f) and RFC 1812 section 4.3.2.8: messages to senders have a limit.
constexpr Duration kTellInterval = std::chrono::milliseconds(10);
constexpr int kTellBurst = 100;
constexpr std::size_t kIpv6MinimumMtu = 1280;

}  // namespace

Tunnel::Tunnel(TimePoint now, PrivateKey key, std::chrono::nanoseconds unix_time,
               RandomSource& random, const Cipher& cipher, const HandshakeLimits& limits)
    : local_(std::move(key)),
      cookies_(local_.public_key(), random),
      initiations_(limits),
      responses_(limits),
      context_(new PeerContext{
          .local = local_,
          .forwarding = forwarding_,
          .random = random,
          .indices = indices_,
          .outbox = outbox_,
          .counters = counters_,
          .sealer = Sealer(cipher),
          .start = now,
          .unix_start = unix_time,
      }) {
  std::array<std::uint8_t, sizeof(fragment_id_)> id{};
  random.Fill(id);
  fragment_id_ = LoadBe<std::uint32_t>(id, 0);
}

Tunnel::~Tunnel() = default;

void Tunnel::SetKeyLog(KeyLog* key_log) {
  context_->key_log = key_log;
}

bool Tunnel::AddPeer(TimePoint now, PeerId id, PeerConfig config) {
  if (by_id_.size() == kMaxPeers || by_id_.contains(id) || by_key_.contains(config.public_key)) {
    return false;
  }
  PresharedKey preshared_key;
  if (config.preshared_key) {
    preshared_key = std::move(*config.preshared_key);
  }
  auto remote = RemoteIdentity::Make(local_, config.public_key, std::move(preshared_key));
  if (!remote) {
    return false;
  }
  const Slot slot = TakeSlot();
  Entry& entry = slots_[slot];
  entry.peer = std::make_unique<Peer>(now, id, slot, std::move(*remote),
                                      config.persistent_keepalive, *context_);
  entry.allowed_ips = std::move(config.allowed_ips);
  forwarding_.AddLane(slot, id);
  for (const IpPrefix& prefix : entry.allowed_ips) {
    forwarding_.Insert(prefix, slot);
  }
  by_id_.emplace(id, slot);
  by_key_.emplace(config.public_key, slot);
  Update(entry);
  return true;
}

void Tunnel::RemovePeer(PeerId id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) {
    return;
  }
  const Slot slot = found->second;
  Entry& entry = slots_[slot];
  for (const IpPrefix& prefix : entry.allowed_ips) {
    forwarding_.Remove(prefix, slot);
  }
  forwarding_.RemoveLane(slot);
  if (entry.wake) {
    wakes_.erase({*entry.wake, slot});
  }
  by_key_.erase(entry.peer->remote().public_key());
  by_id_.erase(found);
  entry = Entry{};
  free_slots_.push_back(slot);
}

void Tunnel::SetAllowedIps(PeerId id, std::vector<IpPrefix> allowed_ips) {
  Entry* const entry = Find(id);
  if (entry == nullptr) {
    return;
  }
  const Slot slot = entry->peer->owner();
  for (const IpPrefix& prefix : allowed_ips) {
    forwarding_.Insert(prefix, slot);
  }
  for (const IpPrefix& prefix : entry->allowed_ips) {
    if (std::ranges::find(allowed_ips, prefix) == allowed_ips.end()) {
      forwarding_.Remove(prefix, slot);
    }
  }
  entry->allowed_ips = std::move(allowed_ips);
}

void Tunnel::SetPersistentKeepalive(TimePoint now, PeerId id, Duration interval) {
  if (Entry* const entry = Find(id)) {
    entry->peer->SetPersistentKeepalive(now, interval);
    Update(*entry);
  }
}

bool Tunnel::SetPresharedKey(PeerId id, std::optional<PresharedKey> key) {
  Entry* const entry = Find(id);
  if (entry == nullptr || !entry->peer->SetPresharedKey(key ? std::move(*key) : PresharedKey())) {
    return false;
  }
  Update(*entry);
  return true;
}

void Tunnel::HandlePacket(TimePoint now, Bytes inner_packet) {
  const auto packet = IpPacketView::Parse(inner_packet);
  if (!packet) {
    ++counters_.malformed_packet;
    return;
  }
  const std::optional<Slot> slot = forwarding_.allowed_ips().Find(packet->destination());
  if (!slot) {
    ++counters_.unroutable_packet;
    return;
  }
  Entry& entry = slots_[*slot];
  if (packet->bytes().size() > entry.peer->room()) {
    HandleTooBig(now, *entry.peer, packet->bytes());
  } else if (IsTcpSyn(packet->bytes())) {
    std::vector<std::uint8_t> syn(packet->bytes().begin(), packet->bytes().end());
    forwarding_.ClampForwarded(syn, packet->source(), entry.peer->room());
    entry.peer->HandlePacket(now, syn);
  } else {
    entry.peer->HandlePacket(now, packet->bytes());
  }
  Update(entry);
}

// Whoever may cut the packet would cut it here if this were a router; and IPv6, whose links all
// carry 1280 bytes (RFC 8200 section 5), leaves it to a link that does not.
void Tunnel::HandleTooBig(TimePoint now, Peer& peer, Bytes packet) {
  const bool v4 = packet[0] >> 4U == 4;
  const std::size_t room = v4 ? peer.room() : std::max(peer.room(), kIpv6MinimumMtu);
  const bool whole = v4 ? (LoadBe<std::uint16_t>(packet, kIpv4Fragment) & kIpv4DontFragment) != 0
                        : packet.size() > room;
  const auto fragments = whole ? std::vector<std::vector<std::uint8_t>>{}
                               : Fragment(packet, peer.room(), fragment_id_++);
  if (fragments.empty()) {
    TellTooBig(now, peer, packet, room);
    return;
  }
  ++fragmented_;
  for (const std::vector<std::uint8_t>& fragment : fragments) {
    peer.HandlePacket(now, fragment);
  }
}

void Tunnel::TellTooBig(TimePoint now, const Peer& peer, Bytes packet, std::size_t room) {
  const TimePoint from = std::max(told_until_, now);
  std::vector<std::uint8_t> message = MakeTooBig(packet, room);
  if (message.empty() || from - now > kTellBurst * kTellInterval) {
    ++counters_.too_big_untold;
    return;
  }
  told_until_ = from + kTellInterval;
  ++counters_.too_big_told;
  outbox_.packets.push_back({.peer = peer.id(), .bytes = std::move(message)});
}

void Tunnel::SetOwnAddresses(std::vector<IpAddress> addresses) {
  forwarding_.SetOwnAddresses(std::move(addresses));
}

void Tunnel::SetRoom(PeerId id, std::size_t room) {
  if (Entry* const entry = Find(id)) {
    entry->peer->SetRoom(room);
    forwarding_.SetRoom(entry->peer->owner(), room);
  }
}

std::optional<Accepted> Tunnel::HandleDatagram(TimePoint now, const Way& way, Bytes datagram,
                                               Ecn mark) {
  const std::optional<MessageType> type = ReadMessageType(datagram);
  if (!type) {
    ++counters_.malformed;
    return std::nullopt;
  }
  Peer* sender = nullptr;
  switch (*type) {
    case MessageType::kInitiation:
      sender = HandleInitiation(now, way, datagram);
      break;
    case MessageType::kResponse:
      sender = HandleResponse(now, way, datagram);
      break;
    case MessageType::kCookieReply:
      HandleCookieReply(now, datagram);
      break;
    case MessageType::kTransport:
      sender = HandleTransport(now, datagram, mark);
      break;
  }
  if (sender == nullptr) {
    return std::nullopt;
  }
  Update(slots_[sender->owner()]);
  return Accepted{.peer = sender->id(), .data = *type == MessageType::kTransport};
}

Peer* Tunnel::HandleInitiation(TimePoint now, const Way& way, Bytes datagram) {
  const auto message = InitiationView::Parse(datagram);
  if (!message) {
    ++counters_.malformed;
    return nullptr;
  }
  if (!HasValidMac1(local_.mac1_key(), datagram)) {
    ++counters_.bad_mac1;
    return nullptr;
  }
  if (!IsWorthTheWork(now, way, datagram, initiations_)) {
    return nullptr;
  }
  auto responder = Responder::ReadInitiation(local_, *message);
  if (!responder) {
    ++counters_.bad_handshake;
    return nullptr;
  }
  const auto found = by_key_.find(responder->initiator());
  if (found == by_key_.end()) {
    ++counters_.unknown_key;
    return nullptr;
  }
  Peer* const peer = slots_[found->second].peer.get();
  return peer->HandleInitiation(now, *responder, *message) ? peer : nullptr;
}

Peer* Tunnel::HandleResponse(TimePoint now, const Way& way, Bytes datagram) {
  const auto message = ResponseView::Parse(datagram);
  if (!message) {
    ++counters_.malformed;
    return nullptr;
  }
  if (!HasValidMac1(local_.mac1_key(), datagram)) {
    ++counters_.bad_mac1;
    return nullptr;
  }
  Peer* const peer = indices_.Find(message->receiver());
  if (peer == nullptr) {
    ++counters_.unknown_index;
    return nullptr;
  }
  if (!IsWorthTheWork(now, way, datagram, responses_)) {
    return nullptr;
  }
  return peer->HandleResponse(now, *message) ? peer : nullptr;
}

bool Tunnel::IsWorthTheWork(TimePoint now, const Way& way, Bytes message,
                            HandshakeLimiter& limiter) {
  if (!limiter.NeedsCookie(now)) {
    return true;
  }
  if (&limiter == &initiations_) {
    flooded_until_ = limiter.loaded_until();
  }
  if (!cookies_.HasValidMac2(now, way.remote, message)) {
    ++counters_.cookie_needed;
    if (!limiter.MayReply(now)) {
      return false;
    }
    const auto reply = cookies_.MakeReply(now, way.remote, message);
    outbox_.replies.push_back({.way = way, .bytes = {reply.begin(), reply.end()}});
    return false;
  }
  if (!limiter.Admit(now, way.remote)) {
    ++counters_.limited_handshake;
    return false;
  }
  return true;
}

void Tunnel::HandleCookieReply(TimePoint now, Bytes datagram) {
  const auto message = CookieReplyView::Parse(datagram);
  if (!message) {
    ++counters_.malformed;
    return;
  }
  if (Peer* const peer = indices_.Find(message->receiver())) {
    peer->HandleCookieReply(now, *message);
  } else {
    ++counters_.unknown_index;
  }
}

Peer* Tunnel::HandleTransport(TimePoint now, Bytes datagram, Ecn mark) {
  const auto message = TransportView::Parse(datagram);
  if (!message) {
    ++counters_.malformed;
    return nullptr;
  }
  Peer* const peer = indices_.Find(message->receiver());
  if (peer == nullptr) {
    ++counters_.unknown_index;
    return nullptr;
  }
  return peer->HandleTransport(now, *message, mark) ? peer : nullptr;
}

void Tunnel::StartHandshake(TimePoint now, PeerId id) {
  if (Entry* const entry = Find(id)) {
    entry->peer->StartHandshake(now);
    Update(*entry);
  }
}

void Tunnel::SendKeepalive(TimePoint now, PeerId id) {
  if (Entry* const entry = Find(id)) {
    entry->peer->SendKeepalive(now);
    Update(*entry);
  }
}

std::vector<std::pair<PeerId, Activity>> Tunnel::HandleActivity(TimePoint now) {
  forwarding_.TakeDrops(counters_);
  std::vector<std::pair<PeerId, Activity>> all;
  for (const Slot slot : forwarding_.TakeActive()) {
    Entry& entry = slots_[slot];
    all.emplace_back(entry.peer->id(), forwarding_.TakeActivity(slot));
    entry.peer->HandleActivity(now, all.back().second);
    Update(entry);
  }
  return all;
}

void Tunnel::SetWay(PeerId id, const std::optional<UdpWay>& way, TimePoint until) {
  if (const auto found = by_id_.find(id); found != by_id_.end()) {
    forwarding_.SetWay(found->second, way, until);
  }
}

void Tunnel::SetWantsEchoReplies(PeerId id, bool wants) {
  if (const auto found = by_id_.find(id); found != by_id_.end()) {
    forwarding_.SetWantsEchoReplies(found->second, wants);
  }
}

void Tunnel::HandleTimeout(TimePoint now) {
  if (flooded_until_ && *flooded_until_ <= now) {
    flooded_until_.reset();
  }
  while (!wakes_.empty() && wakes_.begin()->first <= now) {
    Entry& entry = slots_[wakes_.begin()->second];
    wakes_.erase(wakes_.begin());
    entry.wake.reset();
    entry.peer->HandleTimeout(now);
    Update(entry);
  }
}

std::optional<TimePoint> Tunnel::NextTimeout() const {
  if (wakes_.empty()) {
    return flooded_until_;
  }
  const TimePoint next = wakes_.begin()->first;
  return flooded_until_ ? std::min(next, *flooded_until_) : next;
}

std::optional<Datagram> Tunnel::PollDatagram() {
  return PopFront(outbox_.datagrams);
}

std::optional<Reply> Tunnel::PollReply() {
  return PopFront(outbox_.replies);
}

std::optional<InnerPacket> Tunnel::PollPacket() {
  return PopFront(outbox_.packets);
}

std::optional<Event> Tunnel::PollEvent() {
  return PopFront(outbox_.events);
}

PeerStats Tunnel::Stats(PeerId id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? PeerStats{} : slots_[found->second].peer->stats();
}

bool Tunnel::LooksLikeWireGuard(Bytes datagram) {
  return ReadMessageType(datagram).has_value();
}

bool Tunnel::IsInitiation(Bytes datagram) {
  return ReadMessageType(datagram) == MessageType::kInitiation;
}

bool Tunnel::IsHandshake(Bytes datagram) {
  const auto type = ReadMessageType(datagram);
  return type == MessageType::kInitiation || type == MessageType::kResponse;
}

Tunnel::Entry* Tunnel::Find(PeerId id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &slots_[found->second];
}

Tunnel::Slot Tunnel::TakeSlot() {
  if (free_slots_.empty()) {
    slots_.emplace_back();
    return static_cast<Slot>(slots_.size() - 1);
  }
  const Slot slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

// Nearly every packet puts a timer off. Only what comes earlier than the wake-up that is there is
// worth changing the set for; a wake-up that comes too early costs one look at the peer.
void Tunnel::Update(Entry& entry) {
  forwarding_.SetSession(entry.peer->owner(), entry.peer->current_session());
  const std::optional<TimePoint> next = entry.peer->NextTimeout();
  if (!next || (entry.wake && *entry.wake <= *next)) {
    return;
  }
  const Slot slot = entry.peer->owner();
  if (entry.wake) {
    wakes_.erase({*entry.wake, slot});
  }
  entry.wake = next;
  wakes_.emplace(*next, slot);
}

}  // namespace floe::tunnel
