#include "base/uv/async.h"

#include <memory>
#include <utility>

#include "base/uv/callback.h"

namespace floe::uv {

Async::Async(Loop& loop, std::function<void()> on_wake)
    : handle_(std::make_unique<uv_async_t>().release()), on_wake_(std::move(on_wake)) {
  // Cannot fail: what it needs of the system, the loop has had since it was made.
  uv_async_init(loop.raw(), handle_.get(),
                [](uv_async_t* handle) { Invoke(handle, &Async::on_wake_); });
  handle_->data = this;
}

}  // namespace floe::uv
