#include "tun/nl.h"

#include <cstddef>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <sys/socket.h>
#include <system_error>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"

namespace floe::tun {
namespace {

std::errc ToErrc(int code) {
  switch (code) {
    case NLE_EXIST:
      return std::errc::file_exists;
    case NLE_PERM:
      return std::errc::operation_not_permitted;
    case NLE_NOACCESS:
      return std::errc::permission_denied;
    case NLE_NODEV:
      return std::errc::no_such_device;
    case NLE_OBJ_NOTFOUND:
      return std::errc::no_such_process;  // As the kernel has it for routes: ESRCH.
    case NLE_NOADDR:
      return std::errc::address_not_available;
    case NLE_INVAL:
    case NLE_RANGE:
      return std::errc::invalid_argument;
    case NLE_NOMEM:
      return std::errc::not_enough_memory;
    case NLE_BUSY:
      return std::errc::device_or_resource_busy;
    case NLE_OPNOTSUPP:
      return std::errc::operation_not_supported;
    case NLE_AF_NOSUPPORT:
      return std::errc::address_family_not_supported;
    default:
      return std::errc::io_error;
  }
}

}  // namespace

Error MakeNlError(int code, std::string context) {
  return Error{.code = std::make_error_code(ToErrc(code < 0 ? -code : code)),
               .context = std::move(context)};
}

Result<NlSocket> OpenNlSocket() {
  NlSocket socket(nl_socket_alloc());
  FLOE_CHECK(socket != nullptr);  // Out of memory.
  if (const int code = nl_connect(socket.get(), NETLINK_ROUTE); code < 0) {
    return Fail(MakeNlError(code, "open a netlink socket"));
  }
  return socket;
}

Result<NlCache> DumpLinks(nl_sock* socket) {
  return DumpCache(socket, "list interfaces", [](nl_sock* to, nl_cache** cache) {
    return rtnl_link_alloc_cache(to, AF_UNSPEC, cache);
  });
}

NlAddress ToNl(const IpAddress& ip, std::uint8_t prefix_length) {
  const Bytes octets = ip.octets();
  NlAddress address(nl_addr_build(ip.is_v4() ? AF_INET : AF_INET6, octets.data(), octets.size()));
  FLOE_CHECK(address != nullptr);  // Out of memory.
  nl_addr_set_prefixlen(address.get(), prefix_length);
  return address;
}

std::optional<IpAddress> FromNl(const nl_addr* address, int family) {
  if (family != AF_INET && family != AF_INET6) {
    return std::nullopt;
  }
  const std::size_t size = family == AF_INET ? 4 : 16;
  if (address == nullptr || nl_addr_get_len(address) == 0) {
    return IpAddress{.family = family == AF_INET ? IpFamily::kIpv4 : IpFamily::kIpv6};
  }
  if (nl_addr_get_len(address) != size) {
    return std::nullopt;
  }
  return IpAddress::FromBytes(
      Bytes(static_cast<const std::uint8_t*>(nl_addr_get_binary_addr(address)), size));
}

}  // namespace floe::tun
