// libnl's objects as owned values. For .cpp files alone: it pulls in libnl's headers.

#pragma once

#include <cstdint>
#include <memory>
#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
#include <netlink/socket.h>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/socket_address.h"

namespace floe::tun {

template <auto Free>
struct NlDeleter {
  template <typename T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};

using NlSocket = std::unique_ptr<nl_sock, NlDeleter<nl_socket_free>>;
using NlCache = std::unique_ptr<nl_cache, NlDeleter<nl_cache_free>>;
using NlAddress = std::unique_ptr<nl_addr, NlDeleter<nl_addr_put>>;
using NlInterfaceAddress = std::unique_ptr<rtnl_addr, NlDeleter<rtnl_addr_put>>;
using NlLink = std::unique_ptr<rtnl_link, NlDeleter<rtnl_link_put>>;
using NlRoute = std::unique_ptr<rtnl_route, NlDeleter<rtnl_route_put>>;

/// `code` is what a function of libnl returned, one of -NLE_*. Codes that libnl has folded into one
/// come out as io_error.
[[nodiscard]] Error MakeNlError(int code, std::string context);

/// A socket to the routing part of the kernel.
[[nodiscard]] Result<NlSocket> OpenNlSocket();

/// What the kernel has of a kind. `allocate` is one of libnl's rtnl_*_alloc_cache(), with all but
/// its socket and its result filled in.
template <typename Allocate>
[[nodiscard]] Result<NlCache> DumpCache(nl_sock* socket, const char* context, Allocate allocate) {
  nl_cache* cache = nullptr;
  if (const int code = allocate(socket, &cache); code < 0) {
    return Fail(MakeNlError(code, context));
  }
  return NlCache(cache);
}

/// All interfaces.
[[nodiscard]] Result<NlCache> DumpLinks(nl_sock* socket);

[[nodiscard]] NlAddress ToNl(const IpAddress& ip, std::uint8_t prefix_length);

/// Nothing for what is neither IPv4 nor IPv6. `address` may be null or of no length, which stands
/// for the unspecified address of `family`.
[[nodiscard]] std::optional<IpAddress> FromNl(const nl_addr* address, int family);

}  // namespace floe::tun
