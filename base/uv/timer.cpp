#include "base/uv/timer.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "base/uv/callback.h"

namespace floe::uv {
namespace {

/// The first whole millisecond at which `deadline` has passed. libuv's clock and steady_clock are
/// both CLOCK_MONOTONIC, so the number means the same to either.
std::uint64_t Milliseconds(TimePoint deadline) {
  const auto since_boot = std::chrono::ceil<std::chrono::milliseconds>(deadline.time_since_epoch());
  return static_cast<std::uint64_t>(std::max<std::int64_t>(since_boot.count(), 0));
}

}  // namespace

Timer::Timer(Loop& loop, std::function<void()> on_timeout)
    : handle_(std::make_unique<uv_timer_t>().release()), on_timeout_(std::move(on_timeout)) {
  uv_timer_init(loop.raw(), handle_.get());  // Cannot fail.
  handle_->data = this;
}

void Timer::ArmAt(std::optional<TimePoint> deadline) {
  if (!deadline) {
    due_.reset();
    uv_timer_stop(handle_.get());
    return;
  }
  const std::uint64_t due = Milliseconds(*deadline);
  if (due_ == due) {
    return;
  }
  due_ = due;
  // uv_timer_start() counts from the time the loop last looked at the clock, and so does this: what
  // comes out is `due`. At least one, because libuv 1.44 would run a timer that is armed for its
  // own present again and again without looking at anything else.
  const std::uint64_t looked = uv_now(handle_->loop);
  uv_timer_start(handle_.get(), OnTimeout, due > looked ? due - looked : 1, /*repeat=*/0);
}

void Timer::OnTimeout(uv_timer_t* handle) {
  if (auto* timer = static_cast<Timer*>(handle->data)) {
    timer->due_.reset();
    Invoke(handle, &Timer::on_timeout_);
  }
}

}  // namespace floe::uv
