#include "ice/relay_way.h"

#include <algorithm>
#include <array>

#include "base/log.h"
#include "ice/candidate.h"
#include "ice/turn/channel_data.h"

namespace floe::ice {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<Duration, 5> kRetries{seconds(1), seconds(2), seconds(5), seconds(15),
                                           seconds(60)};
constexpr Duration kIdle = seconds(300);  // A permission or channel that is not used is given up.
constexpr Duration kConnectTimeout = seconds(10);
constexpr Duration kMayBeLost = seconds(3);     // More than any round trip we know of.
constexpr Duration kCircle = minutes(5);        // RFC 8489 section 10
constexpr Duration kMaxStranded = seconds(30);  // Peers give it up by then (RFC 7675).
constexpr Duration kMayMove = seconds(5);       // How long taking an allocation along may take.
constexpr std::size_t kMaxRedirects = 3;
constexpr Duration kRefusedPause = minutes(10);  // Somebody may have put it right by then.
constexpr Duration kBusyPause = seconds(60);     // RFC 8656 section 7.4, for 486 and 508
constexpr Duration kMismatchPause = minutes(2);  // Likewise, for the third 437

/// RFC 8656 section 7.4: asking again will not help.
bool IsRefusal(int code) {
  return code == 400 || code == 401 || code == 403 || code == 441 || code == 442;
}

Duration PauseAfter(int code, std::uint32_t failures) {
  const Duration step = kRetries[std::min<std::size_t>(failures, kRetries.size() - 1)];
  if (IsRefusal(code)) {
    return kRefusedPause;
  }
  if (code == 486 || code == 508) {
    return std::max(step, kBusyPause);
  }
  return code == 437 && failures >= 2 ? std::max(step, kMismatchPause) : step;
}

/// Data may be dropped where a stream is too slow; what keeps the allocation must not be.
bool IsData(Bytes message) {
  const auto stun = stun::MessageView::Parse(message);
  return turn::LooksLikeChannelData(message) ||
         (stun && stun->message_class() == stun::Class::kIndication);
}

}  // namespace

RelayWay::RelayWay(RelayServer server, RelayOutbox outbox, RandomSource& random)
    : server_(std::move(server)), outbox_(outbox), random_(random) {}

bool RelayWay::IsDoubtful(TimePoint now) const {
  return ready() && client_->silent_at() && *client_->silent_at() <= now;
}

bool RelayWay::Has(const SocketAddress& relayed) const {
  return std::ranges::find(relayed_, relayed) != relayed_.end();
}

void RelayWay::SetServer(TimePoint now, RelayServer server) {
  const bool changed =
      server.username != server_.username || server.password.text() != server_.password.text();
  server_ = std::move(server);
  if (!changed) {
    return;
  }
  other_credentials_ = true;
  if (state_ == State::kIdle && not_before_) {  // Whatever was wrong may be right.
    not_before_ = now;
    start_at = now;
  }
}

void RelayWay::Start(TimePoint now, const SocketAddress& local) {
  if (state_ != State::kIdle) {
    return;
  }
  start_at.reset();
  retire_at.reset();
  not_before_.reset();
  if (tried_.empty()) {
    target_ = server_.address;
    target_name_ = server_.host();
  }
  started_ = now;
  other_credentials_ = false;
  if (is_stream()) {
    OpenStream(now);
  } else {
    local_ = local;
    MakeClient(now);
  }
}

void RelayWay::OpenStream(TimePoint now) {
  stream_ = outbox_.next_stream++;
  framer_ = {};
  give_up_at_ = now + kConnectTimeout;
  if (!ready()) {
    state_ = State::kConnecting;
  }
  outbox_.actions.emplace_back(ice::OpenStream{
      .id = *stream_, .remote = target_, .transport = server_.transport, .name = target_name_});
}

