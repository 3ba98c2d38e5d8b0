#include "base/uv/native_address.h"

#include <cstring>
#include <netinet/in.h>

namespace floe::uv {

NativeAddress::NativeAddress(const SocketAddress& address) {
  const Bytes octets = address.ip.octets();
  if (address.ip.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&v4.sin_addr, octets.data(), octets.size());
    std::memcpy(&storage_, &v4, sizeof(v4));
    size_ = sizeof(v4);
    return;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address.port);
  v6.sin6_scope_id = address.ip.scope_id;
  std::memcpy(&v6.sin6_addr, octets.data(), octets.size());
  std::memcpy(&storage_, &v6, sizeof(v6));
  size_ = sizeof(v6);
}

std::optional<SocketAddress> FromNative(const sockaddr* address) {
  SocketAddress result;
  if (address->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof(v4));
    std::memcpy(result.ip.bytes.data(), &v4.sin_addr, sizeof(v4.sin_addr));
    result.port = ntohs(v4.sin_port);
    return result;
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, address, sizeof(v6));
    result.ip.family = IpFamily::kIpv6;
    std::memcpy(result.ip.bytes.data(), &v6.sin6_addr, sizeof(v6.sin6_addr));
    // The kernel names the interface for other addresses too, which would make equal ones differ.
    result.ip.scope_id = result.ip.is_link_local() ? v6.sin6_scope_id : 0;
    result.port = ntohs(v6.sin6_port);
    return result;
  }
  return std::nullopt;
}

}  // namespace floe::uv
