// The network inside the tunnel: the TUN device with its addresses and routes.

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "app/config/config.h"
#include "app/floed/runtime/joined_writer.h"
#include "base/bytes.h"
#include "base/result.h"
#include "tun/device.h"
#include "tunnel/packet/coalescer.h"

namespace floe::daemon {

/// All of it goes with the object, or with the process: addresses and routes are the interface's,
/// and the interface is the descriptor's.
class InnerNetwork {
 public:
  /// Fails without having changed anything: no /dev/net/tun, no permission, or a route that would
  /// cover a network this machine is in.
  [[nodiscard]] static Result<std::unique_ptr<InnerNetwork>> Open(const config::Config& config);

  InnerNetwork(std::unique_ptr<tun::Device> device, bool coalesce);

  InnerNetwork(const InnerNetwork&) = delete;
  InnerNetwork& operator=(const InnerNetwork&) = delete;

  /// A packet for the kernel. It leaves with Flush(), joined with others where it can be.
  void Write(std::vector<std::uint8_t> packet);
  /// Fails if the device is gone.
  [[nodiscard]] Result<void> Flush();

  // For whoever else carries packets.

  [[nodiscard]] tun::Device& device() { return *device_; }

  [[nodiscard]] JoinedWriter& writer() { return writer_; }

  /// What the kernel hands over as one.
  [[nodiscard]] tun::Offloads offloads() const { return device_->offloads(); }

  /// What the kernel is given as one.
  [[nodiscard]] tunnel::Joinable joinable() const { return writer_.joinable(); }

 private:
  std::unique_ptr<tun::Device> device_;
  JoinedWriter writer_;
  tunnel::Coalescer coalescer_;
  std::vector<std::vector<std::uint8_t>> waiting_;  // What the coalescer borrows.
};

}  // namespace floe::daemon
