#include "base/uv/listener.h"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include "base/log.h"
#include "base/unique_fd.h"
#include "base/uv/callback.h"
#include "base/uv/native_address.h"
#include "base/uv/tcp_socket.h"

namespace floe::uv {
namespace {

constexpr int kBacklog = 128;

Result<Handle<uv_tcp_t>> MakeTcp(Loop& loop) {
  return MakeHandle<uv_tcp_t>([&](uv_tcp_t* raw) { return uv_tcp_init(loop.raw(), raw); },
                              "uv_tcp_init");
}

Result<Handle<uv_pipe_t>> MakePipe(Loop& loop) {
  return MakeHandle<uv_pipe_t>(
      [&](uv_pipe_t* raw) { return uv_pipe_init(loop.raw(), raw, /*ipc=*/0); }, "uv_pipe_init");
}

/// True if `path` is a socket that no process listens on.
bool IsAbandoned(const std::string& path) {
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) {
    return false;
  }
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return fd &&
         connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
         errno == ECONNREFUSED;
}

}  // namespace

Result<std::unique_ptr<Listener>> Listener::ListenTcp(Loop& loop, const SocketAddress& local,
                                                      OnAccept on_accept,
                                                      const ListenOptions& options) {
  auto handle = MakeTcpSocket(loop, local.ip.family);
  if (!handle) {
    return Fail(std::move(handle.error()));
  }
  uv_tcp_t* raw = handle->get();
  const std::string context = "listen on " + ToString(local);
  if (options.fwmark != 0) {
    if (auto marked = SetOption(raw, SO_MARK, static_cast<int>(options.fwmark)); !marked) {
      return Fail(std::move(marked.error()));
    }
  }
  if (options.shares_port) {
    if (auto shared = SetOption(raw, SO_REUSEPORT, 1); !shared) {
      return Fail(std::move(shared.error()));
    }
  }
  const NativeAddress native(local);
  const unsigned int flags = local.ip.is_v6() ? UV_TCP_IPV6ONLY : 0;
  if (const int status = uv_tcp_bind(raw, native.get(), flags); status != 0) {
    return Fail(MakeError(status, context));
  }
  auto listener = std::make_unique<Listener>(loop, std::move(*handle), std::move(on_accept));
  // libuv reports an occupied port here and not above.
  if (const int status = uv_listen(RawStream(listener->handle_), kBacklog, OnConnection);
      status != 0) {
    return Fail(MakeError(status, context));
  }
  return listener;
}

Result<std::unique_ptr<Listener>> Listener::ListenPipe(Loop& loop, const std::string& path,
                                                       mode_t mode, OnAccept on_accept) {
  const std::string context = "listen on " + path;
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return Fail(MakeError(path.empty() ? UV_EINVAL : UV_ENAMETOOLONG, context));
  }
  auto handle = MakePipe(loop);
  if (!handle) {
    return Fail(std::move(handle.error()));
  }
  uv_pipe_t* raw = handle->get();
  int status = uv_pipe_bind(raw, path.c_str());
  if (status == UV_EADDRINUSE && IsAbandoned(path) && unlink(path.c_str()) == 0) {
    status = uv_pipe_bind(raw, path.c_str());
  }
  if (status != 0) {
    // libuv says EACCES for a directory that is not there.
    const std::size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    return Fail(access(folder.c_str(), F_OK) == 0 ? MakeError(status, context)
                                                  : MakeError(UV_ENOENT, context));
  }
  // Nobody can connect before uv_listen().
  if (chmod(path.c_str(), mode) != 0) {
    return Fail(MakeError(-errno, "chmod " + path));
  }
  auto listener = std::make_unique<Listener>(loop, std::move(*handle), std::move(on_accept));
  status = uv_listen(RawStream(listener->handle_), kBacklog, OnConnection);
  if (status != 0) {
    return Fail(MakeError(status, context));
  }
  return listener;
}

Listener::Listener(Loop& loop, StreamHandle handle, OnAccept on_accept)
    : loop_(loop), handle_(std::move(handle)), on_accept_(std::move(on_accept)) {
  RawStream(handle_)->data = this;
}

Result<SocketAddress> Listener::local_address() const {
  const auto* tcp = std::get_if<Handle<uv_tcp_t>>(&handle_);
  sockaddr_storage storage{};
  int size = sizeof(storage);
  const int status =
      tcp == nullptr ? UV_EINVAL
                     : uv_tcp_getsockname(tcp->get(), reinterpret_cast<sockaddr*>(&storage), &size);
  const auto address = FromNative(reinterpret_cast<const sockaddr*>(&storage));
  if (status != 0 || !address) {
    return Fail(MakeError(status != 0 ? status : UV_EAFNOSUPPORT, "getsockname"));
  }
  return *address;
}

void Listener::OnConnection(uv_stream_t* handle, int status) {
  auto* listener = static_cast<Listener*>(handle->data);
  if (listener == nullptr) {
    return;
  }
  if (status != 0) {
    log::Debug("cannot accept a connection: {}", uv_strerror(status));
    return;
  }
  auto stream = listener->AcceptOne();
  if (!stream) {
    log::Debug("cannot accept a connection: {}: {}", stream.error().context,
               stream.error().code.message());
    return;
  }
  Invoke(handle, &Listener::on_accept_, std::move(*stream));
}

Result<std::unique_ptr<Stream>> Listener::AcceptOne() {
  uv_stream_t* raw = RawStream(handle_);
  if (std::holds_alternative<Handle<uv_tcp_t>>(handle_)) {
    return MakeTcp(loop_).and_then([&](Handle<uv_tcp_t> accepted) {
      return Stream::Accept(loop_, StreamHandle(std::move(accepted)), raw);
    });
  }
  return MakePipe(loop_).and_then([&](Handle<uv_pipe_t> accepted) {
    return Stream::Accept(loop_, StreamHandle(std::move(accepted)), raw);
  });
}

}  // namespace floe::uv
