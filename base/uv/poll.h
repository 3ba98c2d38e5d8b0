// Waits until a descriptor can be read or written.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <uv.h>

#include "base/result.h"
#include "base/uv/handle.h"
#include "base/uv/loop.h"

namespace floe::uv {

enum class Interest : std::uint8_t { kNone, kReadable, kWritable, kBoth };

/// Watches one descriptor, which it does not own and which must outlive it. Level-triggered: calls
/// back at every turn until what it reports is dealt with.
///
/// An error on the descriptor is reported as readable (or writable, if only that is watched): the
/// read then fails with the reason, and clears it. An owner whose read keeps failing must stop
/// watching, or the loop spins. The callbacks may destroy the Poll.
class Poll {
 public:
  /// Watches nothing yet. Makes the descriptor non-blocking. Fails for descriptors that cannot be
  /// polled, such as files.
  [[nodiscard]] static Result<std::unique_ptr<Poll>> Make(
      Loop& loop, int fd, std::function<void()> on_readable,
      std::function<void()> on_writable = nullptr);

  /// Use Make().
  Poll(Handle<uv_poll_t> handle, std::function<void()> on_readable,
       std::function<void()> on_writable);

  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;

  /// Replaces what is watched for.
  void Watch(Interest interest);

 private:
  static void OnEvent(uv_poll_t* handle, int status, int events);

  Handle<uv_poll_t> handle_;
  std::function<void()> on_readable_;
  std::function<void()> on_writable_;
  Interest interest_ = Interest::kNone;
};

}  // namespace floe::uv
