// The rendezvous server: proves who is there, and carries boxes from one node to another.
//
// Sans-IO: the owner accepts byte streams (with TLS below them or without) and names them. After
// every input it drains PollAction(), then sleeps until NextTimeout(). It also bounds how many
// connections there are: of one that has not proven itself the hub keeps nothing else.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/key.h"
#include "base/random.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "signaling/hub_connection.h"
#include "signaling/protocol.h"
#include "signaling/url.h"

namespace floe::signaling {

/// The owner's number of a connection. Not used again while the hub knows it.
using ConnectionId = std::uint64_t;

/// What a node is told about the servers it may use. At most kMaxUrls of each.
class WelcomeSource {
 public:
  virtual ~WelcomeSource() = default;

  WelcomeSource(const WelcomeSource&) = delete;
  WelcomeSource& operator=(const WelcomeSource&) = delete;

  /// RFC 7064 URIs.
  [[nodiscard]] virtual std::vector<std::string> StunUrls() = 0;

  /// Fresh credentials for this node. Asked at each login, and again when half of the shortest ttl
  /// has gone.
  [[nodiscard]] virtual std::vector<TurnCredentials> MakeTurn(const PublicKey& node) = 0;

 protected:
  WelcomeSource() = default;
};

struct HubConfig {
  std::string path{kDefaultPath};  // Where nodes connect; another path is not found.
};

struct HubWrite {
  ConnectionId id = 0;
  std::vector<std::uint8_t> bytes;  // Behind what was written before.
};

/// The connection is forgotten by the hub; nothing more is to be told about it.
struct HubClose {
  enum class Mode : std::uint8_t {
    kFlush,  // Write what was written before, for a second or so, then close.
    kAbort,  // At once: it does not take what it is sent.
  };

  ConnectionId id = 0;
  Mode mode = Mode::kFlush;
};

using HubAction = std::variant<HubWrite, HubClose>;

/// Since the start.
struct HubCounters {
  std::uint64_t opened = 0;  // Connections.
  std::uint64_t logins = 0;
  std::uint64_t replaced = 0;   // Logins that a newer one of the same node has ended.
  std::uint64_t slow = 0;       // Connections closed because they did not read.
  std::uint64_t delivered = 0;  // Messages, by what became of them.
  std::uint64_t offline = 0;
  std::uint64_t limited = 0;
};

class Hub {
 public:
  /// Bytes given to the owner that HandleWritten() has not told about.
  static constexpr std::size_t kMaxUnwritten = 256 * 1024;
  /// For so long there may be some; then the connection is closed.
  static constexpr Duration kReadDeadline = std::chrono::seconds(10);
  /// Messages to one node that it has not taken yet; more are limited.
  static constexpr std::size_t kMaxUndelivered = 64;
  /// Credentials are never renewed more often than that.
  static constexpr Duration kMinRenewal = std::chrono::seconds(30);

  /// `source` and `random` must outlive the hub.
  Hub(HubConfig config, WelcomeSource& source, RandomSource& random);

  /// A stream was accepted from `remote`. Where TLS ends in this process, logins are bound to it.
  void HandleOpened(TimePoint now, ConnectionId id, const SocketAddress& remote,
                    const std::optional<ChannelBinding>& binding = {});
  void HandleBytes(TimePoint now, ConnectionId id, Bytes bytes);
  /// The operating system has taken so many of the bytes of HubWrite.
  void HandleWritten(TimePoint now, ConnectionId id, std::size_t bytes);
  /// The stream has ended.
  void HandleClosed(TimePoint now, ConnectionId id);

  void HandleTimeout(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const;
  [[nodiscard]] std::optional<HubAction> PollAction();

  [[nodiscard]] bool IsOnline(const PublicKey& node) const { return online_.contains(node); }

  /// Nodes that are logged in.
  [[nodiscard]] std::size_t online() const { return online_.size(); }

  [[nodiscard]] std::size_t connections() const { return entries_.size(); }

  [[nodiscard]] const HubCounters& counters() const { return counters_; }

 private:
  /// A message that is answered when its target has taken it, or is gone.
  struct Undelivered {
    std::uint64_t end = 0;  // Of the bytes for the target, counted from its first.
    ConnectionId sender = 0;
    std::uint64_t request = 0;
  };

  /// What is to be told to the sender of a message.
  struct Outcome {
    ConnectionId sender = 0;
    std::uint64_t request = 0;
    Delivery delivery = Delivery::kDelivered;
  };

  struct Entry {
    HubConnection connection;
    std::optional<PublicKey> node;  // Set by the login.
    std::uint64_t queued = 0;       // Bytes given to the owner,
    std::uint64_t written = 0;      // and how many of them are told of.
    std::deque<Undelivered> undelivered;
    std::optional<TimePoint> read_by;    // While there are others.
    std::optional<TimePoint> renew_at;   // Of the TURN credentials.
    std::optional<TimePoint> scheduled;  // Its place in timers_.
  };

  void HandleEvent(TimePoint now, ConnectionId id, HubConnection::Event event);
  void HandleLogin(TimePoint now, ConnectionId id, const PublicKey& node);
  void HandleSend(TimePoint now, ConnectionId id, SendRequest request);
  /// Nothing if the answer has to wait.
  [[nodiscard]] std::optional<Delivery> Deliver(TimePoint now, const PublicKey& from,
                                                ConnectionId sender, SendRequest& request);
  void AnswerSenders(TimePoint now);
  void SendWelcome(TimePoint now, Entry& entry);
  void Count(Delivery delivery);
  void Settle(TimePoint now, ConnectionId id);
  void CloseSlow(ConnectionId id);
  void Schedule(ConnectionId id, Entry& entry);
  void Forget(ConnectionId id);

  HubConfig config_;
  WelcomeSource& source_;
  RandomSource& random_;
  std::unordered_map<ConnectionId, Entry> entries_;
  std::map<PublicKey, ConnectionId> online_;
  std::set<std::pair<TimePoint, ConnectionId>> timers_;
  std::deque<HubAction> actions_;
  std::deque<Outcome> outcomes_;
  HubCounters counters_;
};

}  // namespace floe::signaling
