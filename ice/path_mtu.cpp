#include "ice/path_mtu.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace floe::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// RFC 8899 section 5.1.2: so many lost, and it does not fit.
constexpr std::uint32_t kMaxProbes = 3;
// To go below what carries data takes more: a path that loses a fifth must not be taken for narrow.
constexpr std::uint32_t kMaxProbesInUse = 5;
// The answer of a probe is small and needs no acknowledgement to be delayed, so a second is not
// needed (section 5.1.1): the round trip is known.
constexpr Duration kMinGap = milliseconds(250);
constexpr Duration kMaxGap = seconds(3);
constexpr Duration kMaxSilentGap = seconds(15);
constexpr Duration kRaise = seconds(600);     // PMTU_RAISE_TIMER, section 5.1.1
constexpr Duration kConfirm = seconds(30);    // CONFIRMATION_TIMER, likewise, while data goes out
constexpr Duration kDistrust = seconds(600);  // As long as Linux keeps what it was told.
constexpr std::uint8_t kMaxSilent = 8;        // Gaps grow no longer.

}  // namespace

std::string_view ToString(PathMtu::State state) {
  switch (state) {
    case PathMtu::State::kOff:
      return "off";
    case PathMtu::State::kConfirming:
      return "confirming";
    case PathMtu::State::kSearching:
      return "searching";
    case PathMtu::State::kComplete:
      return "complete";
  }
  return "unknown";
}

void PathMtu::Begin(TimePoint now, const Sizes& sizes, Duration rtt) {
  sizes_ = sizes;
  gap_ = std::clamp<Duration>(3 * rtt, kMinGap, kMaxGap);
  size_ = sizes_.start;
  too_big_ = 0;
  told_ = 0;
  distrust_until_ = TimePoint::min();
  state_ = State::kConfirming;
  trying_ = size_;
  lost_ = 0;
  silent_ = 0;
  small_answered_ = false;
  wake_ = now + gap_;
}

void PathMtu::Stop() {
  state_ = State::kOff;
  size_ = 0;
  wake_ = TimePoint::max();
  small_due_ = false;
  large_due_ = false;
}

void PathMtu::Try(TimePoint now, Size size) {
  trying_ = size;
  lost_ = 0;
  silent_ = 0;
  SendAttempt(now);
}

void PathMtu::SendAttempt(TimePoint now) {
  small_answered_ = false;
  small_due_ = true;
  large_due_ = true;
  ++counters_.probes;
  const Duration gap = gap_ * (1U << silent_);
  wake_ = now + std::min<Duration>(gap, kMaxSilentGap);
}

std::optional<std::size_t> PathMtu::PollProbe() {
  if (std::exchange(small_due_, false)) {
    return 0;
  }
  return std::exchange(large_due_, false) ? std::optional(trying_) : std::nullopt;
}

void PathMtu::HandleAnswer(TimePoint now, std::size_t size) {
  if (state_ == State::kOff) {
    return;
  }
  small_answered_ = true;
  if (size == 0) {
    return;
  }
  // Late answers count too, also those to sizes that had been given up.
  size_ = std::max(size_, static_cast<Size>(std::min<std::size_t>(size, sizes_.most)));
  if (told_ != 0 && size > told_) {
    told_ = 0;
    distrust_until_ = now + kDistrust;
  }
  if (too_big_ != 0 && size >= too_big_) {
    too_big_ = 0;
  }
  if (state_ != State::kComplete && size >= trying_) {
    data_sent_ = false;
    SearchOn(now);
  }
}

void PathMtu::HandleTimeout(TimePoint now) {
  if (now < wake_) {
    return;
  }
  if (state_ == State::kComplete) {
    if (now >= raise_at_ && size_ < sizes_.most) {
      too_big_ = 0;
      told_ = 0;
    } else if (!data_sent_) {
      wake_ = now + kConfirm;
      return;
    }
    state_ = State::kConfirming;
    Try(now, size_);
    return;
  }
  if (!small_answered_) {
    if (silent_ < kMaxSilent) {
      ++silent_;
    }
    SendAttempt(now);
    return;
  }
  silent_ = 0;
  if (++lost_ < (trying_ <= size_ ? kMaxProbesInUse : kMaxProbes)) {
    SendAttempt(now);
    return;
  }
  FailProbe(now);
}

// Section 4.6.2. That of what is being tried waits for the attempt under way: the network may say
// it at once, of what it was told before, and be wrong.
void PathMtu::HandleTooBig(TimePoint now, std::size_t size) {
  const std::size_t fits = std::max<std::size_t>(size / kStep * kStep, sizes_.least);
  const bool trying = state_ == State::kConfirming || state_ == State::kSearching;
  if (state_ == State::kOff || now < distrust_until_ ||
      fits >= (trying ? std::max(size_, trying_) : size_)) {
    return;
  }
  told_ = static_cast<Size>(fits);
  if (fits >= size_) {
    lost_ = kMaxProbes - 1;
    return;
  }
  size_ = told_;
  too_big_ = 0;
  state_ = State::kSearching;
  Try(now, size_);
}

void PathMtu::FailProbe(TimePoint now) {
  too_big_ = trying_;
  if (trying_ > size_) {
    SearchOn(now);
    return;
  }
  // What is in use does not pass: a black hole (section 4.3). The base is tried before anything is
  // built on it.
  ++counters_.black_holes;
  size_ = trying_ > sizes_.base ? sizes_.base : sizes_.least;
  state_ = State::kSearching;
  if (size_ == sizes_.least) {
    SearchOn(now);
  } else {
    Try(now, size_);
  }
}

void PathMtu::SearchOn(TimePoint now) {
  if (size_ >= sizes_.most) {
    Complete(now);
    return;
  }
  // All that is wanted at once, and then the middle of what is left.
  Size next = sizes_.most;
  if (too_big_ != 0) {
    const std::size_t left = std::size_t{too_big_} - size_;
    next = static_cast<Size>(size_ + left / 2 / kStep * kStep);
    if (told_ >= size_ && told_ < too_big_) {  // Then whether that is all.
      next = static_cast<Size>(told_ + (told_ == size_ ? kStep : 0));
      next = next == too_big_ ? size_ : next;
    }
  }
  if (next <= size_) {
    Complete(now);
    return;
  }
  state_ = State::kSearching;
  Try(now, next);
}

void PathMtu::Complete(TimePoint now) {
  if (state_ != State::kConfirming || raise_at_ <= now) {
    raise_at_ = now + kRaise;
  }
  state_ = State::kComplete;
  wake_ = now + kConfirm;
}

}  // namespace floe::ice
