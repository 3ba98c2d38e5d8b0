#include "app/floed/runtime/hand_over.h"

#include <utility>

#include "tunnel/tunnel.h"

namespace floe::daemon {

void HandOver::Push(LeftOver left_over) {
  bool is_first = false;
  {
    const std::lock_guard lock(lock_);
    std::deque<LeftOver>& queue = queues_[QueueOf(left_over)];
    if (queue.size() == kMaxWaiting) {
      ++dropped_;
      return;
    }
    queue.push_back(std::move(left_over));
    is_first = ++size_ == 1;
  }
  if (is_first) {
    on_first_();
  }
}

std::optional<LeftOver> HandOver::Poll() {
  const std::lock_guard lock(lock_);
  for (std::size_t i = 0; i < kQueues; ++i) {
    turn_ = (turn_ + 1) % kQueues;
    std::deque<LeftOver>& queue = queues_[turn_];
    if (!queue.empty()) {
      std::optional<LeftOver> front(std::move(queue.front()));
      queue.pop_front();
      --size_;
      return front;
    }
  }
  return std::nullopt;
}

std::uint64_t HandOver::dropped() const {
  const std::lock_guard lock(lock_);
  return dropped_;
}

std::size_t HandOver::QueueOf(const LeftOver& left_over) {
  const auto* datagram = std::get_if<ReceivedDatagram>(&left_over);
  return datagram != nullptr && tunnel::Tunnel::IsHandshake(datagram->bytes)
             ? 0
             : left_over.index() + 1;
}

}  // namespace floe::daemon
