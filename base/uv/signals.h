// SIGINT, SIGTERM and SIGHUP as events of the loop.

#pragma once

#include <functional>
#include <memory>
#include <uv.h>
#include <vector>

#include "base/result.h"
#include "base/uv/handle.h"
#include "base/uv/loop.h"

namespace floe::uv {

/// While it lives, these signals do not end the process but call back. It keeps Loop::Run() from
/// returning by itself. The callback may destroy it.
class Signals {
 public:
  using OnSignal = std::function<void(int signal)>;

  [[nodiscard]] static Result<std::unique_ptr<Signals>> Make(Loop& loop, OnSignal on_signal);

  /// Use Make().
  explicit Signals(OnSignal on_signal);

  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  static void OnArrival(uv_signal_t* handle, int signal);

  std::vector<Handle<uv_signal_t>> handles_;
  OnSignal on_signal_;
};

}  // namespace floe::uv
