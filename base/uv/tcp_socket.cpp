#include "base/uv/tcp_socket.h"

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/uv/callback.h"
#include "base/uv/native_address.h"

namespace floe::uv {
namespace {

constexpr int kMaxNotSent = 128 * 1024;  // bytes

int DescriptorOf(const uv_tcp_t* handle) {
  uv_os_fd_t fd = -1;
  uv_fileno(reinterpret_cast<const uv_handle_t*>(handle), &fd);
  return fd;
}

}  // namespace

Result<Handle<uv_tcp_t>> MakeTcpSocket(Loop& loop, IpFamily family) {
  const auto native = static_cast<unsigned int>(ToNative(family));
  return MakeHandle<uv_tcp_t>(
      [&](uv_tcp_t* raw) { return uv_tcp_init_ex(loop.raw(), raw, native); }, "uv_tcp_init");
}

Result<void> SetOption(const uv_tcp_t* handle, int name, int value) {
  if (setsockopt(DescriptorOf(handle), SOL_SOCKET, name, &value, sizeof(value)) != 0) {
    return Fail(MakeError(-errno, name == SO_MARK ? "setsockopt SO_MARK" : "setsockopt"));
  }
  return {};
}

void TuneForMessages(uv_tcp_t* handle) {
  uv_tcp_nodelay(handle, 1);
  setsockopt(DescriptorOf(handle), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kMaxNotSent,
             sizeof(kMaxNotSent));
}

}  // namespace floe::uv
