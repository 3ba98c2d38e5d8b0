// A connection that carries bytes, whatever it is made of: TCP, a unix socket, TLS, a tunnel
// through a proxy.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/bytes.h"
#include "base/result.h"
#include "base/socket_address.h"

namespace floe::uv {

enum class CloseReason : std::uint8_t {
  kEnded,          // Both sides have sent their last byte, or the other has and on_end is not set.
  kConnectFailed,  // Refused, or no way there.
  kTimedOut,       // Not connected by the deadline.
  kFailed,         // Reset, or the network gave up.
};

/// Any may be left empty, and each may destroy the stream.
struct StreamHandlers {
  std::function<void()> on_connect = nullptr;    // At most once; never for an accepted stream.
  std::function<void(Bytes)> on_data = nullptr;  // Borrowed until it returns.
  std::function<void()> on_drain = nullptr;      // The write queue was not empty and now is.
  std::function<void()> on_end = nullptr;  // The other side sent its last byte; we may write on.
  /// At most once, and the last. Never for a stream destroyed by its owner. kEnded has no code.
  std::function<void(CloseReason, const Error&)> on_close = nullptr;
};

/// The layers above TCP own the one below and are used like it.
class ByteStream {
 public:
  enum class State : std::uint8_t { kConnecting, kOpen, kClosed };

  ByteStream() = default;
  virtual ~ByteStream() = default;

  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  /// Sets the handlers and begins to read as soon as it is open. Once, by the callback or function
  /// that got the stream.
  virtual void Start(StreamHandlers handlers) = 0;

  /// Sends `data` or queues a copy, also while connecting. The queue has no limit but the owner's:
  /// compare write_queue_size(). Ignored after Shutdown() and when closed.
  virtual void Write(Bytes data) = 0;

  /// Ends our direction after what is queued. Reading goes on.
  virtual void Shutdown() = 0;

  /// Bytes that were written and that the kernel has not taken.
  [[nodiscard]] virtual std::size_t write_queue_size() const = 0;

  [[nodiscard]] virtual State state() const = 0;

  /// Of TCP, whatever is above it. Fail once closed.
  [[nodiscard]] virtual Result<SocketAddress> local_address() const = 0;
  [[nodiscard]] virtual Result<SocketAddress> remote_address() const = 0;
};

}  // namespace floe::uv
