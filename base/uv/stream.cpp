#include "base/uv/stream.h"

#include <cerrno>
#include <sys/socket.h>
#include <sys/un.h>
#include <tuple>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/uv/callback.h"
#include "base/uv/native_address.h"
#include "base/uv/tcp_socket.h"

namespace floe::uv {
namespace {

struct WriteRequest {
  uv_write_t raw{};
  std::vector<std::uint8_t> data;
};

uv_buf_t Buffer(Bytes data) {
  // libuv has one type for what it reads to and what it writes from.
  return {.base = reinterpret_cast<char*>(const_cast<std::uint8_t*>(data.data())),
          .len = data.size()};
}

Result<void> LeaveFrom(uv_tcp_t* handle, const SocketAddress& from) {
  if (from.port != 0) {
    if (auto shared = SetOption(handle, SO_REUSEPORT, 1); !shared) {
      return shared;
    }
  }
  const NativeAddress local(from);
  const int status = uv_tcp_bind(handle, local.get(), 0);
  return status == 0 ? Result<void>() : Fail(MakeError(status, "bind " + ToString(from)));
}

}  // namespace

Result<std::unique_ptr<Stream>> Stream::ConnectTcp(Loop& loop, const SocketAddress& remote,
                                                   TimePoint deadline, std::uint32_t fwmark,
                                                   const SocketAddress* from) {
  auto handle = MakeTcpSocket(loop, remote.ip.family);
  if (!handle) {
    return Fail(std::move(handle.error()));
  }
  uv_tcp_t* raw = handle->get();
  if (fwmark != 0) {
    if (auto marked = SetOption(raw, SO_MARK, static_cast<int>(fwmark)); !marked) {
      return Fail(std::move(marked.error()));
    }
  }
  if (from != nullptr) {
    if (auto bound = LeaveFrom(raw, *from); !bound) {
      return Fail(std::move(bound.error()));
    }
  }
  TuneForMessages(raw);
  auto stream =
      std::make_unique<Stream>(loop, std::move(*handle), ToString(remote), State::kConnecting);
  auto request = std::make_unique<uv_connect_t>();
  const NativeAddress native(remote);
  if (const int status = uv_tcp_connect(request.get(), raw, native.get(), OnConnect); status != 0) {
    return Fail(MakeError(status, "connect " + stream->peer_));
  }
  std::ignore = request.release();  // OnConnect() always comes, and frees it.
  stream->deadline_.ArmAt(deadline);
  return stream;
}

Result<std::unique_ptr<Stream>> Stream::ConnectPipe(Loop& loop, const std::string& path,
                                                    TimePoint deadline) {
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return Fail(MakeError(UV_ENAMETOOLONG, "connect " + path));  // libuv would cut it short.
  }
  auto handle = MakeHandle<uv_pipe_t>(
      [&](uv_pipe_t* raw) { return uv_pipe_init(loop.raw(), raw, /*ipc=*/0); }, "uv_pipe_init");
  if (!handle) {
    return Fail(std::move(handle.error()));
  }
  uv_pipe_t* raw = handle->get();
  auto stream = std::make_unique<Stream>(loop, std::move(*handle), path, State::kConnecting);
  uv_pipe_connect(std::make_unique<uv_connect_t>().release(), raw, path.c_str(), OnConnect);
  stream->deadline_.ArmAt(deadline);
  return stream;
}

Result<std::unique_ptr<Stream>> Stream::Accept(Loop& loop, StreamHandle handle,
                                               uv_stream_t* listener) {
  uv_stream_t* raw = RawStream(handle);
  if (const int status = uv_accept(listener, raw); status != 0) {
    return Fail(MakeError(status, "accept"));
  }
  if (auto* tcp = std::get_if<Handle<uv_tcp_t>>(&handle)) {
    TuneForMessages(tcp->get());
  }
  auto stream = std::make_unique<Stream>(loop, std::move(handle), "a unix socket", State::kOpen);
  if (const auto remote = stream->remote_address()) {
    stream->peer_ = ToString(*remote);
  }
  return stream;
}

