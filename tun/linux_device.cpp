#include "tun/linux_device.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "base/check.h"

namespace floe::tun {
namespace {

Error MakeError(int code, std::string context) {
  return Error{.code = {code, std::system_category()}, .context = std::move(context)};
}

/// Whether a packet that could not be written is just lost, and the device is as good as before.
bool IsDrop(int error) {
  switch (error) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
    case EINVAL:  // It is neither IPv4 nor IPv6.
    case EIO:     // Somebody has switched the interface off.
      return true;
    default:
      return false;
  }
}

// Linux 6.2. Debian 12's headers do not have them.
constexpr unsigned kTunUso4 = 0x20;
constexpr unsigned kTunUso6 = 0x40;

/// As much as the kernel can.
Offloads EnableOffloads(int fd) {
  constexpr unsigned kTcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
  if (ioctl(fd, TUNSETOFFLOAD, kTcp | kTunUso4 | kTunUso6) == 0) {
    return {.tcp = true, .udp = true};
  }
  return {.tcp = ioctl(fd, TUNSETOFFLOAD, kTcp) == 0, .udp = false};
}

}  // namespace

Result<std::unique_ptr<LinuxDevice>> LinuxDevice::Open(const std::string& name, std::size_t mtu) {
  UniqueFd fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) {
    return Fail(MakeError(errno, "open /dev/net/tun"));
  }
  ifreq request{};
  if (name.size() >= sizeof(request.ifr_name)) {
    return Fail(MakeError(EINVAL, "make interface " + name + ": the name exceeds 15 bytes"));
  }
  name.copy(request.ifr_name, name.size());
  // Exclusive, because attaching to what another program has made persistent would leave it behind.
  request.ifr_flags = static_cast<short>(IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL | IFF_VNET_HDR);
  if (ioctl(fd.get(), TUNSETIFF, &request) != 0) {
    return Fail(errno == EBUSY ? MakeError(EBUSY, "interface " + name + " exists already")
                               : MakeError(errno, "make interface " + name));
  }
  std::string given(request.ifr_name);
  const std::uint32_t index = if_nametoindex(given.c_str());
  if (index == 0) {
    return Fail(MakeError(errno, "if_nametoindex " + given));
  }
  const Offloads offloads = EnableOffloads(fd.get());
  return std::make_unique<LinuxDevice>(std::move(fd), std::move(given), index, mtu, offloads);
}

LinuxDevice::LinuxDevice(UniqueFd fd, std::string name, std::uint32_t index, std::size_t mtu,
                         Offloads offloads)
    : fd_(std::move(fd)), name_(std::move(name)), index_(index), mtu_(mtu), offloads_(offloads) {}

Result<std::optional<std::size_t>> LinuxDevice::Read(MutableBytes packet) {
  ssize_t size = 0;
  do {
    size = read(fd_.get(), packet.data(), packet.size());
  } while (size < 0 && errno == EINTR);
  if (size >= 0) {
    return static_cast<std::size_t>(size);
  }
  if (errno == EAGAIN) {
    return std::nullopt;
  }
  return Fail(MakeError(errno, "read from " + name_));
}

Result<void> LinuxDevice::Write(std::span<const Bytes> parts) {
  FLOE_CHECK(parts.size() <= kMaxParts);
  std::array<iovec, kMaxParts> vectors;
  std::ranges::transform(parts, vectors.begin(), [](Bytes part) {
    return iovec{.iov_base = const_cast<std::uint8_t*>(part.data()), .iov_len = part.size()};
  });
  ssize_t size = 0;
  do {
    size = writev(fd_.get(), vectors.data(), static_cast<int>(parts.size()));
  } while (size < 0 && errno == EINTR);
  if (size >= 0) {
    return {};
  }
  if (IsDrop(errno)) {
    ++dropped_;
    return {};
  }
  return Fail(MakeError(errno, "write to " + name_));
}

}  // namespace floe::tun
