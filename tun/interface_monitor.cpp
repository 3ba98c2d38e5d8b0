#include "tun/interface_monitor.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <system_error>
#include <utility>

#include "base/bytes.h"

namespace floe::tun {
namespace {

constexpr std::size_t kBufferSize = 16UL * 1024;  // bytes; the kernel sends at most 8 KiB
constexpr int kMaxReads = 256;                    // to one Drain()

bool IsChange(std::uint16_t type) {
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
    case RTM_NEWADDR:
    case RTM_DELADDR:
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return true;
    default:
      return false;
  }
}

/// Whether any of the messages in `data` tells of a change.
bool HasChange(Bytes data) {
  while (data.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header{};
    std::memcpy(&header, data.data(), sizeof(header));
    if (IsChange(header.nlmsg_type)) {
      return true;
    }
    const std::size_t size = NLMSG_ALIGN(std::size_t{header.nlmsg_len});
    if (header.nlmsg_len < sizeof(header) || size > data.size()) {
      return false;
    }
    data = data.subspan(size);
  }
  return false;
}

Error LastError(const char* context) {
  return Error{.code = {errno, std::system_category()}, .context = context};
}

}  // namespace

InterfaceMonitor::InterfaceMonitor(UniqueFd fd) : fd_(std::move(fd)) {}

Result<InterfaceMonitor> InterfaceMonitor::Open() {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) {
    return Fail(LastError("open a netlink socket"));
  }
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups =
      RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return Fail(LastError("subscribe to changes of the network"));
  }
  return InterfaceMonitor(std::move(fd));
}

bool InterfaceMonitor::Drain() {
  bool changed = false;
  alignas(nlmsghdr) std::array<std::uint8_t, kBufferSize> buffer{};
  for (int i = 0; i < kMaxReads; ++i) {
    sockaddr_nl sender{};
    socklen_t size = sizeof(sender);
    const ssize_t received = recvfrom(fd_.get(), buffer.data(), buffer.size(), 0,
                                      reinterpret_cast<sockaddr*>(&sender), &size);
    if (received < 0 && errno == EINTR) {
      continue;
    }
    if (received < 0 && errno != ENOBUFS) {
      return changed;
    }
    if (received < 0) {
      changed = true;  // The queue has overflowed: there was more than we shall ever hear of.
    } else if (sender.nl_pid == 0) {  // From the kernel, and not from another process.
      changed = changed || HasChange(Bytes(buffer).first(static_cast<std::size_t>(received)));
    }
  }
  return changed;
}

}  // namespace floe::tun
