#include "ice/driver/send_queue.h"

#include <algorithm>
#include <utility>

namespace floe::ice {

bool SendQueue::Push(std::vector<std::uint8_t> bytes, bool droppable) {
  std::size_t& size = droppable ? data_ : other_;
  size += bytes.size();
  messages_.push_back({.bytes = std::move(bytes), .droppable = droppable});
  while (data_ > kMaxData) {
    DropOldest();
  }
  return other_ <= kMaxOther;
}

void SendQueue::DropOldest() {
  const auto oldest = std::ranges::find(messages_, true, &Message::droppable);
  data_ -= oldest->bytes.size();
  messages_.erase(oldest);
  ++dropped_;
}

std::optional<std::vector<std::uint8_t>> SendQueue::Pop() {
  if (messages_.empty()) {
    return std::nullopt;
  }
  Message message = std::move(messages_.front());
  messages_.pop_front();
  (message.droppable ? data_ : other_) -= message.bytes.size();
  return std::move(message.bytes);
}

}  // namespace floe::ice
