#include "tunnel/replay_window.h"

#include <algorithm>

namespace floe::tunnel {
namespace {

constexpr std::uint64_t BitOf(std::uint64_t counter) {
  return std::uint64_t{1} << (counter % 64);
}

}  // namespace

bool ReplayWindow::IsFresh(std::uint64_t counter) const {
  if (counter > highest_) {
    return true;
  }
  if (highest_ - counter > kReach) {
    return false;
  }
  return (seen_[counter / 64 % seen_.size()] & BitOf(counter)) == 0;
}

void ReplayWindow::Accept(std::uint64_t counter) {
  const std::uint64_t word = counter / 64;
  if (word > 0) {
    seen_.resize(kWords);
  }
  if (counter > highest_) {
    // The words between the old highest and this one held counters that go out of reach.
    const std::uint64_t highest_word = highest_ / 64;
    const std::uint64_t steps = std::min<std::uint64_t>(word - highest_word, kWords);
    for (std::uint64_t i = 1; i <= steps; ++i) {
      seen_[(highest_word + i) % kWords] = 0;
    }
    highest_ = counter;
  }
  seen_[word % seen_.size()] |= BitOf(counter);
}

}  // namespace floe::tunnel
