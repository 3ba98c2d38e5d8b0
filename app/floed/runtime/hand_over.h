// What packet threads leave to the loop's thread, waiting for it.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/socket_address.h"
#include "tunnel/types.h"

namespace floe::daemon {

// For Engine::HandleDatagram, HandlePacket, HandlePeersPacket, HandleUnreachable and HandleTooBig.

struct ReceivedDatagram {
  SocketAddress local;
  SocketAddress remote;
  std::uint8_t tos = 0;
  std::vector<std::uint8_t> bytes;
};

struct DevicePacket {
  std::vector<std::uint8_t> bytes;
};

struct PeersPacket {
  tunnel::PeerId peer = 0;
  std::vector<std::uint8_t> bytes;
};

struct UnreachableWay {
  SocketAddress local;
  SocketAddress remote;
};

/// Datagrams of more than `fits` bytes do not go this way in one piece, as far as the kernel knows.
struct NarrowWay {
  SocketAddress local;
  SocketAddress remote;
  std::size_t fits = 0;  // bytes
};

using LeftOver =
    std::variant<ReceivedDatagram, DevicePacket, PeersPacket, UnreachableWay, NarrowWay, Error>;

/// For any number of threads. Of each kind so many wait, and what comes then is dropped and
/// counted; the kinds take turns. So a flood of one does not keep the others out.
class HandOver {
 public:
  static constexpr std::size_t kMaxWaiting = 512;

  /// `on_first` is called when something waits and nothing did.
  explicit HandOver(std::function<void()> on_first) : on_first_(std::move(on_first)) {}

  void Push(LeftOver left_over);

  [[nodiscard]] std::optional<LeftOver> Poll();

  [[nodiscard]] std::uint64_t dropped() const;

 private:
  /// Handshakes apart from other datagrams: anybody can send them, as many as they like.
  static constexpr std::size_t kQueues = std::variant_size_v<LeftOver> + 1;
  [[nodiscard]] static std::size_t QueueOf(const LeftOver& left_over);

  std::function<void()> on_first_;
  mutable std::mutex lock_;
  std::array<std::deque<LeftOver>, kQueues> queues_;
  std::size_t turn_ = 0;  // Whose it is.
  std::size_t size_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace floe::daemon
