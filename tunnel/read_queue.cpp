#include "tunnel/read_queue.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string_view>

#include "tunnel/packet/headers.h"

namespace floe::tunnel {
namespace {

constexpr std::size_t kBuffers = ReadQueue::kMaxWaiting + 1;
constexpr std::size_t kRoom =
    kCipherHeadroom + ReadQueue::kMaxRead + kCipherSlack + kPaddingMultiple;  // bytes

constexpr std::size_t kPortsSize = 4;  // bytes

/// The same for all packets of a flow: of addresses and ports, which lie together. Other flows may
/// have it too, and then wait for each other.
std::size_t FlowOf(Bytes packet) {
  const bool v4 = !packet.empty() && packet[0] >> 4U == 4;
  const std::size_t begin = v4 ? kIpv4Source : kIpv6Source;
  const std::size_t end = (v4 ? kIpv4HeaderSize : kIpv6HeaderSize) + kPortsSize;
  if (packet.size() < end) {
    return 0;
  }
  return std::hash<std::string_view>{}(AsText(packet.subspan(begin, end - begin)));
}

}  // namespace

ReadQueue::ReadQueue()
    : bytes_(std::make_unique_for_overwrite<std::uint8_t[]>(kBuffers * kRoom)), free_(kBuffers) {
  waiting_.reserve(kMaxWaiting);
  std::iota(free_.begin(), free_.end(), std::size_t{0});
}

MutableBytes ReadQueue::BufferOf(std::size_t index) {
  return {&bytes_[index * kRoom + kCipherHeadroom], kMaxRead};
}

std::optional<MutableBytes> ReadQueue::Add(std::size_t size) {
  const MutableBytes read = buffer().first(size);
  const bool small = size <= kSmall;
  if (small && waiting_.empty()) {
    return read;
  }
  const std::size_t flow = FlowOf(read.subspan(std::min(size, kOffloadHeaderSize)));
  if (small && std::ranges::find(waiting_, flow, &Waiting::flow) == waiting_.end()) {
    return read;
  }
  if (waiting_.size() == kMaxWaiting) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  waiting_.push_back({.buffer = free_.back(), .size = size, .flow = flow});
  free_.pop_back();
  return std::nullopt;
}

std::optional<MutableBytes> ReadQueue::Next() {
  if (waiting_.empty()) {
    return std::nullopt;
  }
  const Waiting next = waiting_.front();
  waiting_.erase(waiting_.begin());
  free_.push_back(next.buffer);
  return BufferOf(next.buffer).first(next.size);
}

}  // namespace floe::tunnel
