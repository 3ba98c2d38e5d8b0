// The server's side of one connection: HTTP upgrade, WebSocket, hello, pings. Knows of no other
// connection; Hub joins them.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/key.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "signaling/http.h"
#include "signaling/protocol.h"
#include "signaling/token_bucket.h"
#include "signaling/websocket.h"

namespace floe::signaling {

/// The hello was right: `key` is who is there. Hub answers with Accept().
struct ProvenLogin {
  PublicKey key;
};

class HubConnection {
 public:
  enum class State : std::uint8_t {
    kReadingHead,    // -> kAwaitingHello, kOver
    kAwaitingHello,  // The challenge is out. -> kLoggedIn, kOver
    kLoggedIn,       // -> kOver
    kOver,           // Final: to be closed behind what was written.
  };

  static constexpr Duration kLoginDeadline = std::chrono::seconds(10);
  static constexpr Duration kPingInterval = std::chrono::seconds(30);
  static constexpr Duration kPongDeadline = std::chrono::seconds(10);
  static constexpr std::uint32_t kMessagesPerSecond = 20;
  static constexpr std::uint32_t kMessageBurst = 60;

  /// `binding` is there if TLS ends in this process. `random` must outlive the connection.
  HubConnection(TimePoint now, const SocketAddress& remote,
                const std::optional<ChannelBinding>& binding, RandomSource& random);

  /// What the hub has to act on.
  using Event = std::variant<ProvenLogin, SendRequest>;

  /// Takes bytes from the front of `input` until there is an event. To be called until it returns
  /// nothing; `input` is empty then. `path` is where the rendezvous answers.
  [[nodiscard]] std::optional<Event> Read(TimePoint now, Bytes& input, std::string_view path);

  /// Ends the wait for the hello. Only after ProvenLogin.
  void Accept(TimePoint now);

  /// Writes a frame. Nothing is written once the connection is over.
  template <typename Frame>
  void Send(const Frame& frame) {
    WriteFrame(Opcode::kText, Serialize(frame));
  }

  /// Says why, and is over.
  void Refuse(CloseCode code, std::string_view reason);

  /// Whether one more message may be sent on.
  [[nodiscard]] bool TakeToken(TimePoint now) { return bucket_.Take(now); }

  void HandleTimeout(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const;

  /// What was written since the last call.
  [[nodiscard]] std::vector<std::uint8_t> TakeOutput();

  [[nodiscard]] State state() const { return state_; }

  [[nodiscard]] const SocketAddress& remote() const { return remote_; }

 private:
  void ReadHead(Bytes& input, std::string_view path);
  void Greet();
  [[nodiscard]] std::optional<Event> HandleEvent(const WebSocketEvent& event);
  [[nodiscard]] std::optional<Event> HandleText(std::string_view text);
  [[nodiscard]] std::optional<Event> HandleHello(const Hello& hello);
  [[nodiscard]] std::optional<Event> HandleSend(SendRequest request);
  void WriteFrame(Opcode opcode, std::string_view payload);
  void Write(Bytes bytes);
  void Close(CloseCode code, std::string_view reason);

  State state_ = State::kReadingHead;
  SocketAddress remote_;
  std::optional<ChannelBinding> binding_;
  RandomSource& random_;
  HttpHeadReader head_;
  WebSocketReader reader_{WebSocketRole::kServer, kMaxClientMessage};
  PrivateKey challenge_key_;  // From the upgrade to the hello.
  Challenge challenge_;
  TokenBucket bucket_;
  TimePoint deadline_;  // Of the login; then, if pinged_, of a sign of life; else of the ping.
  bool pinged_ = false;
  std::vector<std::uint8_t> output_;
};

}  // namespace floe::signaling
