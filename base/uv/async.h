// The way back to the event loop from a thread of our own.

#pragma once

#include <functional>
#include <uv.h>

#include "base/uv/handle.h"
#include "base/uv/loop.h"

namespace floe::uv {

/// Calls back on the loop's thread after Send(), which any thread may call. Several calls may
/// become one.
class Async {
 public:
  /// The loop must outlive it, and it must outlive every call of Send().
  Async(Loop& loop, std::function<void()> on_wake);

  Async(const Async&) = delete;
  Async& operator=(const Async&) = delete;

  void Send() { uv_async_send(handle_.get()); }

 private:
  Handle<uv_async_t> handle_;
  std::function<void()> on_wake_;
};

}  // namespace floe::uv