void RelayWay::MakeClient(TimePoint now) {
  state_ = State::kAllocating;
  client_ = std::make_unique<turn::Client>(now,
                                           turn::ClientConfig{.local = local_,
                                                              .server = target_,
                                                              .username = server_.username,
                                                              .password = server_.password.Clone(),
                                                              .both_families = true,
                                                              .mobile = true},
                                           random_);
  Drain(now);
}

void RelayWay::DropStream() {
  if (stream_) {
    outbox_.actions.emplace_back(CloseStream{*stream_});
  }
  stream_.reset();
  give_up_at_.reset();
  framer_ = {};
}

void RelayWay::Stop(TimePoint now) {
  if (client_) {
    client_->Close(now);
    DrainTransmits();
  }
  DropStream();
  Forget();
}

void RelayWay::Forget() {
  SetMapped(std::nullopt);
  for (const SocketAddress& relayed : std::exchange(relayed_, {})) {
    outbox_.events.emplace_back(RelayGone{relayed});
  }
  client_.reset();
  permitted_.clear();
  channels_.clear();
  state_ = State::kIdle;
  local_ = {};
  retire_at.reset();
  stranded_until_.reset();
}

void RelayWay::Fail(TimePoint now, int code, std::string_view reason) {
  const bool worked = !relayed_.empty();
  if (worked) {
    code = 0;  // Of something else than an Allocate: a server that has restarted says 400 and 401.
  }
  Stop(now);
  turn_ += worked ? 0U : 1U;  // One that has worked is asked from there again.
  failures_ = worked ? 0U : failures_;
  tried_.clear();
  // An allocation that could not be taken along is replaced at once.
  const bool moved =
      worked && moved_at_ && now - *std::exchange(moved_at_, std::nullopt) < kMayMove;
  const Duration pause = moved                ? Duration{0}
                         : other_credentials_ ? kRetries[0]
                                              : PauseAfter(code, failures_);
  ++failures_;
  not_before_ = now + pause;
  if (IsRefusal(code) && !other_credentials_) {
    outbox_.events.emplace_back(
        RelayRefused{.server = server_.address, .code = code, .reason = reason});
  }
}

void RelayWay::Refuse(TimePoint now) {
  relayed_.clear();
  Fail(now, 0, "the server names an address that is not its own");
}

void RelayWay::Lose(TimePoint now) {
  Fail(now, 0, "the relayed address has become one of ours");
}

void RelayWay::HandleAddressGone(TimePoint now, const std::optional<SocketAddress>& other) {
  moved_at_ = now;
  if (ready() && is_stream() && client_->is_mobile()) {
    DropStream();
    OpenStream(now);  // HandleStreamOpened() moves it.
    return;
  }
  if (ready() && !is_stream() && !other && client_->is_mobile()) {
    // A machine that changes networks is for a moment in none.
    stranded_until_ = stranded_until_.value_or(now + kMaxStranded);
    return;
  }
  stranded_until_.reset();
  if (ready() && !is_stream() && other && client_->Move(now, *other)) {
    SetMapped(std::nullopt);
    local_ = *other;
    Drain(now);
    return;
  }
  Stop(now);
  start_at = now;
}

void RelayWay::HandleNetworkChange(TimePoint now) {
  if (ready() && !is_stranded()) {
    client_->CheckNow(now);  // The allocation belongs to the address we had.
    Drain(now);
  } else if (state_ != State::kIdle && now - started_ >= kMayBeLost) {
    Stop(now);
  } else if (state_ == State::kIdle && not_before_ && *not_before_ - now < kBusyPause) {
    not_before_ = now;
    start_at.reset();
  }
}

RelayInbound RelayWay::HandleDatagram(TimePoint now, const SocketAddress& local,
                                      const SocketAddress& remote, Bytes datagram) {
  if (!client_ || is_stream() || target_ != remote || local_ != local) {
    return {};
  }
  const auto inbound = client_->HandleDatagram(now, datagram);
  RelayInbound result{
      .verdict = inbound.verdict, .remote = inbound.peer, .payload = inbound.payload};
  if (inbound.verdict == turn::Client::Verdict::kData) {
    result.local = client_->relayed(inbound.peer.ip.family).value_or(SocketAddress{});
  } else if (inbound.verdict == turn::Client::Verdict::kConsumed) {
    Drain(now);
  }
  return result;
}

