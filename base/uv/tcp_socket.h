// A TCP handle that has its socket already, so that options can be set before it is bound.

#pragma once

#include <uv.h>

#include "base/result.h"
#include "base/socket_address.h"
#include "base/uv/handle.h"
#include "base/uv/loop.h"

namespace floe::uv {

[[nodiscard]] Result<Handle<uv_tcp_t>> MakeTcpSocket(Loop& loop, IpFamily family);

/// Of level SOL_SOCKET.
[[nodiscard]] Result<void> SetOption(const uv_tcp_t* handle, int name, int value);

/// Sends small messages at once, and keeps little that is not sent in the kernel, where it cannot
/// be dropped any more and holds up what follows. For a socket that is or will be connected.
void TuneForMessages(uv_tcp_t* handle);

}  // namespace floe::uv
