// A connection that carries bytes: TCP, or a unix socket.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>
#include <uv.h>
#include <variant>

#include "base/bytes.h"
#include "base/result.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "base/uv/byte_stream.h"
#include "base/uv/handle.h"
#include "base/uv/loop.h"
#include "base/uv/timer.h"

namespace floe::uv {

/// Who is at the other end of a unix socket, as of when it connected.
struct PeerCredentials {
  pid_t process = 0;
  uid_t user = 0;
  gid_t group = 0;
};

/// The handle of either kind of connection.
using StreamHandle = std::variant<Handle<uv_tcp_t>, Handle<uv_pipe_t>>;

/// Null after a close.
[[nodiscard]] inline uv_stream_t* RawStream(const StreamHandle& handle) {
  return std::visit([](const auto& owned) { return reinterpret_cast<uv_stream_t*>(owned.get()); },
                    handle);
}

/// Destroying it closes at once and drops what is not written. No member function calls a handler;
/// the loop does.
///
///   kConnecting -> kOpen     connected
///   kConnecting -> kClosed   refused, or the deadline passed
///   kOpen       -> kClosed   both sides ended, or it failed
class Stream : public ByteStream {
 public:
  /// Fails at once where it is plain that it cannot work, as without a route. `fwmark` other than 0
  /// marks the packets for policy routing, and needs CAP_NET_ADMIN. It leaves from the address
  /// `from` of this machine if that is given; if that has a port, a listener may share it.
  [[nodiscard]] static Result<std::unique_ptr<Stream>> ConnectTcp(
      Loop& loop, const SocketAddress& remote, TimePoint deadline, std::uint32_t fwmark = 0,
      const SocketAddress* from = nullptr);
  [[nodiscard]] static Result<std::unique_ptr<Stream>> ConnectPipe(Loop& loop,
                                                                   const std::string& path,
                                                                   TimePoint deadline);

  /// An open stream from a connection that waits on `listener`, which is of the kind of `handle`.
  /// For Listener.
  [[nodiscard]] static Result<std::unique_ptr<Stream>> Accept(Loop& loop, StreamHandle handle,
                                                              uv_stream_t* listener);

  /// Use the functions above.
  Stream(Loop& loop, StreamHandle handle, std::string peer, State state);

  void Start(StreamHandlers handlers) override;
  void Write(Bytes data) override;
  void Shutdown() override;
  [[nodiscard]] std::size_t write_queue_size() const override;

  [[nodiscard]] State state() const override { return state_; }

  [[nodiscard]] Result<SocketAddress> local_address() const override;
  [[nodiscard]] Result<SocketAddress> remote_address() const override;

  /// Of unix sockets only (SO_PEERCRED). Fails once closed.
  [[nodiscard]] Result<PeerCredentials> peer_credentials() const;

 private:
  using GetName = int (*)(const uv_tcp_t*, sockaddr*, int*);

  static void OnConnect(uv_connect_t* raw, int status);
  static void OnAllocate(uv_handle_t* handle, std::size_t suggested, uv_buf_t* buffer);
  static void OnRead(uv_stream_t* handle, ssize_t size, const uv_buf_t* buffer);
  static void OnWrite(uv_write_t* raw, int status);
  static void OnShutdown(uv_shutdown_t* raw, int status);

  void StartReading();
  void HandleEnd();
  void Close(CloseReason reason, Error error);
  [[nodiscard]] Result<SocketAddress> Name(GetName get_name, const char* call) const;

  Loop& loop_;
  StreamHandle handle_;
  std::string peer_;  // For errors: "192.0.2.1:443", or a path.
  State state_;
  bool started_ = false;
  bool shut_down_ = false;     // Shutdown() was called.
  bool local_ended_ = false;   // It has taken effect.
  bool remote_ended_ = false;  // The other side's last byte was read.
  std::function<void()> on_connect_;
  std::function<void(Bytes)> on_data_;
  std::function<void()> on_drain_;
  std::function<void()> on_end_;
  std::function<void(CloseReason, const Error&)> on_close_;
  Timer deadline_;
};

}  // namespace floe::uv
