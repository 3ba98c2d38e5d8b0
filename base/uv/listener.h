// Accepts connections: TCP, or a unix socket.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>
#include <uv.h>

#include "base/result.h"
#include "base/socket_address.h"
#include "base/uv/loop.h"
#include "base/uv/stream.h"

namespace floe::uv {

struct ListenOptions {
  std::uint32_t fwmark = 0;  // As for Stream::ConnectTcp().
  /// Connections may be made from the same port: Stream::ConnectTcp() with `from`.
  bool shares_port = false;
};

/// Listens until destroyed. A connection that cannot be accepted is dropped and logged at debug.
class Listener {
 public:
  /// The receiver must call Start() on the stream. May destroy the listener.
  using OnAccept = std::function<void(std::unique_ptr<Stream>)>;

  /// `local` may be a wildcard address; that of IPv6 leaves IPv4 to another listener. Port 0 lets
  /// the kernel choose. An occupied port fails with address_in_use.
  [[nodiscard]] static Result<std::unique_ptr<Listener>> ListenTcp(
      Loop& loop, const SocketAddress& local, OnAccept on_accept,
      const ListenOptions& options = {});

  /// Makes the socket file `path`, with the permissions `mode` before anybody can connect. Replaces
  /// the file of a process that has died; fails with address_in_use if it is alive. The file goes
  /// with the listener.
  [[nodiscard]] static Result<std::unique_ptr<Listener>> ListenPipe(Loop& loop,
                                                                    const std::string& path,
                                                                    mode_t mode,
                                                                    OnAccept on_accept);

  /// Use the functions above.
  Listener(Loop& loop, StreamHandle handle, OnAccept on_accept);

  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// Of TCP only.
  [[nodiscard]] Result<SocketAddress> local_address() const;

 private:
  static void OnConnection(uv_stream_t* handle, int status);

  [[nodiscard]] Result<std::unique_ptr<Stream>> AcceptOne();

  Loop& loop_;
  StreamHandle handle_;
  OnAccept on_accept_;
};

}  // namespace floe::uv
