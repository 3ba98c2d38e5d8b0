// What waits to be written to a connection of ICE over TCP.
//
// Source: RFC 4571 section 2 (framing); RFC 6544 section 10 says that data is worth little once it
// is late, while checks keep the connection.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/bytes.h"

namespace floe::ice::tcp {

/// A queue of frames, bounded in bytes. What does not fit pushes out the oldest data. STUN is never
/// dropped: a connection that does not even take that is over.
class FrameQueue {
 public:
  static constexpr std::size_t kMaxBytes = 256UL * 1024;  // frames with their headers

  enum class Kind : std::uint8_t { kStun, kData };

  /// False if the connection is to be closed: STUN alone fills the queue. Data that does not fit a
  /// frame, or the queue beside what is STUN, is dropped.
  [[nodiscard]] bool Push(Bytes packet, Kind kind);

  /// The next frame, header included.
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> Pop();

  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  struct Frame {
    std::vector<std::uint8_t> bytes;
    Kind kind;
  };

  void DropOldestData(std::size_t needed);

  std::deque<Frame> frames_;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0;  // Packets of data.
};

}  // namespace floe::ice::tcp
