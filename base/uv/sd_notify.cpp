#include "base/uv/sd_notify.h"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/unique_fd.h"
#include "base/uv/handle.h"

namespace floe::uv {

Result<void> SdNotify(std::string_view state) {
  const char* variable = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe)
  if (variable == nullptr) {
    return {};
  }
  const std::string path(variable);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return Fail(MakeError(-EINVAL, "NOTIFY_SOCKET"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path.front() == '@') {
    address.sun_path[0] = '\0';  // An abstract socket: a leading zero, and none at the end.
  }
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd || sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL,
                    reinterpret_cast<const sockaddr*>(&address), size) < 0) {
    return Fail(MakeError(-errno, "notify " + path));
  }
  return {};
}

}  // namespace floe::uv
