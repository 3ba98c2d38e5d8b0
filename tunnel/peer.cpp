#include "tunnel/peer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"
#include "tunnel/constants.h"
#include "tunnel/forwarding.h"
#include "tunnel/ip_packet.h"

namespace floe::tunnel {
namespace {

// Timestamps are rounded down to 2^24 nanoseconds (17 ms), as in the Linux implementation, so that
// they do not tell how exactly our clock runs.
constexpr std::int64_t kTimestampGrain = std::int64_t{1} << 24U;

SessionSlots::CrossingWinner WinnerOf(const PublicKey& ours, const PublicKey& theirs) {
  return ours < theirs ? SessionSlots::CrossingWinner::kUs : SessionSlots::CrossingWinner::kPeer;
}

}  // namespace

Peer::Peer(TimePoint now, PeerId id, AllowedIps::Owner owner, RemoteIdentity remote,
           Duration persistent_keepalive, PeerContext& context)
    : id_(id),
      owner_(owner),
      remote_(std::move(remote)),
      context_(context),
      winner_(WinnerOf(context.local.public_key(), remote_.public_key())),
      slots_(winner_),
      timers_(now, persistent_keepalive) {}

void Peer::HandlePacket(TimePoint now, Bytes inner) {
  if (Session* const session = UsableSession(now)) {
    SendTransport(now, *session, inner);
    return;
  }
  Enqueue(inner);
  RequestHandshake(now);
  // Section 6.4: the attempts go on as long as somebody wants to send.
  timers_.BeginAttempts(now);
}

bool Peer::HandleInitiation(TimePoint now, Responder& responder, const InitiationView& message) {
  const std::optional<Tai64n> timestamp = responder.ReadTimestamp(remote_, message);
  if (!timestamp) {
    ++context_.counters.bad_handshake;
    return false;
  }
  if (*timestamp <= timestamp_accepted_) {
    ++context_.counters.replayed_initiation;
    return false;
  }
  if (initiation_accepted_ && now - *initiation_accepted_ < kInitiationInterval) {
    ++context_.counters.flooded_initiation;
    return false;
  }
  std::array<std::uint8_t, response::kSize> bytes{};
  IndexTable::Lease index = context_.indices.Allocate(context_.random, *this);
  auto keys =
      responder.WriteResponse(remote_, message, index.index(), context_.random, std::span(bytes));
  if (!keys) {
    ++context_.counters.bad_handshake;
    return false;
  }
  TellKeyLog(responder.ephemeral());
  timestamp_accepted_ = *timestamp;
  initiation_accepted_ = now;
  RespondTo(now, message, bytes, std::move(index), std::move(*keys));
  return true;
}

void Peer::RespondTo(TimePoint now, const InitiationView& message,
                     const std::array<std::uint8_t, response::kSize>& bytes,
                     IndexTable::Lease index, TransportKeys keys) {
  log::Debug("tunnel: peer {} initiates", id_);
  NoteReceived(now, message.bytes());
  slots_.AddResponded(std::make_unique<Session>(now, Session::Role::kResponder, std::move(index),
                                                message.sender(), std::move(keys)));
  timers_.HandleSessionDerived(now);
  std::vector<std::uint8_t> response(bytes.begin(), bytes.end());
  cookie_.WriteMac2(now, response);
  Emit(now, std::move(response), kHandshakeTos);
}

void Peer::HandleCookieReply(TimePoint now, const CookieReplyView& message) {
  if (!cookie_.HandleReply(now, remote_.public_key(), message)) {
    ++context_.counters.forged_cookie_reply;
  }
}

bool Peer::HandleResponse(TimePoint now, const ResponseView& message) {
  const std::uint32_t receiver = message.receiver();
  const auto pending = std::ranges::find_if(
      pending_, [&](const auto& initiation) { return initiation.index.index() == receiver; });
  if (pending == pending_.end()) {
    ++context_.counters.unknown_index;
    return false;
  }
  if (now - pending->sent > kResponseDeadline) {
    ++context_.counters.late_response;
    return false;
  }
  auto keys = pending->noise.ReadResponse(context_.local, remote_, message);
  if (!keys) {
    ++context_.counters.bad_handshake;
    return false;
  }
  NoteReceived(now, message.bytes());
  slots_.AddInitiated(std::make_unique<Session>(now, Session::Role::kInitiator,
                                                std::move(pending->index), message.sender(),
                                                std::move(*keys)));
  // Later initiations may have been accepted too, and their sessions would replace this one.
  pending_.erase(pending_.begin(), pending + 1);
  timers_.HandleSessionDerived(now);
  CompleteHandshake(now);
  // The peer may send only after it has received something on the session (section 5.4.5).
  if (queue_.empty()) {
    SendKeepalive(now);
  }
  SendQueue(now);
  return true;
}

bool Peer::HandleTransport(TimePoint now, const TransportView& message, Ecn mark) {
  Session* const session = slots_.Find(message.receiver());
  if (session == nullptr) {
    ++context_.counters.unknown_index;
    return false;
  }
  auto inner = session->Open(now, context_.sealer, message);
  if (!inner) {
    Count(inner.error());
    return false;
  }
  NoteReceived(now, message.bytes());
  if (slots_.HandleReceived(now, *session)) {
    if (winner_ == SessionSlots::CrossingWinner::kPeer) {
      pending_.clear();
    }
    CompleteHandshake(now);
    SendQueue(now);
  }
  if (session == slots_.current() && session->WantsRekeyAfterReceive(now)) {
    RequestHandshake(now);
  }
  if (!inner->empty()) {  // Else it is a keepalive.
    timers_.HandleDataReceived(now);
    Deliver(std::move(*inner), mark);
  }
  return true;
}

void Peer::StartHandshake(TimePoint now) {
  if (UsableSession(now) != nullptr) {
    SendKeepalive(now);
    return;
  }
  timers_.BeginAttempts(now);
  SendInitiation(now);
}

void Peer::SendKeepalive(TimePoint now) {
  if (Session* const session = UsableSession(now)) {
    SendTransport(now, *session, {});
    return;
  }
  RequestHandshake(now);
}

bool Peer::SetPresharedKey(PresharedKey key) {
  if (key == remote_.preshared_key()) {
    return false;
  }
  remote_.set_preshared_key(std::move(key));
  slots_.Clear();
  pending_.clear();
  stats_.has_session = false;
  return true;
}

void Peer::HandleActivity(TimePoint now, const Activity& activity) {
  stats_.tx_bytes += activity.tx_bytes;
  stats_.rx_bytes += activity.rx_bytes;
  const auto note_sent = [&] {
    if (activity.sent) {
      timers_.HandleAuthenticatedSent(*activity.sent);
      timers_.HandleDataSent(*activity.sent);
    }
  };
  const bool sent_first = activity.sent < activity.received;  // Nothing comes before anything.
  if (sent_first) {
    note_sent();
  }
  if (activity.received) {
    timers_.HandleAuthenticatedReceived(*activity.received);
    if (activity.data_received) {
      timers_.HandleDataReceived(*activity.received);
    }
  }
  if (!sent_first) {
    note_sent();
  }
  const Session* const session = slots_.current();
  if (session != nullptr && ((activity.sent && session->WantsRekeyAfterSend(now)) ||
                             (activity.received && session->WantsRekeyAfterReceive(now)))) {
    RequestHandshake(now);
  }
}

void Peer::HandleTimeout(TimePoint now) {
  while (const auto expiry = timers_.PollExpired(now)) {
    Handle(now, *expiry);
  }
}

void Peer::Handle(TimePoint now, Timers::Expiry expiry) {
  switch (expiry) {
    case Timers::Expiry::kRetryHandshake:
      SendInitiation(now);
      return;
    case Timers::Expiry::kGiveUp:
      GiveUp();
      return;
    case Timers::Expiry::kKeepalive: {
      const bool another = timers_.wants_another_keepalive();
      SendKeepalive(now);
      if (another) {
        timers_.HandleDataReceived(now);
      }
      return;
    }
    case Timers::Expiry::kNewHandshake:
      RequestHandshake(now);
      return;
    case Timers::Expiry::kPersistentKeepalive:
      SendKeepalive(now);
      return;
    case Timers::Expiry::kSessionExpired:
      stats_.has_session = false;
      slots_.DropExpired(now);
      context_.outbox.events.emplace_back(SessionExpired{id_});
      return;
    case Timers::Expiry::kForgetInitiations:
      std::erase_if(pending_, [now](const PendingInitiation& initiation) {
        return now - initiation.sent >= kResponseDeadline;
      });
      pending_.shrink_to_fit();
      return;
    case Timers::Expiry::kEraseKeys:
      slots_.Clear();
      pending_.clear();
      cookie_.Wipe();
      return;
  }
}

void Peer::GiveUp() {
  log::Debug("tunnel: peer {} does not answer", id_);
  context_.counters.undeliverable_packet += queue_.size();
  queue_.Clear();
  pending_.clear();
  context_.outbox.events.emplace_back(HandshakeGaveUp{id_});
}

void Peer::RequestHandshake(TimePoint now) {
  if (timers_.handshake_pending()) {
    return;
  }
  timers_.BeginAttempts(now);
  if (initiation_sent_ && now < *initiation_sent_ + kRekeyTimeout) {
    timers_.RetryAt(*initiation_sent_ + kRekeyTimeout);
    return;
  }
  SendInitiation(now);
}

void Peer::SendInitiation(TimePoint now) {
  if (pending_.size() == kMaxInitiationsInFlight) {
    pending_.erase(pending_.begin());
  }
  std::vector<std::uint8_t> message(initiation::kSize);
  IndexTable::Lease index = context_.indices.Allocate(context_.random, *this);
  const std::uint32_t sender = index.index();
  pending_.push_back({
      .index = std::move(index),
      .noise = Initiator(context_.local, remote_, sender, NextTimestamp(now), context_.random,
                         std::span<std::uint8_t, initiation::kSize>(message)),
      .sent = now,
  });
  TellKeyLog(pending_.back().noise.ephemeral());
  initiation_sent_ = now;
  timers_.HandleInitiationSent(now, Jitter());
  cookie_.WriteMac2(now, message);
  Emit(now, std::move(message), kHandshakeTos);
}

void Peer::TellKeyLog(const PrivateKey& ephemeral) const {
  if (context_.key_log != nullptr) {
    context_.key_log->NoteHandshake(context_.local, remote_, ephemeral);
  }
}

void Peer::CompleteHandshake(TimePoint now) {
  log::Debug("tunnel: handshake with peer {} completed", id_);
  timers_.HandleHandshakeCompleted();
  timers_.SetSessionExpiry(slots_.current()->expires());
  stats_.latest_handshake = now;
  stats_.has_session = true;
  cookie_.ForgetSent();
  context_.outbox.events.emplace_back(HandshakeCompleted{id_});
}

Session* Peer::UsableSession(TimePoint now) const {
  Session* const session = slots_.current();
  return session != nullptr && session->CanSend(now) ? session : nullptr;
}

void Peer::SendTransport(TimePoint now, Session& session, Bytes inner) {
  Emit(now, session.Seal(context_.sealer, inner), OuterTos(inner));
  if (!inner.empty()) {
    timers_.HandleDataSent(now);
  }
  if (session.WantsRekeyAfterSend(now)) {
    RequestHandshake(now);
  }
}

void Peer::SendQueue(TimePoint now) {
  while (!queue_.empty()) {
    Session* const session = UsableSession(now);
    if (session == nullptr) {
      return;
    }
    SendTransport(now, *session, *queue_.Poll());
  }
}

void Peer::Enqueue(Bytes inner) {
  if (queue_.size() == kMaxQueuedPackets) {
    static_cast<void>(queue_.Poll());
    ++context_.counters.queue_overflow;
  }
  queue_.Push({inner.begin(), inner.end()});
}

void Peer::Emit(TimePoint now, std::vector<std::uint8_t> bytes, std::uint8_t tos) {
  stats_.tx_bytes += bytes.size();
  timers_.HandleAuthenticatedSent(now);
  context_.outbox.datagrams.push_back({.peer = id_, .bytes = std::move(bytes), .tos = tos});
}

void Peer::NoteReceived(TimePoint now, Bytes datagram) {
  stats_.rx_bytes += datagram.size();
  timers_.HandleAuthenticatedReceived(now);
}

void Peer::Deliver(std::vector<std::uint8_t> padded, Ecn mark) {
  const auto packet = IpPacketView::Parse(padded);
  if (!packet) {
    ++context_.counters.malformed_inner;
    return;
  }
  if (context_.forwarding.allowed_ips().Find(packet->source()) != owner_) {
    ++context_.counters.spoofed_inner;
    return;
  }
  if (!MergeEcn(padded, mark)) {
    ++context_.counters.congested;
    return;
  }
  const std::size_t size = packet->bytes().size();
  context_.forwarding.ClampForwarded(MutableBytes(padded).first(size), packet->destination(),
                                     room_);
  padded.resize(size);
  context_.outbox.packets.push_back({.peer = id_, .bytes = std::move(padded)});
}

void Peer::Count(Session::OpenError error) {
  switch (error) {
    case Session::OpenError::kExpired:
      ++context_.counters.expired_session;
      return;
    case Session::OpenError::kReplay:
      ++context_.counters.replayed_transport;
      return;
    case Session::OpenError::kForged:
      ++context_.counters.forged_transport;
      return;
  }
}

// The peer accepts only timestamps later than the last, so two initiations within one grain must
// differ all the same.
Tai64n Peer::NextTimestamp(TimePoint now) {
  const std::int64_t unix_now = (context_.unix_start + (now - context_.start)).count();
  const std::chrono::nanoseconds rounded(unix_now - unix_now % kTimestampGrain);
  timestamp_sent_ = std::max(rounded, timestamp_sent_ + std::chrono::nanoseconds(1));
  return ToTai64n(timestamp_sent_);
}

Duration Peer::Jitter() {
  std::array<std::uint8_t, 4> bytes{};
  context_.random.Fill(bytes);
  constexpr auto kChoices = static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(kMaxJitter).count() + 1);
  return std::chrono::milliseconds(LoadLe<std::uint32_t>(bytes, 0) % kChoices);
}

}  // namespace floe::tunnel
