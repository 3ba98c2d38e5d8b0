// One node's connection to one rendezvous server: opened, proven, kept alive, opened again.
//
// Sans-IO: the owner opens the byte streams (TCP, or TLS for wss) that PollAction() asks for and
// carries the bytes. After every input it drains PollAction() and PollEvent(), then sleeps until
// NextTimeout().

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/key.h"
#include "base/random.h"
#include "base/time.h"
#include "signaling/backoff.h"
#include "signaling/http.h"
#include "signaling/protocol.h"
#include "signaling/url.h"
#include "signaling/websocket.h"

namespace floe::signaling {

struct ClientConfig {
  Url url;
};

/// What the owner is to do with the one stream there is at a time, in this order.
struct Connect {};  // Open a stream to url(); then HandleConnected() or HandleClosed().

struct Write {
  std::vector<std::uint8_t> bytes;
};

struct Disconnect {};  // Close the stream behind what was written. Nothing more is told about it.

using ClientAction = std::variant<Connect, Write, Disconnect>;

struct LoggedIn {
  Welcome welcome;
};

/// The server sent fresh TURN credentials in place of those that are about to run out.
struct Renewed {
  Welcome welcome;
};

struct Received {
  PublicKey from;
  std::string box;
};

struct Answered {
  enum class Result : std::uint8_t {
    kDelivered,
    kOffline,
    kLimited,       // The server's limit, or ours on messages that wait.
    kNotConnected,  // No connection, or it was lost before the answer came: it may have arrived.
    kTooLarge,      // Not a box, or longer than kMaxBoxSize: not sent.
  };

  std::uint64_t id = 0;
  PublicKey to;
  Result result = Result::kDelivered;
};

[[nodiscard]] std::string_view ToString(Answered::Result result);

/// A login or an attempt at one has ended.
struct LoggedOut {
  std::string reason;                 // For a person. Printable ASCII.
  std::optional<TimePoint> retry_at;  // Nothing after Stop().
};

using ClientEvent = std::variant<LoggedIn, Renewed, Received, Answered, LoggedOut>;

class Client {
 public:
  enum class State : std::uint8_t {
    kStopped,     // -> kConnecting
    kWaiting,     // Until the next attempt. -> kConnecting, kStopped
    kConnecting,  // The owner opens a stream. -> kUpgrading, kWaiting, kConnecting, kStopped
    kUpgrading,   // The HTTP request is out. -> kGreeting, kWaiting, kConnecting, kStopped
    kGreeting,    // Waits for the challenge. -> kProving, kWaiting, kConnecting, kStopped
    kProving,     // The hello is out. -> kLoggedIn, kWaiting, kConnecting, kStopped
    kLoggedIn,    // -> kWaiting, kConnecting, kStopped
  };

  static constexpr Duration kLoginDeadline = std::chrono::seconds(10);
  static constexpr Duration kPingInterval = std::chrono::seconds(25);
  static constexpr Duration kPongDeadline = std::chrono::seconds(10);
  static constexpr Duration kProbeDeadline = std::chrono::seconds(3);  // After a network change.
  static constexpr Duration kFirstRetry = std::chrono::milliseconds(500);
  static constexpr Duration kMaxRetry = std::chrono::seconds(30);
  static constexpr Duration kStable = std::chrono::seconds(60);  // Logged in that long: reset.
  static constexpr std::size_t kMaxQueued = 64;       // Messages that wait for the hello to go out.
  static constexpr std::size_t kMaxUnanswered = 256;  // Messages in all.

  /// `key` and `random` must outlive the client; `public_key` belongs to `key`.
  Client(ClientConfig config, const PrivateKey& key, const PublicKey& public_key,
         RandomSource& random);

  void Start(TimePoint now);
  /// Says goodbye and ends. Start() may follow.
  void Stop(TimePoint now);

  // About the stream of the latest Connect. What comes in a state without a stream is ignored.
  /// `binding` is that of the TLS below, if there is one.
  void HandleConnected(TimePoint now, const std::optional<ChannelBinding>& binding = {});
  void HandleBytes(TimePoint now, Bytes bytes);
  /// The stream could not be opened, or it has ended. `reason` is for a person.
  void HandleClosed(TimePoint now, std::string_view reason);

  /// Addresses or routes have changed: connects at once if it was waiting, and gives the connection
  /// kProbeDeadline to prove itself.
  void HandleNetworkChange(TimePoint now);

  /// Returns the id that Answered will carry, exactly once. Until the hello is out messages are
  /// queued; without a connection Answered{kNotConnected} is there at once.
  std::uint64_t Send(TimePoint now, const PublicKey& to, std::string box);

  void HandleTimeout(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const;

  [[nodiscard]] std::optional<ClientAction> PollAction();
  [[nodiscard]] std::optional<ClientEvent> PollEvent();

  [[nodiscard]] State state() const { return state_; }

  [[nodiscard]] const Url& url() const { return config_.url; }

  /// The latest round trip of a WebSocket ping; nothing before the first and without a login.
  [[nodiscard]] std::optional<Duration> rtt() const { return rtt_; }

 private:
  struct Queued {
    std::uint64_t id;
    std::string box;
  };

  [[nodiscard]] bool has_stream() const;
  void BeginAttempt(TimePoint now);
  void Lose(TimePoint now, std::string_view reason);
  void CloseAndLose(TimePoint now, CloseCode code, std::string_view reason);
  void FailUnanswered();
  void WriteFrame(Opcode opcode, std::string_view payload);
  void HandleUpgrade(TimePoint now, Bytes& input);
  void HandleWebSocketEvent(TimePoint now, const WebSocketEvent& event);
  void HandleText(TimePoint now, std::string_view text);
  void HandleFrame(TimePoint now, const Challenge& challenge);
  void HandleFrame(TimePoint now, Welcome welcome);
  void HandleFrame(TimePoint now, const SendAnswer& answer);
  void HandleFrame(TimePoint now, ReceivedBox received);
  void HandleFrame(TimePoint now, const Refusal& refusal);
  void SendPing(TimePoint now, Duration deadline);
  void HandlePong(TimePoint now, std::string_view payload);

  ClientConfig config_;
  const PrivateKey& key_;
  PublicKey public_key_;
  RandomSource& random_;
  State state_ = State::kStopped;

  // The attempt, and the connection that came of it.
  TimePoint deadline_{};  // kWaiting: the next attempt. Until kLoggedIn: the end of this one.
  std::optional<ChannelBinding> binding_;
  std::string websocket_key_;
  HttpHeadReader head_;
  WebSocketReader reader_{WebSocketRole::kClient, kMaxServerMessage};
  TimePoint logged_in_at_{};
  Backoff backoff_{kFirstRetry, kMaxRetry};
  bool reconnect_at_once_ = false;  // The network has changed and nothing has answered since.

  // Pings, in kLoggedIn.
  Duration ping_interval_ = kPingInterval;
  TimePoint next_ping_{};
  TimePoint ping_sent_{};
  std::optional<TimePoint> pong_deadline_;
  std::uint64_t ping_number_ = 0;
  std::optional<Duration> rtt_;

  // Messages.
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, PublicKey> unanswered_;  // By id. Holds what is queued, too.
  std::vector<Queued> queued_;

  std::deque<ClientAction> actions_;
  std::deque<ClientEvent> events_;
};

}  // namespace floe::signaling
