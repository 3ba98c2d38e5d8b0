// Our addresses as the sockets interface has them, and back.

#pragma once

#include <optional>
#include <sys/socket.h>

#include "base/socket_address.h"

namespace floe::uv {

/// A sockaddr that holds a SocketAddress, with its scope.
class NativeAddress {
 public:
  explicit NativeAddress(const SocketAddress& address);

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }

  /// bytes
  [[nodiscard]] socklen_t size() const { return size_; }

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

[[nodiscard]] constexpr int ToNative(IpFamily family) {
  return family == IpFamily::kIpv4 ? AF_INET : AF_INET6;
}

/// Nothing unless `address` is of IPv4 or IPv6. It must be as long as its family says.
[[nodiscard]] std::optional<SocketAddress> FromNative(const sockaddr* address);

}  // namespace floe::uv
