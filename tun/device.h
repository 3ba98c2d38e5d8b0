// A layer 3 network interface whose other end is this process.

#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace floe::tun {

/// What the kernel hands over as one large packet, to be cut, or takes as one.
struct Offloads {
  bool tcp = false;
  bool udp = false;

  bool operator==(const Offloads&) const = default;
};

/// Packets in, packets out. Whoever opens the device also sets its address and routes, through
/// tun/netlink.h, which keeps this interface small enough to fake.
///
/// A packet is one IPv4 or IPv6 packet, with a struct virtio_net_hdr of kHeaderSize bytes in front
/// of it: it may be many in one, and its checksum may be left to do. No call blocks. An error means
/// that the device is of no more use.
class Device {
 public:
  static constexpr std::size_t kHeaderSize = 10;                 // bytes
  static constexpr std::size_t kMaxRead = kHeaderSize + 65'535;  // bytes

  virtual ~Device() = default;

  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  /// Reads one packet into the front of `packet`, which must hold kMaxRead bytes. Returns its size
  /// in bytes, or nothing if none is waiting.
  [[nodiscard]] virtual Result<std::optional<std::size_t>> Read(MutableBytes packet) = 0;

  /// Hands one packet to the kernel, whose parts lie apart. Returns whether the kernel took it: if
  /// not it is dropped, as a wire would. At most kMaxParts.
  [[nodiscard]] virtual Result<bool> Write(std::span<const Bytes> parts) = 0;
  static constexpr std::size_t kMaxParts = 65;

  /// Read() gives these, if it does not give all that Open() was asked for.
  [[nodiscard]] virtual Offloads offloads() const = 0;

  /// Write() takes these.
  [[nodiscard]] virtual Offloads takes() const = 0;

  /// The descriptor to poll for readability. The device still owns it.
  [[nodiscard]] virtual int poll_fd() const = 0;

  /// The name the kernel gave the interface, as in "floe0".
  [[nodiscard]] virtual const std::string& name() const = 0;

  /// The largest packet that is not to be cut, in bytes.
  [[nodiscard]] virtual std::size_t mtu() const = 0;

 protected:
  Device() = default;
};

}  // namespace floe::tun
