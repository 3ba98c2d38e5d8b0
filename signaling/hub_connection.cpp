#include "signaling/hub_connection.h"

#include <utility>

#include "signaling/login_proof.h"
#include "signaling/upgrade.h"

namespace floe::signaling {

HubConnection::HubConnection(TimePoint now, const SocketAddress& remote,
                             const std::optional<ChannelBinding>& binding, RandomSource& random)
    : remote_(remote),
      binding_(binding),
      random_(random),
      bucket_(now, kMessagesPerSecond, kMessageBurst),
      deadline_(now + kLoginDeadline) {}

std::optional<HubConnection::Event> HubConnection::Read(TimePoint now, Bytes& input,
                                                        std::string_view path) {
  if (state_ == State::kReadingHead) {
    ReadHead(input, path);
  }
  while (state_ == State::kAwaitingHello || state_ == State::kLoggedIn) {
    const std::optional<WebSocketEvent> received = reader_.Read(input);
    if (!received) {
      return std::nullopt;
    }
    if (state_ == State::kLoggedIn) {  // Whatever it is, it is a sign of life.
      deadline_ = now + kPingInterval;
      pinged_ = false;
    }
    if (std::optional<Event> event = HandleEvent(*received)) {
      return event;
    }
  }
  input = {};
  return std::nullopt;
}

void HubConnection::ReadHead(Bytes& input, std::string_view path) {
  const HttpHeadReader::State head = head_.Read(input);
  if (head == HttpHeadReader::State::kReading) {
    return;
  }
  UpgradeAnswer answer;
  if (head == HttpHeadReader::State::kTooLarge) {
    answer = RefuseRequest(431);
  } else if (const auto request = ParseHttpRequest(head_.head())) {
    answer = AnswerUpgrade(*request, path);
  } else {
    answer = RefuseRequest(400);
  }
  head_ = {};
  Write(AsBytes(answer.response));
  if (answer.status != 101) {
    state_ = State::kOver;
    return;
  }
  Greet();
}

void HubConnection::Greet() {
  challenge_key_ = GeneratePrivateKey(random_);
  challenge_.key = DerivePublicKey(challenge_key_);
  random_.Fill(challenge_.nonce);
  challenge_.bound = binding_.has_value();
  state_ = State::kAwaitingHello;
  Send(challenge_);
}

std::optional<HubConnection::Event> HubConnection::HandleEvent(const WebSocketEvent& event) {
  switch (event.kind) {
    case WebSocketEvent::Kind::kText:
      return HandleText(event.payload);
    case WebSocketEvent::Kind::kBinary:
      Refuse(CloseCode::kUnsupported, "binary messages are not understood");
      return std::nullopt;
    case WebSocketEvent::Kind::kPing:
      WriteFrame(Opcode::kPong, event.payload);
      return std::nullopt;
    case WebSocketEvent::Kind::kPong:
      return std::nullopt;
    case WebSocketEvent::Kind::kClose:
    case WebSocketEvent::Kind::kViolation:
      Close(event.code, {});
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<HubConnection::Event> HubConnection::HandleText(std::string_view text) {
  Result<ClientFrame, ProtocolError> frame = ParseClientFrame(text);
  if (!frame) {
    if (frame.error() != ProtocolError::kUnknownType) {
      Refuse(CloseCode::kPolicy, ToString(frame.error()));
    }
    return std::nullopt;
  }
  if (const Hello* hello = std::get_if<Hello>(&*frame)) {
    return HandleHello(*hello);
  }
  return HandleSend(std::move(std::get<SendRequest>(*frame)));
}

std::optional<HubConnection::Event> HubConnection::HandleHello(const Hello& hello) {
  if (state_ != State::kAwaitingHello) {
    Refuse(CloseCode::kPolicy, "a second hello");
    return std::nullopt;
  }
  const bool proven = VerifyLoginProof(challenge_key_, challenge_, hello, binding_);
  challenge_key_.Wipe();  // One try.
  if (!proven) {
    Refuse(CloseCode::kPolicy, "the proof is wrong");
    return std::nullopt;
  }
  return ProvenLogin{hello.key};
}

std::optional<HubConnection::Event> HubConnection::HandleSend(SendRequest request) {
  if (state_ != State::kLoggedIn) {
    Refuse(CloseCode::kPolicy, "hello first");
    return std::nullopt;
  }
  return request;
}

void HubConnection::Accept(TimePoint now) {
  if (state_ == State::kAwaitingHello) {
    state_ = State::kLoggedIn;
    deadline_ = now + kPingInterval;
  }
}

void HubConnection::Refuse(CloseCode code, std::string_view reason) {
  if (state_ != State::kReadingHead) {
    Send(Refusal{std::string(reason)});
  }
  Close(code, reason);
}

void HubConnection::Close(CloseCode code, std::string_view reason) {
  if (state_ != State::kReadingHead) {
    WriteFrame(Opcode::kClose, ClosePayload(code, reason));
  }
  state_ = State::kOver;
}

void HubConnection::HandleTimeout(TimePoint now) {
  if (state_ == State::kOver || now < deadline_) {
    return;
  }
  if (state_ != State::kLoggedIn) {
    Refuse(CloseCode::kPolicy, "no hello in time");
    return;
  }
  if (pinged_) {
    Close(CloseCode::kPolicy, "no answer to pings");
    return;
  }
  WriteFrame(Opcode::kPing, {});
  pinged_ = true;
  deadline_ = now + kPongDeadline;
}

std::optional<TimePoint> HubConnection::NextTimeout() const {
  return state_ == State::kOver ? std::nullopt : std::optional(deadline_);
}

void HubConnection::WriteFrame(Opcode opcode, std::string_view payload) {
  if (state_ != State::kOver) {
    Write(SerializeFrame(opcode, AsBytes(payload)));
  }
}

void HubConnection::Write(Bytes bytes) {
  output_.insert(output_.end(), bytes.begin(), bytes.end());
}

std::vector<std::uint8_t> HubConnection::TakeOutput() {
  return std::exchange(output_, {});
}

}  // namespace floe::signaling
