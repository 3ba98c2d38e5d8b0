// The requests a TURN client has under way: sent, resent, authenticated, answered.
//
// Source: RFC 8489 sections 6.2.1 (retransmission) and 9.2.5 (401 and 438), RFC 8656 section 5.

#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/random.h"
#include "base/secret.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/stun/message.h"
#include "ice/stun/transaction.h"
#include "ice/turn/credentials.h"

namespace floe::ice::turn {

// What a request is for. A request that has to be sent anew, under another transaction id, is
// written anew from this.

struct AllocateIntent {
  IpFamily family = IpFamily::kIpv4;
  bool both_families = false;  // IPv6 as well, where the server has it. Only with kIpv4.
  bool mobile = false;         // Asks for a ticket, RFC 8016 section 3.1.
};

/// Keeps the allocation, or gives it back.
struct RefreshIntent {
  bool closing = false;
  std::vector<std::uint8_t> ticket = {};  // Moves the allocation to where this comes from.
};

struct PermitIntent {
  std::vector<IpAddress> peers;
};

struct BindIntent {
  std::uint16_t channel = 0;
  SocketAddress peer;
};

/// A Binding request: keeps the NAT's mapping open and shows whether it has changed.
struct ProbeIntent {};

using Intent = std::variant<AllocateIntent, RefreshIntent, PermitIntent, BindIntent, ProbeIntent>;

/// How a request ended.
struct Outcome {
  enum class Kind : std::uint8_t { kSuccess, kRefused, kTimedOut };

  Kind kind = Kind::kTimedOut;
  Intent intent;
  stun::ErrorCode code{};  // Why it was refused.
};

class Requests {
 public:
  /// `random` must outlive this. Over TCP nothing is sent a second time.
  Requests(RandomSource& random, Transport transport, std::string username, SecretString password);

  /// Sends the request, authenticated if the server's challenge is known.
  void Start(TimePoint now, Intent intent);

  /// True if a request with this id waits for its answer.
  [[nodiscard]] bool Knows(const stun::TransactionId& id) const;

  /// Takes a response. Returns how its request ended, or nothing: because nothing is waiting for
  /// it, because it is a forgery, or because the request goes out again with what it taught us.
  /// The outcome of success is the response of an authenticated request only if the integrity of
  /// that response was verified.
  [[nodiscard]] std::optional<Outcome> HandleResponse(TimePoint now,
                                                      const stun::MessageView& response);

  /// Resends what is due. Returns a request that has timed out; to be called until it has none.
  [[nodiscard]] std::optional<Outcome> HandleTimeout(TimePoint now);

  /// Forgets every request under way, and keeps what has to be sent.
  void CancelAll() { pending_.clear(); }

  /// The same, and returns what they were for.
  [[nodiscard]] std::vector<Intent> TakeAll();

  /// Forgets the Refresh under way, if there is one.
  void CancelRefresh();

  /// True if a realm and a nonce are known, so that what is started is authenticated.
  [[nodiscard]] bool authenticated() const { return credentials_.ready(); }

  [[nodiscard]] std::optional<std::vector<std::uint8_t>> PollTransmit();
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const;

 private:
  struct Pending {
    stun::TransactionId id;
    Intent intent;
    std::vector<std::uint8_t> bytes;
    stun::Transaction timer;
    bool authenticated = false;
    std::uint32_t stale_in_a_row = 0;
  };

  using Iterator = std::vector<Pending>::iterator;

  void Send(TimePoint now, Intent intent, std::uint32_t stale_in_a_row);
  [[nodiscard]] std::optional<Outcome> HandleError(TimePoint now, Iterator request,
                                                   const stun::MessageView& response);
  [[nodiscard]] Outcome Finish(Iterator request, Outcome::Kind kind, stun::ErrorCode code = {});

  RandomSource& random_;
  const Transport transport_;
  Credentials credentials_;
  std::vector<Pending> pending_;
  std::deque<std::vector<std::uint8_t>> outbox_;
};

}  // namespace floe::ice::turn
