#include "ice/turn/client.h"

#include <chrono>
#include <utility>

#include "base/log.h"
#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "ice/turn/channel_data.h"
#include "ice/turn/stream_framer.h"

namespace floe::ice::turn {
namespace {

using std::chrono::seconds;
using stun::AttributeType;
using stun::Class;
using stun::Method;

constexpr std::size_t kMaxEvents = 64;  // Of those that anybody can cause.

}  // namespace

Client::Client(TimePoint now, ClientConfig config, RandomSource& random)
    : local_(config.local),
      server_(config.server),
      family_(config.family),
      both_families_(config.both_families && config.family == IpFamily::kIpv4),
      mobile_(config.mobile),
      random_(random),
      requests_(random, config.server.transport, std::move(config.username),
                std::move(config.password)),
      now_(now),
      expires_at_(now),
      refresh_at_(now),
      refresh_sent_at_(now),
      keepalive_at_(now) {
  Start(now, MakeAllocate());
}

Client::Inbound Client::HandleDatagram(TimePoint now, Bytes datagram) {
  now_ = now;
  if (LooksLikeChannelData(datagram)) {
    return HandleChannelData(now, datagram);
  }
  const auto message = stun::MessageView::Parse(datagram);
  if (!message) {
    return {.verdict = Verdict::kNotMine};
  }
  switch (message->message_class()) {
    case Class::kRequest:
      return {.verdict = Verdict::kNotMine};
    case Class::kIndication:
      return message->method() == Method::kData ? HandleDataIndication(*message)
                                                : Inbound{.verdict = Verdict::kNotMine};
    case Class::kSuccess:
    case Class::kError:
      break;
  }
  if (!requests_.Knows(message->transaction_id())) {
    return {.verdict = Verdict::kNotMine};
  }
  if (const auto outcome = requests_.HandleResponse(now, *message)) {
    HandleOutcome(now, *outcome, &*message);
  }
  return {.verdict = Verdict::kConsumed};
}

Client::Inbound Client::Drop() {
  ++dropped_;
  return {.verdict = Verdict::kConsumed};
}

Client::Inbound Client::HandleChannelData(TimePoint now, Bytes datagram) {
  const auto message = ParseChannelData(datagram);
  const auto peer = ready() && message ? channels_.PeerOf(now, message->channel) : std::nullopt;
  if (!peer) {
    return Drop();
  }
  return {.verdict = Verdict::kData, .peer = *peer, .payload = message->payload};
}

// Indications carry no integrity. What vouches for this one is that it came from the server's
// address, and that we have asked for its peer (RFC 8656 section 11.4).
Client::Inbound Client::HandleDataIndication(const stun::MessageView& message) {
  const auto peer = stun::FindXorAddress(message, AttributeType::kXorPeerAddress);
  if (!ready() || !peer || !permissions_.IsWanted(peer->ip)) {
    return Drop();
  }
  const auto payload = message.Find(AttributeType::kData);
  if (!payload) {
    // RFC 8656 section 18.13: two reserved bytes, type, code, four bytes of data.
    const auto icmp = message.Find(AttributeType::kIcmp);
    if (!icmp || icmp->size() != 8 || events_.size() >= kMaxEvents) {
      return Drop();
    }
    events_.emplace_back(PeerUnreachable{.peer = *peer,
                                         .type = (*icmp)[2],
                                         .code = (*icmp)[3],
                                         .data = LoadBe<std::uint32_t>(*icmp, 4)});
    return {.verdict = Verdict::kConsumed};
  }
  return {.verdict = Verdict::kData, .peer = *peer, .payload = *payload};
}

void Client::HandleTimeout(TimePoint now) {
  now_ = now;
  while (const auto outcome = requests_.HandleTimeout(now)) {
    HandleOutcome(now, *outcome, nullptr);
  }
  if (!ready()) {
    return;
  }
  if (now >= expires_at_) {
    Lose(0, "the allocation has expired");
    return;
  }
  if (now >= refresh_at_ && !refreshing_) {
    CheckNow(now);
  }
  if (now >= keepalive_at_ && !moving_) {
    keepalive_at_ = now + kKeepaliveInterval;
    if (!probing_) {
      probing_ = true;
      Start(now, ProbeIntent{});
    }
  }
  Flush(now);
}

void Client::Permit(TimePoint now, const IpAddress& peer) {
  now_ = now;
  if (usable() && Serves(peer.family)) {
    permissions_.Want(now, peer);
  }
}

void Client::Revoke(const IpAddress& peer) {
  permissions_.Forget(peer);
}

void Client::BindChannel(TimePoint now, const SocketAddress& peer) {
  now_ = now;
  if (usable() && Serves(peer.ip.family) && !channels_.Want(now, peer)) {
    log::Debug("turn: no channel left for {}", ToString(peer));
  }
}

void Client::Unbind(TimePoint now, const SocketAddress& peer) {
  now_ = now;
  channels_.Forget(peer);
}

bool Client::Send(TimePoint now, const SocketAddress& peer, Bytes payload) {
  now_ = now;
  if (!usable() || !Serves(peer.ip.family) || payload.size() > kMaxPayload) {
    return false;
  }
  if (const auto channel = channels_.NumberOf(now, peer)) {
    keepalive_at_ = now + kKeepaliveInterval;
    outbox_.push_back(MakeChannelData(*channel, payload));
    if (server_.transport == Transport::kTcp) {
      PadForStream(outbox_.back());
    }
    return true;
  }
  if (ready() && permissions_.IsInstalled(now, peer.ip)) {
    keepalive_at_ = now + kKeepaliveInterval;
    SendIndication(peer, payload);
    return true;
  }
  if (permissions_.IsRefused(peer.ip) || !permissions_.Want(now, peer.ip)) {
    return false;
  }
  permissions_.Hold(peer, payload);
  return true;
}

void Client::SendIndication(const SocketAddress& peer, Bytes payload) {
  constexpr std::size_t kOverhead = 64;  // bytes: header, address, DATA header, padding
  outbox_.push_back(stun::Builder(Class::kIndication, Method::kSend,
                                  stun::NewTransactionId(random_), payload.size() + kOverhead)
                        .AddAddress(AttributeType::kXorPeerAddress, peer)
                        .Add(AttributeType::kData, payload)
                        .Take());
}

void Client::SendHeld(TimePoint now, std::vector<HeldData> held) {
  for (const HeldData& data : held) {
    Send(now, data.peer, data.payload);
  }
}

void Client::CheckNow(TimePoint now) {
  now_ = now;
  if (ready() && !moving_) {
    // One that is under way may have gone out where nothing comes back from, and be repeated late.
    requests_.CancelRefresh();
    refresh_sent_at_ = refreshing_ ? refresh_sent_at_ : now;
    refreshing_ = true;
    Start(now, RefreshIntent{});
  }
}

bool Client::Move(TimePoint now, const SocketAddress& local) {
  now_ = now;
  if (!ready() || ticket_.empty()) {
    return false;
  }
  local_ = local;
  // What was asked from elsewhere would be refused: it is asked for again once we have moved.
  for (const Intent& intent : requests_.TakeAll()) {
    if (const auto* permit = std::get_if<PermitIntent>(&intent)) {
      permissions_.HandleFailed(now, permit->peers, Duration{0});
    } else if (const auto* bind = std::get_if<BindIntent>(&intent)) {
      channels_.HandleFailed(now, *bind, Duration{0});
    }
  }
  probing_ = false;
  refresh_sent_at_ = now;
  refreshing_ = true;
  moving_ = true;
  Start(now, RefreshIntent{.ticket = ticket_});
  return true;
}

void Client::Close(TimePoint now) {
  now_ = now;
  if (!usable()) {
    return;
  }
  state_ = ClientState::kClosed;
  requests_.CancelAll();
  permissions_.Clear();
  channels_.Clear();
  // Before the first challenge nothing can have been allocated. After it there may be an
  // allocation whose answer has not arrived.
  if (requests_.authenticated()) {
    requests_.Start(now, RefreshIntent{.closing = true});
  }
}

std::optional<std::vector<std::uint8_t>> Client::PollTransmit() {
  Flush(now_);
  if (auto request = requests_.PollTransmit()) {
    return request;
  }
  if (outbox_.empty()) {
    return std::nullopt;
  }
  std::vector<std::uint8_t> datagram = std::move(outbox_.front());
  outbox_.pop_front();
  return datagram;
}

std::optional<ClientEvent> Client::PollEvent() {
  if (events_.empty()) {
    return std::nullopt;
  }
  ClientEvent event = events_.front();
  events_.pop_front();
  return event;
}

std::optional<TimePoint> Client::NextTimeout() const {
  std::optional<TimePoint> next = requests_.NextTimeout();
  const auto consider = [&next](std::optional<TimePoint> deadline) {
    if (deadline && (!next || *deadline < *next)) {
      next = deadline;
    }
  };
  if (ready()) {
    consider(expires_at_);
    if (!refreshing_) {
      consider(refresh_at_);
    } else if (*silent_at() > now_) {
      consider(silent_at());
    }
    if (!moving_) {
      consider(keepalive_at_);
      consider(permissions_.NextTimeout());
      consider(channels_.NextTimeout());
    }
  }
  return next;
}

void Client::Flush(TimePoint now) {
  if (!ready() || moving_) {
    return;
  }
  for (auto peers = permissions_.TakeDue(now); !peers.empty(); peers = permissions_.TakeDue(now)) {
    Start(now, PermitIntent{.peers = std::move(peers)});
  }
  while (const auto bind = channels_.TakeDue(now)) {
    Start(now, *bind);
  }
}

void Client::Start(TimePoint now, Intent intent) {
  keepalive_at_ = now + kKeepaliveInterval;
  requests_.Start(now, std::move(intent));
}

}  // namespace floe::ice::turn
