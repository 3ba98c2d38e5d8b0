#include "tun/linux_device.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <system_error>
#include <unistd.h>
#include <utility>

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
  request.ifr_flags = static_cast<short>(IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL);
  if (ioctl(fd.get(), TUNSETIFF, &request) != 0) {
    return Fail(errno == EBUSY ? MakeError(EBUSY, "interface " + name + " exists already")
                               : MakeError(errno, "make interface " + name));
  }
  std::string given(request.ifr_name);
  const std::uint32_t index = if_nametoindex(given.c_str());
  if (index == 0) {
    return Fail(MakeError(errno, "if_nametoindex " + given));
  }
  return std::make_unique<LinuxDevice>(std::move(fd), std::move(given), index, mtu);
}

LinuxDevice::LinuxDevice(UniqueFd fd, std::string name, std::uint32_t index, std::size_t mtu)
    : fd_(std::move(fd)), name_(std::move(name)), index_(index), mtu_(mtu) {}

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

Result<void> LinuxDevice::Write(Bytes packet) {
  ssize_t size = 0;
  do {
    size = write(fd_.get(), packet.data(), packet.size());
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
