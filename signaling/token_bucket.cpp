#include "signaling/token_bucket.h"

#include <algorithm>
#include <chrono>

namespace floe::signaling {

TokenBucket::TokenBucket(TimePoint now, std::uint32_t per_second, std::uint32_t burst)
    : per_token_(Duration(std::chrono::seconds(1)) / per_second),
      capacity_(per_token_ * burst),
      level_(capacity_),
      updated_(now) {}

bool TokenBucket::Take(TimePoint now) {
  level_ = std::min(capacity_, level_ + (now - updated_));
  updated_ = now;
  if (level_ < per_token_) {
    return false;
  }
  level_ -= per_token_;
  return true;
}

}  // namespace floe::signaling
