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

constexpr int kMaxUnreadable = 16;  // packets in a row before offloads are given up

// Linux 6.2. Debian 12's headers do not have them.
constexpr unsigned kTunUso4 = 0x20;
constexpr unsigned kTunUso6 = 0x40;

/// Whether the kernel now gives these.
bool SetOffloads(int fd, Offloads offloads) {
  // Checksums belong to both: segments are made with them.
  unsigned flags = offloads.tcp || offloads.udp ? TUN_F_CSUM : 0U;
  flags |= offloads.tcp ? TUN_F_TSO4 | TUN_F_TSO6 : 0U;
  flags |= offloads.udp ? kTunUso4 | kTunUso6 : 0U;
  return ioctl(fd, TUNSETOFFLOAD, flags) == 0;
}

/// As much as the kernel can. What it can give it can also take.
Offloads FindOffloads(int fd) {
  for (const Offloads offloads :
       {Offloads{.tcp = true, .udp = true}, Offloads{.tcp = true, .udp = false}}) {
    if (SetOffloads(fd, offloads)) {
      return offloads;
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<LinuxDevice>> LinuxDevice::Open(const std::string& name, std::size_t mtu,
                                                       Offloads wanted) {
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
  const Offloads able = FindOffloads(fd.get());
  const Offloads asked{.tcp = wanted.tcp && able.tcp, .udp = wanted.udp && able.udp};
  const Offloads offloads = SetOffloads(fd.get(), asked) ? asked : able;
  return std::make_unique<LinuxDevice>(std::move(fd), std::move(given), index, mtu, offloads, able);
}

LinuxDevice::LinuxDevice(UniqueFd fd, std::string name, std::uint32_t index, std::size_t mtu,
                         Offloads offloads, Offloads takes)
    : fd_(std::move(fd)),
      name_(std::move(name)),
      index_(index),
      mtu_(mtu),
      offloads_(offloads),
      takes_(takes) {}

Result<std::optional<std::size_t>> LinuxDevice::Read(MutableBytes packet) {
  ssize_t size = 0;
  do {
    size = read(fd_.get(), packet.data(), packet.size());
  } while (size < 0 && errno == EINTR);
  if (size >= 0) {
    unreadable_ = 0;
    return static_cast<std::size_t>(size);
  }
  if (errno == EAGAIN) {
    return std::nullopt;
  }
  if (errno == EINVAL) {
    HandleUnreadable();
    return std::nullopt;
  }
  return Fail(MakeError(errno, "read from " + name_));
}

void LinuxDevice::HandleUnreadable() {
  if (++unreadable_ >= kMaxUnreadable && offloads_.load() != Offloads{} &&
      SetOffloads(fd_.get(), {})) {
    offloads_ = Offloads{};
  }
}

Result<bool> LinuxDevice::Write(std::span<const Bytes> parts) {
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
    return true;
  }
  if (IsDrop(errno)) {
    ++dropped_;
    return false;
  }
  return Fail(MakeError(errno, "write to " + name_));
}

}  // namespace floe::tun
