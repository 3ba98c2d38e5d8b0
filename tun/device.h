// A layer 3 network interface whose other end is this process.

#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace floe::tun {

/// Packets in, packets out. Whoever opens the device also sets its address and routes, through
/// tun/netlink.h, which keeps this interface small enough to fake.
///
/// A packet is one IPv4 or IPv6 packet, with no header in front of it. No call blocks. An error
/// means that the device is of no more use.
class Device {
 public:
  virtual ~Device() = default;

  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  /// Reads one packet into the front of `packet`, which must hold mtu() bytes. Returns its size in
  /// bytes, or nothing if none is waiting.
  [[nodiscard]] virtual Result<std::optional<std::size_t>> Read(MutableBytes packet) = 0;

  /// Hands one packet to the kernel. Drops it if the kernel does not take it, as a wire would.
  [[nodiscard]] virtual Result<void> Write(Bytes packet) = 0;

  /// The descriptor to poll for readability. The device still owns it.
  [[nodiscard]] virtual int poll_fd() const = 0;

  /// The name the kernel gave the interface, as in "floe0".
  [[nodiscard]] virtual const std::string& name() const = 0;

  /// The largest packet, in bytes.
  [[nodiscard]] virtual std::size_t mtu() const = 0;

 protected:
  Device() = default;
};

}  // namespace floe::tun
