// Gives joined packets to the device, and stops joining where the kernel does not take them.

#pragma once

#include <atomic>

#include "base/result.h"
#include "tun/device.h"
#include "tunnel/packet/coalescer.h"

namespace floe::daemon {

/// Kernels have refused joined packets that they had promised to take. What is refused is cut again
/// and written one by one; after kMaxRefusals in a row of a kind, joinable() has that kind no more.
/// For any thread.
class JoinedWriter {
 public:
  static constexpr int kMaxRefusals = 16;

  /// The device must outlive it.
  JoinedWriter(tun::Device& device, tunnel::Joinable joinable)
      : device_(device), tcp_(joinable.tcp), udp_(joinable.udp) {}

  /// An error means that the device is of no more use.
  [[nodiscard]] Result<void> Write(const tunnel::Coalescer::Group& group);

  /// For the Coalescer.
  [[nodiscard]] tunnel::Joinable joinable() const { return {.tcp = tcp_, .udp = udp_}; }

 private:
  [[nodiscard]] Result<void> WriteCut(const tunnel::Coalescer::Group& group);

  tun::Device& device_;
  std::atomic<bool> tcp_;
  std::atomic<bool> udp_;
  std::atomic<int> refused_tcp_{0};  // In a row.
  std::atomic<int> refused_udp_{0};
};

}  // namespace floe::daemon
