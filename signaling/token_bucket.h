// Bounds a rate: so many at once, and so many a second after that.

#pragma once

#include <cstdint>

#include "base/time.h"

namespace floe::signaling {

class TokenBucket {
 public:
  /// Starts full, with `burst` tokens. `per_second` is above zero.
  TokenBucket(TimePoint now, std::uint32_t per_second, std::uint32_t burst);

  /// Takes one token, if there is one. `now` never goes back.
  [[nodiscard]] bool Take(TimePoint now);

 private:
  Duration per_token_;
  Duration capacity_;  // The burst, as the time it takes to fill.
  Duration level_;
  TimePoint updated_;
};

}  // namespace floe::signaling