void RelayWay::HandleStreamOpened(TimePoint now, const SocketAddress& local) {
  give_up_at_.reset();
  local_ = local;
  if (!ready()) {
    MakeClient(now);
  } else if (client_->Move(now, local)) {
    Drain(now);
  } else {
    Fail(now, 0, "the server gave no ticket");
  }
}

void RelayWay::HandleStreamBytes(TimePoint now, Bytes bytes, std::deque<Relayed>& received) {
  if (!client_) {
    return;
  }
  framer_.HandleBytes(bytes);
  while (const auto message = framer_.Poll()) {
    const auto inbound = client_->HandleDatagram(now, *message);
    if (inbound.verdict == turn::Client::Verdict::kData) {
      if (const auto relayed = client_->relayed(inbound.peer.ip.family)) {
        received.push_back({.local = *relayed,
                            .remote = inbound.peer,
                            .payload = {inbound.payload.begin(), inbound.payload.end()}});
      }
      continue;
    }
    Drain(now);
    if (!client_ || !stream_) {
      return;  // What came was the end.
    }
  }
  if (framer_.is_broken()) {
    Fail(now, 0, "what the server sends is not TURN");
  }
}

void RelayWay::HandleStreamClosed(TimePoint now, std::string_view reason) {
  log::Debug("relay {}: {}", target_name_, reason);
  const bool reopened = give_up_at_.has_value();
  stream_.reset();
  give_up_at_.reset();
  if (ready() && client_->is_mobile() && !reopened) {
    OpenStream(now);
    return;
  }
  Fail(now, 0, "the connection has ended");
}

void RelayWay::HandleTimeout(TimePoint now) {
  if (give_up_at_ && *give_up_at_ <= now) {
    Fail(now, 0, "no connection");
    return;
  }
  if (stranded_until_ && *stranded_until_ <= now) {
    Stop(now);
    return;
  }
  if (client_ && client_->NextTimeout() && *client_->NextTimeout() <= now) {
    client_->HandleTimeout(now);
    ForgetIdle(now);
    Drain(now);
  }
}

void RelayWay::Send(TimePoint now, const SocketAddress& remote, Bytes payload) {
  permitted_[remote.ip] = now;
  if (const auto channel = channels_.find(remote); channel != channels_.end()) {
    channel->second = now;
  }
  client_->Send(now, remote, payload);
  Drain(now);
}

void RelayWay::UseForData(TimePoint now, const SocketAddress& remote) {
  permitted_[remote.ip] = now;
  channels_[remote] = now;
  client_->BindChannel(now, remote);
  Drain(now);
}

std::optional<std::uint16_t> RelayWay::ChannelTo(TimePoint now, const SocketAddress& remote) const {
  return ready() && !is_stream() && !is_stranded() ? client_->ChannelOf(now, remote) : std::nullopt;
}

void RelayWay::ForgetIdle(TimePoint now) {
  std::erase_if(channels_, [&](const auto& entry) {
    if (now - entry.second < kIdle) {
      return false;
    }
    client_->Unbind(now, entry.first);
    return true;
  });
  std::erase_if(permitted_, [&](const auto& entry) {
    if (now - entry.second < kIdle) {
      return false;
    }
    // What is permitted from the start stays: see HandleEvent().
    if (entry.first != target_.ip &&
        std::ranges::none_of(relayed_, [&](const auto& own) { return own.ip == entry.first; })) {
      client_->Revoke(entry.first);
    }
    return true;
  });
}

