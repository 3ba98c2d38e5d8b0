// What waits to be written to a connection of ICE over TCP.
//
// Source: RFC 4571 section 2 (framing); RFC 6544 section 10 says that data is worth little once it
// is late, while checks keep the connection.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"

namespace floe::ice::tcp {

/// A queue of frames, bounded in bytes. What does not fit pushes out the oldest data. STUN is never
/// dropped: a connection that does not even take that is over.
class FrameQueue {
 public:
  static constexpr std::size_t kMaxBytes = 256UL * 1024;  // frames with their headers
  static constexpr Duration kWritableGrace = std::chrono::seconds(5);

  enum class Kind : std::uint8_t { kStun, kData };

  /// False if the connection is to be closed: STUN alone fills the queue. Data that does not fit a
  /// frame, or the queue beside what is STUN, is dropped.
  [[nodiscard]] bool Push(TimePoint now, Bytes packet, Kind kind);

  /// The next frame, header included. To be called whenever the connection takes one.
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> Pop(TimePoint now);

  /// When an open connection that has not taken any of what waits is to be given up; nothing while
  /// nothing waits. It may only be slow for a moment.
  [[nodiscard]] std::optional<TimePoint> GiveUpAt() const;

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
  TimePoint moved_;            // When the connection last took one, or had nothing to take.
};

}  // namespace floe::ice::tcp