Stream::Stream(Loop& loop, StreamHandle handle, std::string peer, State state)
    : loop_(loop),
      handle_(std::move(handle)),
      peer_(std::move(peer)),
      state_(state),
      deadline_(loop, [this] {
        Close(CloseReason::kTimedOut, MakeError(UV_ETIMEDOUT, "connect " + peer_));
      }) {
  RawStream(handle_)->data = this;
}

void Stream::Start(StreamHandlers handlers) {
  FLOE_CHECK(!started_);
  started_ = true;
  on_connect_ = std::move(handlers.on_connect);
  on_data_ = std::move(handlers.on_data);
  on_drain_ = std::move(handlers.on_drain);
  on_end_ = std::move(handlers.on_end);
  on_close_ = std::move(handlers.on_close);
  if (state_ == State::kOpen) {
    StartReading();
  }
}

void Stream::StartReading() {
  // Fails only for a stream that is closing, not open, or being read.
  FLOE_CHECK(uv_read_start(RawStream(handle_), OnAllocate, OnRead) == 0);
}

void Stream::Write(Bytes data) {
  if (state_ == State::kClosed || shut_down_) {
    return;
  }
  // Most writes fit the kernel's buffer and need no copy. An error is left to uv_write(), which
  // reports it through the loop.
  uv_buf_t buffer = Buffer(data);
  const int written = uv_try_write(RawStream(handle_), &buffer, 1);
  const Bytes rest = data.subspan(written > 0 ? static_cast<std::size_t>(written) : 0);
  if (rest.empty()) {
    return;
  }
  auto request = std::make_unique<WriteRequest>();
  request->data.assign(rest.begin(), rest.end());
  request->raw.data = request.get();
  buffer = Buffer(request->data);
  // Refused only where reading fails as well, which then closes the stream.
  if (uv_write(&request->raw, RawStream(handle_), &buffer, 1, OnWrite) == 0) {
    std::ignore = request.release();
  }
}

void Stream::Shutdown() {
  if (state_ == State::kClosed || std::exchange(shut_down_, true)) {
    return;
  }
  auto request = std::make_unique<uv_shutdown_t>();
  if (uv_shutdown(request.get(), RawStream(handle_), OnShutdown) == 0) {
    std::ignore = request.release();
  }
}

std::size_t Stream::write_queue_size() const {
  return state_ == State::kClosed ? 0 : uv_stream_get_write_queue_size(RawStream(handle_));
}

Result<SocketAddress> Stream::local_address() const {
  return Name(uv_tcp_getsockname, "getsockname");
}

Result<SocketAddress> Stream::remote_address() const {
  return Name(uv_tcp_getpeername, "getpeername");
}

Result<SocketAddress> Stream::Name(GetName get_name, const char* call) const {
  const auto* tcp = std::get_if<Handle<uv_tcp_t>>(&handle_);
  if (tcp == nullptr || *tcp == nullptr) {
    return Fail(MakeError(UV_ENOTCONN, call));
  }
  sockaddr_storage storage{};
  int size = sizeof(storage);
  if (const int status = get_name(tcp->get(), reinterpret_cast<sockaddr*>(&storage), &size);
      status != 0) {
    return Fail(MakeError(status, call));
  }
  const auto address = FromNative(reinterpret_cast<const sockaddr*>(&storage));
  if (!address) {
    return Fail(MakeError(UV_EAFNOSUPPORT, call));
  }
  return *address;
}

Result<PeerCredentials> Stream::peer_credentials() const {
  const auto* pipe = std::get_if<Handle<uv_pipe_t>>(&handle_);
  if (pipe == nullptr || *pipe == nullptr) {
    return Fail(MakeError(UV_ENOTCONN, "getsockopt SO_PEERCRED"));
  }
  uv_os_fd_t fd = -1;
  uv_fileno(reinterpret_cast<const uv_handle_t*>(pipe->get()), &fd);
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return Fail(MakeError(-errno, "getsockopt SO_PEERCRED"));
  }
  return PeerCredentials{
      .process = credentials.pid, .user = credentials.uid, .group = credentials.gid};
}

