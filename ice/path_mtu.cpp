#include "ice/path_mtu.h"

#include <algorithm>
#include <chrono>

namespace floe::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kMaxProbes =
    3;  // RFC 8899 section 5.1.2: so many lost, and it does not fit.
// To go below what carries data takes more: a path that loses a fifth must not be taken for narrow.
constexpr std::uint32_t kMaxProbesInUse = 5;
// The answer of a probe is small and needs no acknowledgement to be delayed, so a second is not
// needed (section 5.1.1): the round trip is known.
constexpr Duration kMinGap = milliseconds(250);
constexpr Duration kMaxGap = seconds(3);
constexpr Duration kMaxSilentGap = seconds(15);
constexpr Duration kRaise = seconds(600);   // PMTU_RAISE_TIMER, section 5.1.1
constexpr Duration kConfirm = seconds(30);  // CONFIRMATION_TIMER, likewise, while data goes out

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
  state_ = State::kConfirming;
  probes_.Clear();
  Try(now, size_);
}

void PathMtu::Stop() {
  state_ = State::kOff;
  size_ = 0;
  wake_.reset();
  probes_.Clear();
}

void PathMtu::Try(TimePoint now, std::size_t size) {
  trying_ = size;
  lost_ = 0;
  silent_ = 0;
  SendAttempt(now);
}

void PathMtu::SendAttempt(TimePoint now) {
  small_answered_ = false;
  probes_.Push(std::size_t{0});
  probes_.Push(trying_);
  ++counters_.probes;
  const Duration gap = gap_ * (1U << std::min(silent_, 8U));
  wake_ = now + std::min<Duration>(gap, kMaxSilentGap);
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
  size_ = std::max(size_, size);
  if (too_big_ != 0 && size >= too_big_) {
    too_big_ = 0;
  }
  if (state_ != State::kComplete && size >= trying_) {
    confirmed_ = now;
    SearchOn(now);
  }
}

void PathMtu::HandleTimeout(TimePoint now) {
  if (!wake_ || now < *wake_) {
    return;
  }
  if (state_ == State::kComplete) {
    const bool sending = data_sent_ && (!confirmed_ || *data_sent_ > *confirmed_);
    if (now >= raise_at_ && size_ < sizes_.most) {
      too_big_ = 0;
    } else if (!sending) {
      wake_ = now + kConfirm;
      return;
    }
    state_ = State::kConfirming;
    Try(now, size_);
    return;
  }
  if (!small_answered_) {
    ++silent_;
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
  std::size_t next = sizes_.most;
  if (too_big_ != 0) {
    next = size_ + (too_big_ - size_) / 2 / kStep * kStep;
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
