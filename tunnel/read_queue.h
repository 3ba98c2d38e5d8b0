// What was read from the TUN device and waits to be sealed: a large packet takes so long that small
// ones of other flows go first.
//
// With segmentation offload the kernel gives 64 KiB at a time, and many of these stand in the
// device's queue when a flow is fast. Between two of them all that is there is read: what is small
// and follows nothing of its own flow is sent at once, the rest waits, and what finds no room is
// dropped, as at the end of any queue. So an echo request does not wait for a transfer.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "tunnel/cipher.h"
#include "tunnel/packet/offload_header.h"
#include "tunnel/transport.h"

namespace floe::tunnel {

/// For one thread.
class ReadQueue {
 public:
  static constexpr std::size_t kMaxRead = kOffloadHeaderSize + 65'535;  // bytes
  static constexpr std::size_t kMaxWaiting = 32;
  static constexpr std::size_t kSmall = 4096;  // bytes: sealed within a few microseconds

  ReadQueue();

  /// Where to read the next to: kMaxRead bytes, with room around them for ciphers.
  [[nodiscard]] MutableBytes buffer() { return BufferOf(free_.back()); }

  /// An OffloadHeader and a packet are in buffer(), of `size` bytes together. Returns them if they
  /// are to be sent now; they hold until the next is read.
  [[nodiscard]] std::optional<MutableBytes> Add(std::size_t size);

  /// Takes what has waited for longest. It holds until the next is read.
  [[nodiscard]] std::optional<MutableBytes> Next();

  /// What found no room. For any thread.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  struct Waiting {
    std::size_t buffer = 0;
    std::size_t size = 0;  // bytes
    std::size_t flow = 0;
  };

  [[nodiscard]] MutableBytes BufferOf(std::size_t index);

  std::unique_ptr<std::uint8_t[]> bytes_;  // Of all buffers. What is not used takes no memory.
  std::vector<std::size_t> free_;          // Buffers. There is always one more than may wait.
  std::vector<Waiting> waiting_;           // The first has waited for longest.
  std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace floe::tunnel
