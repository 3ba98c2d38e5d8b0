// The TUN device of Linux.
//
// Source: Documentation/networking/tuntap.rst of the kernel, section 3.4 for the header.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "tun/device.h"

namespace floe::tun {

/// One thread may read while others write.
///
/// The interface exists as long as this object, or the process, however that ends: it is never made
/// persistent. It begins without addresses and switched off, see Netlink::SetUp().
class LinuxDevice final : public Device {
 public:
  /// Makes an interface called `name`; "" or a pattern such as "floe%d" lets the kernel number it.
  /// SetUp() is to be told the same `mtu`. Of `wanted` it gets what the kernel can.
  ///
  /// Fails with a context that says what is wrong: "open /dev/net/tun" where the kernel or the
  /// container has none (no_such_file_or_directory) or it is not ours to open (permission_denied);
  /// "make interface floe0" without CAP_NET_ADMIN (operation_not_permitted) and for a name that is
  /// too long; "interface floe0 exists already" (device_or_resource_busy).
  [[nodiscard]] static Result<std::unique_ptr<LinuxDevice>> Open(
      const std::string& name, std::size_t mtu, Offloads wanted = {.tcp = true, .udp = true});

  /// Takes a descriptor that has been attached to the interface. Use Open().
  LinuxDevice(UniqueFd fd, std::string name, std::uint32_t index, std::size_t mtu,
              Offloads offloads, Offloads takes);

  [[nodiscard]] Result<std::optional<std::size_t>> Read(MutableBytes packet) override;
  [[nodiscard]] Result<bool> Write(std::span<const Bytes> parts) override;

  /// Kernels have handed over large packets that they then could not describe (EINVAL). Such a one
  /// is lost; after 16 in a row there are no offloads any more. From any thread.
  [[nodiscard]] Offloads offloads() const override { return offloads_; }

  [[nodiscard]] Offloads takes() const override { return takes_; }

  [[nodiscard]] int poll_fd() const override { return fd_.get(); }

  [[nodiscard]] const std::string& name() const override { return name_; }

  [[nodiscard]] std::size_t mtu() const override { return mtu_; }

  /// The number of the interface, for Netlink.
  [[nodiscard]] std::uint32_t index() const { return index_; }

  /// Packets that Write() dropped.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  void HandleUnreadable();

  UniqueFd fd_;
  std::string name_;
  std::uint32_t index_;
  std::size_t mtu_;
  std::atomic<Offloads> offloads_;
  Offloads takes_;
  int unreadable_ = 0;  // Packets in a row.
  std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace floe::tun
