// Runs an event loop in a test, which then ends even where what it waits for does not come.

#pragma once

#include <cstdint>
#include <gtest/gtest.h>
#include <uv.h>

#include "base/uv/handle.h"
#include "base/uv/loop.h"

namespace floe::test {

/// Runs until a callback calls Stop() or nothing is left to wait for. Fails the test after 10 s.
inline void RunLoop(uv::Loop& loop) {
  constexpr std::uint64_t kPatience = 10'000;  // milliseconds
  const auto guard = uv::MakeHandle<uv_timer_t>(
      [&](uv_timer_t* raw) { return uv_timer_init(loop.raw(), raw); }, "uv_timer_init");
  uv_update_time(loop.raw());  // It may not have run for a while.
  uv_timer_start(
      guard->get(),
      [](uv_timer_t* raw) {
        ADD_FAILURE() << "what the test waits for did not come";
        uv_stop(raw->loop);
      },
      kPatience, /*repeat=*/0);
  uv_unref(reinterpret_cast<uv_handle_t*>(guard->get()));  // It does not count as work left.
  loop.Run();
}

}  // namespace floe::test
