// What waits to be written to a stream that is slower than what is sent.
//
// Behind a slow stream data gets old, and old data is worth nothing: the oldest goes. What keeps an
// allocation or a check alive does not.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace floe::ice {

class SendQueue {
 public:
  /// Bytes of data and bytes of what may not be dropped.
  static constexpr std::size_t kMaxData = 256UL * 1024;
  static constexpr std::size_t kMaxOther = 64UL * 1024;

  /// False if there is too much of what may not be dropped: the stream is dead.
  [[nodiscard]] bool Push(std::vector<std::uint8_t> bytes, bool droppable);

  /// In the order of Push().
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> Pop();

  [[nodiscard]] bool empty() const { return messages_.empty(); }

  /// How many messages were dropped.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  struct Message {
    std::vector<std::uint8_t> bytes;
    bool droppable = false;
  };

  void DropOldest();

  std::deque<Message> messages_;
  std::size_t data_ = 0;   // bytes
  std::size_t other_ = 0;  // bytes
  std::uint64_t dropped_ = 0;
};

}  // namespace floe::ice
