#include "signaling/backoff.h"

#include <algorithm>
#include <array>

namespace floe::signaling {

Duration Backoff::Next(RandomSource& random) {
  std::array<std::uint8_t, 8> bytes{};
  random.Fill(bytes);
  // For a bound of seconds the bias of the remainder is below one part in 2^28.
  const auto choices = static_cast<std::uint64_t>(bound_.count()) + 1;
  const std::uint64_t choice = LoadBe<std::uint64_t>(bytes, 0) % choices;
  bound_ = std::min(bound_ * 2, max_);
  return Duration(static_cast<Duration::rep>(choice));
}

}  // namespace floe::signaling
