// The event loop of the control thread.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <uv.h>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace floe::uv {

/// Owns a uv_loop_t. Everything made on it must be destroyed before it, and it must not be
/// destroyed by one of its callbacks. Its destructor waits for what is still being closed, which
/// includes a name lookup that has begun on its thread.
class Loop {
 public:
  /// Also makes the process ignore SIGPIPE: libuv writes with write(2), which would raise it.
  [[nodiscard]] static Result<std::unique_ptr<Loop>> Make();

  /// Takes a loop that uv_loop_init() has made. Use Make().
  explicit Loop(std::unique_ptr<uv_loop_t> loop);
  ~Loop();

  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Handles events until Stop() is called or nothing is left to wait for.
  void Run();

  /// Makes Run() return at the end of this turn. For callbacks, on the loop's thread.
  void Stop();

  /// The monotonic clock, read at each call.
  [[nodiscard]] static TimePoint Now();

  [[nodiscard]] uv_loop_t* raw() { return loop_.get(); }

  /// Where the bytes of streams are read to. What is in it is good until the callback that was
  /// handed it returns: libuv fills it and calls back before it reads again, so one is enough.
  [[nodiscard]] MutableBytes read_buffer() { return read_buffer_; }

 private:
  static constexpr std::size_t kReadBufferSize = 64UL * 1024;  // bytes

  std::unique_ptr<uv_loop_t> loop_;
  std::vector<std::uint8_t> read_buffer_;
};

}  // namespace floe::uv
