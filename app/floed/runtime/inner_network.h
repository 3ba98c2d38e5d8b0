// The network inside the tunnel: the TUN device with its addresses and routes.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "app/config/config.h"
#include "app/floed/runtime/joined_writer.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/uv/loop.h"
#include "base/uv/poll.h"
#include "tun/device.h"
#include "tunnel/packet/coalescer.h"

namespace floe::daemon {

/// All of it goes with the object, or with the process: addresses and routes are the interface's,
/// and the interface is the descriptor's.
class InnerNetwork {
 public:
  struct Handlers {
    std::function<void(Bytes)> on_packet;
    std::function<void()> on_batch;
    std::function<void(const Error&)> on_failure;  // The device is gone.
  };

  /// Fails without having changed anything: no /dev/net/tun, no permission, or a route that would
  /// cover a network this machine is in.
  [[nodiscard]] static Result<std::unique_ptr<InnerNetwork>> Open(uv::Loop& loop,
                                                                  const config::Config& config,
                                                                  Handlers handlers);

  InnerNetwork(std::unique_ptr<tun::Device> device, bool coalesce, Handlers handlers);

  InnerNetwork(const InnerNetwork&) = delete;
  InnerNetwork& operator=(const InnerNetwork&) = delete;

  /// A packet for the kernel. It leaves with Flush(), joined with others where it can be.
  void Write(std::vector<std::uint8_t> packet);
  void Flush();

  // For those who carry packets on threads of their own (packet_path.h).

  /// The device is theirs to read.
  void StopReading() { poll_->Watch(uv::Interest::kNone); }

  [[nodiscard]] tun::Device& device() { return *device_; }

  [[nodiscard]] JoinedWriter& writer() { return writer_; }

  /// What the kernel hands over as one.
  [[nodiscard]] tun::Offloads offloads() const { return device_->offloads(); }

  /// What the kernel is given as one.
  [[nodiscard]] tunnel::Joinable joinable() const { return writer_.joinable(); }

  /// Packets that the kernel gave us and that contradict themselves.
  [[nodiscard]] std::uint64_t malformed() const { return malformed_; }

 private:
  void Read();
  void HandleRead(MutableBytes bytes);

  std::unique_ptr<tun::Device> device_;
  Handlers handlers_;
  std::vector<std::uint8_t> buffer_;
  JoinedWriter writer_;
  tunnel::Coalescer coalescer_;
  std::vector<std::vector<std::uint8_t>> waiting_;  // What the coalescer borrows.
  std::uint64_t malformed_ = 0;
  std::unique_ptr<uv::Poll> poll_;
};

}  // namespace floe::daemon
