#include "base/uv/loop.h"

#include <chrono>
#include <csignal>
#include <utility>

#include "base/check.h"
#include "base/uv/handle.h"

namespace floe::uv {

Result<std::unique_ptr<Loop>> Loop::Make() {
  auto loop = std::make_unique<uv_loop_t>();
  if (const int status = uv_loop_init(loop.get()); status != 0) {
    return Fail(MakeError(status, "uv_loop_init"));
  }
  std::signal(SIGPIPE, SIG_IGN);
  return std::make_unique<Loop>(std::move(loop));
}

Loop::Loop(std::unique_ptr<uv_loop_t> loop)
    : loop_(std::move(loop)), read_buffer_(kReadBufferSize) {}

Loop::~Loop() {
  // A handle that somebody still owns would keep uv_run() waiting for ever.
  uv_walk(
      loop_.get(), [](uv_handle_t* handle, void*) { FLOE_CHECK(uv_is_closing(handle) != 0); },
      nullptr);
  // More than one round only if Stop() was called while the loop was not running.
  while (uv_run(loop_.get(), UV_RUN_DEFAULT) != 0) {
  }
  FLOE_CHECK(uv_loop_close(loop_.get()) == 0);
}

void Loop::Run() {
  uv_run(loop_.get(), UV_RUN_DEFAULT);
}

void Loop::Stop() {
  uv_stop(loop_.get());
}

TimePoint Loop::Now() {
  return std::chrono::steady_clock::now();
}

}  // namespace floe::uv