void Stream::OnConnect(uv_connect_t* raw, int status) {
  const std::unique_ptr<uv_connect_t> request(raw);
  auto* stream = static_cast<Stream*>(request->handle->data);
  if (stream == nullptr) {
    return;  // Closed meanwhile: this is the cancellation.
  }
  if (status != 0) {
    stream->Close(CloseReason::kConnectFailed, MakeError(status, "connect " + stream->peer_));
    return;
  }
  stream->state_ = State::kOpen;
  stream->deadline_.ArmAt(std::nullopt);
  if (stream->started_) {
    stream->StartReading();
  }
  Invoke(request->handle, &Stream::on_connect_);
}

void Stream::OnAllocate(uv_handle_t* handle, std::size_t /*suggested*/, uv_buf_t* buffer) {
  const auto* stream = static_cast<const Stream*>(handle->data);
  *buffer = stream == nullptr ? uv_buf_t{} : Buffer(stream->loop_.read_buffer());
}

void Stream::OnRead(uv_stream_t* handle, ssize_t size, const uv_buf_t* buffer) {
  auto* stream = static_cast<Stream*>(handle->data);
  if (stream == nullptr || size == 0) {
    return;  // Nothing was there after all.
  }
  if (size > 0) {
    const Bytes whole = AsBytes({buffer->base, buffer->len});
    Invoke(handle, &Stream::on_data_, whole.first(static_cast<std::size_t>(size)));
    return;
  }
  if (size == UV_EOF) {
    stream->HandleEnd();
    return;
  }
  stream->Close(CloseReason::kFailed,
                MakeError(static_cast<int>(size), "read from " + stream->peer_));
}

void Stream::HandleEnd() {
  remote_ended_ = true;
  if (!on_end_ || local_ended_) {
    Close(CloseReason::kEnded, Error{.code = {}, .context = peer_});
    return;
  }
  uv_stream_t* raw = RawStream(handle_);
  uv_read_stop(raw);
  Invoke(raw, &Stream::on_end_);
}

void Stream::OnWrite(uv_write_t* raw, int status) {
  const std::unique_ptr<WriteRequest> request(static_cast<WriteRequest*>(raw->data));
  uv_stream_t* handle = raw->handle;
  auto* stream = static_cast<Stream*>(handle->data);
  if (stream == nullptr) {
    return;
  }
  if (status != 0) {
    stream->Close(CloseReason::kFailed, MakeError(status, "write to " + stream->peer_));
    return;
  }
  if (uv_stream_get_write_queue_size(handle) == 0) {
    Invoke(handle, &Stream::on_drain_);
  }
}

void Stream::OnShutdown(uv_shutdown_t* raw, int status) {
  const std::unique_ptr<uv_shutdown_t> request(raw);
  auto* stream = static_cast<Stream*>(request->handle->data);
  if (stream == nullptr) {
    return;
  }
  if (status != 0) {
    stream->Close(CloseReason::kFailed, MakeError(status, "shut down " + stream->peer_));
    return;
  }
  stream->local_ended_ = true;
  if (stream->remote_ended_) {
    stream->Close(CloseReason::kEnded, Error{.code = {}, .context = stream->peer_});
  }
}

void Stream::Close(CloseReason reason, Error error) {
  state_ = State::kClosed;
  deadline_.ArmAt(std::nullopt);
  std::visit([](auto& owned) { owned.reset(); }, handle_);
  const auto on_close = std::move(on_close_);
  if (on_close) {
    on_close(reason, error);  // May destroy this object, so nothing comes after it.
  }
}

}  // namespace floe::uv
