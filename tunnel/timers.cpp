#include "tunnel/timers.h"

#include <algorithm>

#include "base/check.h"

namespace floe::tunnel {

Timers::Timers(TimePoint now, Duration persistent_keepalive)
    : persistent_keepalive_(persistent_keepalive), attempts_began_(now) {
  deadlines_.fill(kNever);
  ArmPersistent(now);
}

void Timers::SetPersistentKeepalive(TimePoint now, Duration interval) {
  persistent_keepalive_ = interval;
  Disarm(kPersistent);
  ArmPersistent(now);
}

void Timers::HandleInitiationSent(TimePoint now, Duration jitter) {
  jitter_ = jitter;
  Arm(kRetry, now + kRekeyTimeout + jitter);
  Arm(kForget, now + kResponseDeadline);
}

void Timers::HandleDataSent(TimePoint now) {
  if (deadlines_[kDead] == kNever) {
    Arm(kDead, now + kKeepaliveTimeout + kRekeyTimeout + jitter_);
  }
}

void Timers::HandleDataReceived(TimePoint now) {
  if (deadlines_[kPassive] == kNever) {
    Arm(kPassive, now + kKeepaliveTimeout);
  } else {
    another_keepalive_ = true;
  }
}

void Timers::HandleAuthenticatedSent(TimePoint now) {
  Disarm(kPassive);
  another_keepalive_ = false;
  ArmPersistent(now);
}

void Timers::HandleAuthenticatedReceived(TimePoint now) {
  Disarm(kDead);
  ArmPersistent(now);
}

std::optional<Timers::Expiry> Timers::PollExpired(TimePoint now) {
  for (std::uint8_t i = 0; i < kCount; ++i) {
    const auto timer = static_cast<Timer>(i);
    if (deadlines_[timer] <= now) {
      Disarm(timer);
      return Expire(timer, now);
    }
  }
  return std::nullopt;
}

std::optional<TimePoint> Timers::NextTimeout() const {
  const TimePoint next = *std::ranges::min_element(deadlines_);
  return next == kNever ? std::nullopt : std::optional(next);
}

void Timers::ArmPersistent(TimePoint now) {
  if (persistent_keepalive_ > Duration::zero()) {
    Arm(kPersistent, now + persistent_keepalive_);
  }
}

Timers::Expiry Timers::Expire(Timer timer, TimePoint now) {
  switch (timer) {
    case kRetry:
      if (now - attempts_began_ < kRekeyAttemptTime) {
        return Expiry::kRetryHandshake;
      }
      Disarm(kPassive);
      Disarm(kForget);  // All of them are, at once.
      if (deadlines_[kErase] == kNever) {
        Arm(kErase, now + kEraseAfterTime);
      }
      return Expiry::kGiveUp;
    case kPassive:
      return Expiry::kKeepalive;
    case kDead:
      return Expiry::kNewHandshake;
    case kPersistent:
      // What it leads to may send nothing, while a handshake is pending.
      ArmPersistent(now);
      return Expiry::kPersistentKeepalive;
    case kSessionEnd:
      return Expiry::kSessionExpired;
    case kForget:
      return Expiry::kForgetInitiations;
    case kErase:
      return Expiry::kEraseKeys;
    case kCount:
      break;
  }
  FLOE_CHECK(false);
  return Expiry::kEraseKeys;
}

}  // namespace floe::tunnel
