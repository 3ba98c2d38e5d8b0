#include "ice/tcp/frame_queue.h"

#include <algorithm>
#include <utility>

#include "ice/tcp/deframer.h"

namespace floe::ice::tcp {

bool FrameQueue::Push(TimePoint now, Bytes packet, Kind kind) {
  const std::size_t size = kFrameHeaderSize + packet.size();
  if (packet.size() > kMaxFrame) {
    ++dropped_;
    return true;
  }
  DropOldestData(size);
  if (bytes_ + size > kMaxBytes) {
    dropped_ += kind == Kind::kData ? 1 : 0;
    return kind == Kind::kData;
  }
  if (frames_.empty()) {
    moved_ = now;
  }
  Frame frame{.bytes = std::vector<std::uint8_t>(size), .kind = kind};
  StoreBe(frame.bytes, 0, static_cast<std::uint16_t>(packet.size()));
  std::copy(packet.begin(), packet.end(), frame.bytes.begin() + kFrameHeaderSize);
  frames_.push_back(std::move(frame));
  bytes_ += size;
  return true;
}

void FrameQueue::DropOldestData(std::size_t needed) {
  for (auto frame = frames_.begin(); frame != frames_.end() && bytes_ + needed > kMaxBytes;) {
    if (frame->kind == Kind::kStun) {
      ++frame;
      continue;
    }
    bytes_ -= frame->bytes.size();
    ++dropped_;
    frame = frames_.erase(frame);
  }
}

std::optional<std::vector<std::uint8_t>> FrameQueue::Pop(TimePoint now) {
  if (frames_.empty()) {
    return std::nullopt;
  }
  std::vector<std::uint8_t> frame = std::move(frames_.front().bytes);
  frames_.pop_front();
  bytes_ -= frame.size();
  moved_ = now;
  return frame;
}

std::optional<TimePoint> FrameQueue::GiveUpAt() const {
  return frames_.empty() ? std::nullopt : std::optional(moved_ + kWritableGrace);
}

}  // namespace floe::ice::tcp
