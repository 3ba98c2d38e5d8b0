// The bridge from NextTimeout() to the event loop.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <uv.h>

#include "base/time.h"
#include "base/uv/handle.h"
#include "base/uv/loop.h"

namespace floe::uv {

/// One deadline at a time. Fires once, then is disarmed until it is armed again. The callback may
/// arm it or destroy it.
class Timer {
 public:
  /// The loop must outlive the timer.
  Timer(Loop& loop, std::function<void()> on_timeout);

  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// Replaces the deadline; nothing disarms. Fires at the deadline or up to a millisecond after it,
  /// never before it, so a machine asked for its timeouts then has one. A deadline in the past
  /// fires within a millisecond, after other events had their turn: a machine that always has
  /// something due delays the loop but does not stop it.
  void ArmAt(std::optional<TimePoint> deadline);

 private:
  static void OnTimeout(uv_timer_t* handle);

  Handle<uv_timer_t> handle_;
  std::function<void()> on_timeout_;
  std::optional<std::uint64_t> due_;  // Milliseconds on the loop's clock.
};

}  // namespace floe::uv
