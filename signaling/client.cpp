#include "signaling/client.h"

#include <algorithm>
#include <array>
#include <utility>

#include "signaling/login_proof.h"
#include "signaling/upgrade.h"

namespace floe::signaling {
namespace {

/// What the other side said, fit to be shown.
std::string Printable(std::string_view text) {
  std::string shown(text.substr(0, kMaxReasonSize));
  std::ranges::replace_if(shown, [](char c) { return c < ' ' || c > '~'; }, '?');
  return shown;
}

Answered::Result ResultOf(Delivery delivery) {
  switch (delivery) {
    case Delivery::kDelivered:
      return Answered::Result::kDelivered;
    case Delivery::kOffline:
      return Answered::Result::kOffline;
    case Delivery::kLimited:
      break;
  }
  return Answered::Result::kLimited;
}

}  // namespace

std::string_view ToString(Answered::Result result) {
  switch (result) {
    case Answered::Result::kDelivered:
      return "delivered";
    case Answered::Result::kOffline:
      return "offline";
    case Answered::Result::kLimited:
      return "limited";
    case Answered::Result::kNotConnected:
      return "not connected";
    case Answered::Result::kTooLarge:
      return "too large";
  }
  return "unknown";
}

Client::Client(ClientConfig config, const PrivateKey& key, const PublicKey& public_key,
               RandomSource& random)
    : config_(std::move(config)), key_(key), public_key_(public_key), random_(random) {}

bool Client::has_stream() const {
  return state_ != State::kStopped && state_ != State::kWaiting;
}

void Client::Start(TimePoint now) {
  if (state_ == State::kStopped) {
    backoff_.Reset();
    BeginAttempt(now);
  }
}

void Client::Stop(TimePoint /*now*/) {
  if (state_ == State::kStopped) {
    return;
  }
  if (state_ == State::kGreeting || state_ == State::kProving || state_ == State::kLoggedIn) {
    WriteFrame(Opcode::kClose, ClosePayload(CloseCode::kNormal, {}));
  }
  if (has_stream()) {
    actions_.emplace_back(Disconnect{});
  }
  state_ = State::kStopped;
  reconnect_at_once_ = false;
  rtt_.reset();
  pong_deadline_.reset();
  FailUnanswered();
  events_.emplace_back(LoggedOut{"stopped", std::nullopt});
}

void Client::BeginAttempt(TimePoint now) {
  state_ = State::kConnecting;
  deadline_ = now + kLoginDeadline;
  head_ = {};
  reader_ = {WebSocketRole::kClient, kMaxServerMessage};
  actions_.emplace_back(Connect{});
}

/// The stream is gone, or has been given up by a Disconnect that is queued.
void Client::Lose(TimePoint now, std::string_view reason) {
  if (state_ == State::kLoggedIn && now - logged_in_at_ >= kStable) {
    backoff_.Reset();
  }
  const bool at_once = std::exchange(reconnect_at_once_, false);
  const Duration delay = at_once ? Duration::zero() : backoff_.Next(random_);
  state_ = State::kWaiting;
  deadline_ = now + delay;
  rtt_.reset();
  pong_deadline_.reset();
  FailUnanswered();
  events_.emplace_back(LoggedOut{Printable(reason), deadline_});
  if (at_once) {
    BeginAttempt(now);
  }
}

void Client::CloseAndLose(TimePoint now, CloseCode code, std::string_view reason) {
  if (state_ == State::kGreeting || state_ == State::kProving || state_ == State::kLoggedIn) {
    WriteFrame(Opcode::kClose, ClosePayload(code, {}));
  }
  actions_.emplace_back(Disconnect{});
  Lose(now, reason);
}

void Client::FailUnanswered() {
  for (const auto& [id, to] : unanswered_) {
    events_.emplace_back(Answered{id, to, Answered::Result::kNotConnected});
  }
  unanswered_.clear();
  queued_.clear();
}

void Client::WriteFrame(Opcode opcode, std::string_view payload) {
  actions_.emplace_back(Write{SerializeMaskedFrame(opcode, AsBytes(payload), random_)});
}

void Client::HandleConnected(TimePoint /*now*/, const std::optional<ChannelBinding>& binding) {
  if (state_ != State::kConnecting) {
    return;
  }
  binding_ = binding;
  websocket_key_ = MakeWebSocketKey(random_);
  const std::string request = SerializeUpgradeRequest(config_.url, websocket_key_);
  const Bytes bytes = AsBytes(request);
  actions_.emplace_back(Write{{bytes.begin(), bytes.end()}});
  state_ = State::kUpgrading;
}

void Client::HandleClosed(TimePoint now, std::string_view reason) {
  if (!has_stream()) {
    return;
  }
  actions_.clear();  // They were for the stream that is gone.
  Lose(now, reason);
}

void Client::HandleBytes(TimePoint now, Bytes bytes) {
  if (state_ == State::kUpgrading) {
    HandleUpgrade(now, bytes);
  }
  // The state is asked again after each event: one of them may have ended the connection.
  while (state_ == State::kGreeting || state_ == State::kProving || state_ == State::kLoggedIn) {
    const std::optional<WebSocketEvent> event = reader_.Read(bytes);
    if (!event) {
      return;
    }
    HandleWebSocketEvent(now, *event);
  }
}

void Client::HandleUpgrade(TimePoint now, Bytes& input) {
  const HttpHeadReader::State head = head_.Read(input);
  if (head == HttpHeadReader::State::kReading) {
    return;
  }
  if (head == HttpHeadReader::State::kTooLarge) {
    CloseAndLose(now, CloseCode::kProtocolError, "the server's answer is too large");
    return;
  }
  const auto response = ParseHttpResponse(head_.head());
  if (!response) {
    CloseAndLose(now, CloseCode::kProtocolError, "the server does not speak HTTP");
    return;
  }
  const auto checked = CheckUpgradeResponse(*response, websocket_key_);
  if (!checked) {
    std::string reason(ToString(checked.error()));
    if (checked.error() == UpgradeError::kStatus) {
      reason += ": status " + std::to_string(response->status);
    }
    CloseAndLose(now, CloseCode::kProtocolError, reason);
    return;
  }
  state_ = State::kGreeting;
}

void Client::HandleWebSocketEvent(TimePoint now, const WebSocketEvent& event) {
  switch (event.kind) {
    case WebSocketEvent::Kind::kText:
      HandleText(now, event.payload);
      return;
    case WebSocketEvent::Kind::kBinary:
      CloseAndLose(now, CloseCode::kUnsupported, "the server sent a binary message");
      return;
    case WebSocketEvent::Kind::kPing:
      WriteFrame(Opcode::kPong, event.payload);
      return;
    case WebSocketEvent::Kind::kPong:
      HandlePong(now, event.payload);
      return;
    case WebSocketEvent::Kind::kClose:
      CloseAndLose(now, event.code,
                   event.payload.empty() ? "closed by the server"
                                         : "closed by the server: " + event.payload);
      return;
    case WebSocketEvent::Kind::kViolation:
      CloseAndLose(now, event.code, "the server broke the WebSocket protocol");
      return;
  }
}

void Client::HandleText(TimePoint now, std::string_view text) {
  Result<ServerFrame, ProtocolError> frame = ParseServerFrame(text);
  if (!frame) {
    if (frame.error() != ProtocolError::kUnknownType) {
      CloseAndLose(now, CloseCode::kPolicy, "the server sent a bad frame");
    }
    return;
  }
  std::visit([&](auto& one) { HandleFrame(now, std::move(one)); }, *frame);
}

void Client::HandleFrame(TimePoint now, const Challenge& challenge) {
  if (state_ != State::kGreeting) {
    CloseAndLose(now, CloseCode::kPolicy, "the server sent a second challenge");
    return;
  }
  const std::optional<Proof> proof = MakeLoginProof(key_, public_key_, challenge, binding_);
  if (!proof) {
    CloseAndLose(now, CloseCode::kPolicy, "the server's challenge cannot be answered");
    return;
  }
  WriteFrame(Opcode::kText, Serialize(Hello{public_key_, *proof}));
  state_ = State::kProving;
  // Right behind the hello: waiting for the welcome would cost a round trip.
  for (Queued& message : std::exchange(queued_, {})) {
    const SendRequest request{unanswered_.at(message.id), message.id, std::move(message.box)};
    WriteFrame(Opcode::kText, Serialize(request));
  }
}

void Client::HandleFrame(TimePoint now, Welcome welcome) {
  if (state_ == State::kLoggedIn) {
    events_.emplace_back(Renewed{std::move(welcome)});
    return;
  }
  if (state_ != State::kProving) {
    CloseAndLose(now, CloseCode::kPolicy, "the server sent a frame out of order");
    return;
  }
  state_ = State::kLoggedIn;
  logged_in_at_ = now;
  reconnect_at_once_ = false;
  ping_interval_ = std::min<Duration>(kPingInterval, welcome.ping);
  events_.emplace_back(LoggedIn{std::move(welcome)});
  SendPing(now, kPongDeadline);  // For the round trip.
}

void Client::HandleFrame(TimePoint now, const SendAnswer& answer) {
  if (state_ != State::kLoggedIn) {
    CloseAndLose(now, CloseCode::kPolicy, "the server sent a frame out of order");
    return;
  }
  const auto found = unanswered_.find(answer.id);
  if (found == unanswered_.end()) {
    return;
  }
  events_.emplace_back(Answered{answer.id, found->second, ResultOf(answer.result)});
  unanswered_.erase(found);
}

void Client::HandleFrame(TimePoint now, ReceivedBox received) {
  if (state_ != State::kLoggedIn) {
    CloseAndLose(now, CloseCode::kPolicy, "the server sent a frame out of order");
    return;
  }
  events_.emplace_back(Received{received.from, std::move(received.box)});
}

void Client::HandleFrame(TimePoint now, const Refusal& refusal) {
  CloseAndLose(now, CloseCode::kNormal, "refused by the server: " + refusal.reason);
}

std::uint64_t Client::Send(TimePoint /*now*/, const PublicKey& to, std::string box) {
  const std::uint64_t id = next_id_++;
  if (!IsBox(box)) {
    events_.emplace_back(Answered{id, to, Answered::Result::kTooLarge});
    return id;
  }
  if (!has_stream()) {
    events_.emplace_back(Answered{id, to, Answered::Result::kNotConnected});
    return id;
  }
  const bool may_write = state_ == State::kProving || state_ == State::kLoggedIn;
  if (unanswered_.size() == kMaxUnanswered || (!may_write && queued_.size() == kMaxQueued)) {
    events_.emplace_back(Answered{id, to, Answered::Result::kLimited});
    return id;
  }
  unanswered_.emplace(id, to);
  if (may_write) {
    WriteFrame(Opcode::kText, Serialize(SendRequest{to, id, std::move(box)}));
  } else {
    queued_.push_back({id, std::move(box)});
  }
  return id;
}

void Client::HandleNetworkChange(TimePoint now) {
  switch (state_) {
    case State::kStopped:
      return;
    case State::kWaiting:
      BeginAttempt(now);
      return;
    case State::kConnecting:
    case State::kUpgrading:
    case State::kGreeting:
    case State::kProving:
      reconnect_at_once_ = true;
      deadline_ = std::min(deadline_, now + kProbeDeadline);
      return;
    case State::kLoggedIn:
      reconnect_at_once_ = true;
      SendPing(now, kProbeDeadline);
      return;
  }
}

void Client::SendPing(TimePoint now, Duration deadline) {
  std::array<std::uint8_t, 8> number{};
  StoreBe(MutableBytes(number), 0, ++ping_number_);
  WriteFrame(Opcode::kPing, AsText(number));
  ping_sent_ = now;
  next_ping_ = now + ping_interval_;
  // A ping that is still out keeps its deadline if that is the earlier one.
  const TimePoint due = now + deadline;
  pong_deadline_ = pong_deadline_ ? std::min(*pong_deadline_, due) : due;
}

/// Only the answer to the latest ping counts: an earlier one may have been on its way for long.
void Client::HandlePong(TimePoint now, std::string_view payload) {
  const bool latest = payload.size() == sizeof(ping_number_) &&
                      LoadBe<std::uint64_t>(AsBytes(payload), 0) == ping_number_;
  if (state_ != State::kLoggedIn || !latest || !pong_deadline_) {
    return;
  }
  rtt_ = now - ping_sent_;
  pong_deadline_.reset();
  reconnect_at_once_ = false;
}

void Client::HandleTimeout(TimePoint now) {
  const std::optional<TimePoint> next = NextTimeout();
  if (!next || now < *next) {
    return;
  }
  switch (state_) {
    case State::kStopped:
      return;
    case State::kWaiting:
      BeginAttempt(now);
      return;
    case State::kConnecting:
    case State::kUpgrading:
    case State::kGreeting:
    case State::kProving:
      CloseAndLose(now, CloseCode::kPolicy, "the login took too long");
      return;
    case State::kLoggedIn:
      if (pong_deadline_) {
        CloseAndLose(now, CloseCode::kPolicy, "the server does not answer pings");
        return;
      }
      SendPing(now, kPongDeadline);
      return;
  }
}

std::optional<TimePoint> Client::NextTimeout() const {
  if (state_ == State::kStopped) {
    return std::nullopt;
  }
  if (state_ != State::kLoggedIn) {
    return deadline_;
  }
  return pong_deadline_.value_or(next_ping_);  // One ping at a time.
}

std::optional<ClientAction> Client::PollAction() {
  if (actions_.empty()) {
    return std::nullopt;
  }
  ClientAction action = std::move(actions_.front());
  actions_.pop_front();
  return action;
}

std::optional<ClientEvent> Client::PollEvent() {
  if (events_.empty()) {
    return std::nullopt;
  }
  ClientEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

}  // namespace floe::signaling
