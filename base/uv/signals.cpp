#include "base/uv/signals.h"

#include <csignal>
#include <utility>

#include "base/uv/callback.h"

namespace floe::uv {

Result<std::unique_ptr<Signals>> Signals::Make(Loop& loop, OnSignal on_signal) {
  auto signals = std::make_unique<Signals>(std::move(on_signal));
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    auto handle = MakeHandle<uv_signal_t>(
        [&](uv_signal_t* raw) { return uv_signal_init(loop.raw(), raw); }, "uv_signal_init");
    if (!handle) {
      return Fail(std::move(handle.error()));
    }
    (*handle)->data = signals.get();
    if (const int status = uv_signal_start(handle->get(), OnArrival, signal); status != 0) {
      return Fail(MakeError(status, "uv_signal_start"));
    }
    signals->handles_.push_back(std::move(*handle));
  }
  return signals;
}

Signals::Signals(OnSignal on_signal) : on_signal_(std::move(on_signal)) {}

void Signals::OnArrival(uv_signal_t* handle, int signal) {
  Invoke(handle, &Signals::on_signal_, signal);
}

}  // namespace floe::uv
