#include "ice/turn/stream_framer.h"

#include "ice/stun/message.h"
#include "ice/turn/channel_data.h"

namespace floe::ice::turn {
namespace {

constexpr std::size_t kSizeOffset = 2;  // Of the length, in both kinds of message.
constexpr std::size_t kCookieOffset = 4;

/// The whole size of the message that begins here: nothing while too little is known of it, 0 if
/// it is none.
std::optional<std::size_t> SizeOf(Bytes bytes) {
  if (bytes.empty()) {
    return std::nullopt;
  }
  if (LooksLikeChannelData(bytes)) {
    if (bytes.size() < kChannelDataHeaderSize) {
      return std::nullopt;
    }
    const std::size_t size = LoadBe<std::uint16_t>(bytes, kSizeOffset);
    return kChannelDataHeaderSize + (size + 3) / 4 * 4;
  }
  if (bytes[0] >= 0x40) {
    return 0;
  }
  if (bytes.size() < kCookieOffset + sizeof(std::uint32_t)) {
    return std::nullopt;
  }
  const std::size_t size = LoadBe<std::uint16_t>(bytes, kSizeOffset);
  return LoadBe<std::uint32_t>(bytes, kCookieOffset) == stun::kMagicCookie && size % 4 == 0
             ? stun::kHeaderSize + size
             : 0;
}

}  // namespace

void StreamFramer::HandleBytes(Bytes bytes) {
  if (broken_) {
    return;
  }
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(read_));
  read_ = 0;
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

std::optional<Bytes> StreamFramer::Poll() {
  const Bytes rest = Bytes(buffer_).subspan(read_);
  const auto size = SizeOf(rest);
  if (size == 0U) {
    broken_ = true;
    buffer_.clear();
    read_ = 0;
    return std::nullopt;
  }
  if (!size || *size > rest.size()) {
    return std::nullopt;
  }
  read_ += *size;
  return rest.first(*size);
}

void PadForStream(std::vector<std::uint8_t>& message) {
  message.resize((message.size() + 3) / 4 * 4);
}

}  // namespace floe::ice::turn
