// The timers of one peer: told what was sent and received, they say what is due and when.
//
// Source: the WireGuard paper sections 6.2 to 6.5. There is no I/O and no key here.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "tunnel/constants.h"

namespace floe::tunnel {

class Timers {
 public:
  enum class Expiry : std::uint8_t {
    kRetryHandshake,       // No response within Rekey-Timeout.
    kGiveUp,               // No response within Rekey-Attempt-Time.
    kKeepalive,            // Data has come and nothing gone out for Keepalive-Timeout.
    kNewHandshake,         // Data has gone out and nothing come: the session may be dead.
    kPersistentKeepalive,  // Nothing has passed either way for the configured time.
    kSessionExpired,       // The time set by SetSessionExpiry.
    kForgetInitiations,    // No response to the last initiation is accepted any more.
    kEraseKeys,            // No handshake for three times Reject-After-Time.
  };

  /// `persistent_keepalive` 0: none.
  Timers(TimePoint now, Duration persistent_keepalive);

  /// Counts from `now`; 0: none.
  void SetPersistentKeepalive(TimePoint now, Duration interval);

  /// Starts, or starts again, the time after which attempts are given up.
  void BeginAttempts(TimePoint now) { attempts_began_ = now; }

  /// Requires BeginAttempts. `jitter` is 0 to kMaxJitter, and serves kNewHandshake too.
  void HandleInitiationSent(TimePoint now, Duration jitter);

  /// Makes the next attempt at `when` instead of now. Requires BeginAttempts.
  void RetryAt(TimePoint when) { Arm(kRetry, when); }

  void HandleHandshakeCompleted() { Disarm(kRetry); }

  /// Keys have been made, whether confirmed or not.
  void HandleSessionDerived(TimePoint now) { Arm(kErase, now + kEraseAfterTime); }

  void SetSessionExpiry(TimePoint when) { Arm(kSessionEnd, when); }

  /// A packet that is not a keepalive, besides HandleAuthenticatedSent.
  void HandleDataSent(TimePoint now);
  /// A packet that is not a keepalive, besides HandleAuthenticatedReceived.
  void HandleDataReceived(TimePoint now);
  /// Any message of ours; handshakes and keepalives too.
  void HandleAuthenticatedSent(TimePoint now);
  /// Any authentic message of the peer; handshakes and keepalives too.
  void HandleAuthenticatedReceived(TimePoint now);

  /// Whether an initiation is waiting for its response or its time.
  [[nodiscard]] bool handshake_pending() const { return deadlines_[kRetry] != kNever; }

  /// Whether more data came after what the armed keepalive will answer.
  [[nodiscard]] bool wants_another_keepalive() const { return another_keepalive_; }

  /// One thing that is due at `now`, each once; to be called until there is none.
  [[nodiscard]] std::optional<Expiry> PollExpired(TimePoint now);

  [[nodiscard]] std::optional<TimePoint> NextTimeout() const;

 private:
  enum Timer : std::uint8_t {
    kRetry,
    kPassive,
    kDead,
    kPersistent,
    kSessionEnd,
    kForget,
    kErase,
    kCount
  };

  static constexpr TimePoint kNever = TimePoint::max();

  void Arm(Timer timer, TimePoint when) { deadlines_[timer] = when; }

  void Disarm(Timer timer) { deadlines_[timer] = kNever; }

  void ArmPersistent(TimePoint now);
  [[nodiscard]] Expiry Expire(Timer timer, TimePoint now);

  std::array<TimePoint, kCount> deadlines_;
  Duration persistent_keepalive_;
  Duration jitter_{0};
  TimePoint attempts_began_;
  bool another_keepalive_ = false;
};

}  // namespace floe::tunnel
