// How often checks may start, of all agents of a machine together.
//
// Source: RFC 8445 section 14.2.

#pragma once

#include <algorithm>
#include <chrono>

#include "base/time.h"

namespace floe::ice {

/// Hands out places in a row, so that a thousand agents wait for one another without asking again.
class Pacer {
 public:
  static constexpr Duration kGap = std::chrono::milliseconds(5);
  static constexpr int kBurst = 4;  // What may start at once after a pause.

  /// When a check that is ready at `now` may start: `now` or later. The place is then taken.
  [[nodiscard]] TimePoint Reserve(TimePoint now) {
    const TimePoint place = std::max(next_, now - (kBurst - 1) * kGap);
    next_ = place + kGap;
    return std::max(place, now);
  }

 private:
  TimePoint next_{};
};

}  // namespace floe::ice
