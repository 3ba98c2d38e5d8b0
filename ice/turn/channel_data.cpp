#include "ice/turn/channel_data.h"

namespace floe::ice::turn {
namespace {

constexpr std::size_t kLengthOffset = 2;

}  // namespace

std::optional<ChannelDataView> ParseChannelData(Bytes datagram) {
  if (datagram.size() < kChannelDataHeaderSize) {
    return std::nullopt;
  }
  const auto channel = LoadBe<std::uint16_t>(datagram, 0);
  const std::size_t size = LoadBe<std::uint16_t>(datagram, kLengthOffset);
  const Bytes rest = datagram.subspan(kChannelDataHeaderSize);
  if (!IsChannelNumber(channel) || size > rest.size()) {
    return std::nullopt;
  }
  return ChannelDataView{.channel = channel, .payload = rest.first(size)};
}

void StoreChannelDataHeader(MutableBytes out, std::uint16_t channel, std::size_t payload_size) {
  StoreBe(out, 0, channel);
  StoreBe(out, kLengthOffset, static_cast<std::uint16_t>(payload_size));
}

std::vector<std::uint8_t> MakeChannelData(std::uint16_t channel, Bytes payload) {
  std::vector<std::uint8_t> message;
  message.reserve(kChannelDataHeaderSize + payload.size());
  message.resize(kChannelDataHeaderSize);
  StoreChannelDataHeader(message, channel, payload.size());
  message.insert(message.end(), payload.begin(), payload.end());
  return message;
}

}  // namespace floe::ice::turn