void RelayWay::DrainTransmits() {
  while (auto bytes = client_->PollTransmit()) {
    if (!is_stream()) {
      outbox_.transmits.push_back({local_, target_, std::move(*bytes)});
    } else if (stream_ && !give_up_at_) {
      const bool droppable = IsData(*bytes);
      outbox_.actions.emplace_back(
          WriteStream{.id = *stream_, .bytes = std::move(*bytes), .droppable = droppable});
    }
  }
}

void RelayWay::Drain(TimePoint now) {
  while (client_) {
    DrainTransmits();
    const auto event = client_->PollEvent();
    if (!event) {
      return;
    }
    HandleEvent(now, *event);
  }
}

void RelayWay::HandleEvent(TimePoint now, const turn::ClientEvent& event) {
  if (const auto* allocated = std::get_if<turn::Allocated>(&event)) {
    state_ = State::kReady;
    since_ = now;
    relayed_ = {allocated->relayed};
    if (allocated->additional) {
      relayed_.push_back(*allocated->additional);
    }
    SetMapped(allocated->mapped);
    outbox_.events.emplace_back(RelayFound{.relayed = allocated->relayed,
                                           .additional = allocated->additional,
                                           .local = local_,
                                           .server = target_,
                                           .mapped = allocated->mapped,
                                           .transport = transport()});
    // Peers that use the same relay are reached, and reach us, without waiting for a permission.
    client_->Permit(now, target_.ip);
    for (const SocketAddress& relayed : relayed_) {
      client_->Permit(now, relayed.ip);
    }
  } else if (const auto* changed = std::get_if<turn::MappedChanged>(&event)) {
    SetMapped(changed->mapped);
  } else if (const auto* unreachable = std::get_if<turn::PeerUnreachable>(&event)) {
    // Too large is not unreachable: type 3 code 4 of ICMP, type 2 of ICMPv6.
    const bool v4 = unreachable->peer.ip.is_v4();
    const auto relayed = client_->relayed(unreachable->peer.ip.family);
    if (relayed &&
        (v4 ? unreachable->type == 3 && unreachable->code != 4 : unreachable->type == 1)) {
      outbox_.events.emplace_back(
          RelayedUnreachable{.relayed = *relayed, .peer = unreachable->peer});
    }
  } else {
    HandleLost(now, std::get<turn::Lost>(event));
  }
}

void RelayWay::HandleLost(TimePoint now, const turn::Lost& lost) {
  if (!Redirect(now, lost)) {
    Fail(now, lost.code, lost.reason);
  }
}

bool RelayWay::Redirect(TimePoint now, const turn::Lost& lost) {
  std::erase_if(tried_, [now](const auto& entry) { return now - entry.second >= kCircle; });
  SocketAddress alternate = lost.alternate.value_or(SocketAddress{});
  alternate.transport = target_.transport;
  if (lost.code != 300 || !relayed_.empty() || !IsUsableRemote(alternate) ||
      alternate.ip.family != target_.ip.family || alternate == server_.address ||
      tried_.contains(alternate) || tried_.size() >= kMaxRedirects) {
    return false;
  }
  const SocketAddress local = local_;
  Stop(now);
  tried_[alternate] = now;
  target_ = alternate;
  target_name_ = lost.alternate_name.empty() ? target_name_ : lost.alternate_name;
  Start(now, local);
  return true;
}

void RelayWay::SetMapped(std::optional<SocketAddress> mapped) {
  if (is_stream() || mapped == mapped_) {
    return;  // Where a relay sees a connection come from is no place to reach our socket at.
  }
  outbox_.events.emplace_back(RelayMapping{.local = local_,
                                           .server = target_,
                                           .before = std::exchange(mapped_, mapped),
                                           .after = mapped});
}

std::optional<TimePoint> RelayWay::NextTimeout() const {
  std::optional<TimePoint> next = client_ ? client_->NextTimeout() : std::nullopt;
  for (const auto& at : {give_up_at_, stranded_until_}) {
    if (at && (!next || *at < *next)) {
      next = at;
    }
  }
  return next;
}

}  // namespace floe::ice
