// How many handshakes are worked on, and whose: the rest is asked for a cookie, or dropped.
//
// Source: the WireGuard paper sections 5.3 and 5.4.7; the rates for each source are those of the
// Linux implementation.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "base/socket_address.h"
#include "base/time.h"

namespace floe::tunnel {

/// A rate and how far ahead of it one may be. Starts with the whole burst.
struct Rate {
  std::uint32_t per_second = 1;
  std::uint32_t burst = 1;
};

/// Handshake messages in which mac1 is right, as anybody can make them who knows our public key.
struct HandshakeLimits {
  /// More than these, and a cookie is asked for. A key agreement for a stranger takes about 50 us.
  Rate unproven{1000, 1000};
  /// Of all sources together that have shown a cookie: the key agreements that we can bear.
  Rate proven{2000, 1000};
  /// Of one source that has shown a cookie: an IPv4 address, or an IPv6 network of 64 bits.
  Rate per_source{20, 5};
  /// Cookies handed out. Sending one costs more than all else that a stranger can make us do then.
  Rate replies{20'000, 1000};
};

/// The virtual scheduling of ITU-T I.371: when the next one would come at the rate exactly.
class RateGate {
 public:
  /// Passes if it is open.
  [[nodiscard]] bool TryPass(TimePoint now, const Rate& rate) {
    const bool open = IsOpen(now, rate);
    if (open) {
      Pass(now, rate);
    }
    return open;
  }

  [[nodiscard]] bool IsOpen(TimePoint now, const Rate& rate) const {
    return due_ - now <= Interval(rate) * (rate.burst - 1);
  }

  void Pass(TimePoint now, const Rate& rate) { due_ = std::max(due_, now) + Interval(rate); }

  /// Whether it is as if nothing had ever passed.
  [[nodiscard]] bool IsFull(TimePoint now) const { return due_ <= now; }

 private:
  static Duration Interval(const Rate& rate) {
    return Duration(std::chrono::seconds(1)) / rate.per_second;
  }

  TimePoint due_{};
};

class HandshakeLimiter {
 public:
  explicit HandshakeLimiter(const HandshakeLimits& limits) : limits_(limits) {}

  /// To be told of each message whose mac1 is right. True: this one needs a cookie. Stays so for a
  /// second after the last that was too many.
  [[nodiscard]] bool NeedsCookie(TimePoint now);

  /// When it ends that cookies are needed, if nothing more comes.
  [[nodiscard]] TimePoint loaded_until() const { return loaded_until_; }

  /// Whether a message that needs a cookie and has it is worked on.
  [[nodiscard]] bool Admit(TimePoint now, const SocketAddress& source);

  /// Whether one that has none is given a cookie.
  [[nodiscard]] bool MayReply(TimePoint now);

  [[nodiscard]] std::size_t sources() const { return sources_.size(); }

 private:
  HandshakeLimits limits_;
  RateGate unproven_;
  RateGate proven_;
  RateGate replies_;
  TimePoint loaded_until_{};
  // Those that have not their whole burst any more, and some that have: bounded by what `proven`
  // lets in while one burst comes back.
  std::unordered_map<IpAddress, RateGate, IpAddressHash> sources_;
};

}  // namespace floe::tunnel
