// How long to wait before the next attempt: a random part of a bound that doubles.

#pragma once

#include <cstdint>

#include "base/random.h"
#include "base/time.h"

namespace floe::signaling {

/// Random over the whole of the bound, so that the machines that lost one server do not return as
/// one.
class Backoff {
 public:
  /// The first delay is at most `first`, and none is above `max`. Both are above zero.
  Backoff(Duration first, Duration max) : first_(first), max_(max), bound_(first) {}

  /// The delay before the next attempt; the bound of the one after it is twice as large.
  [[nodiscard]] Duration Next(RandomSource& random);

  void Reset() { bound_ = first_; }

 private:
  Duration first_;
  Duration max_;
  Duration bound_;
};

}  // namespace floe::signaling
