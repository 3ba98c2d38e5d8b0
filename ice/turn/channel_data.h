// ChannelData: application data behind four bytes instead of the forty of an indication.
//
// Source: RFC 8656 section 12.4. The channel number in 2 bytes, the length of the data in 2, the
// data. Over UDP nothing follows; padding is allowed and ignored.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"

namespace floe::ice::turn {

inline constexpr std::size_t kChannelDataHeaderSize = 4;  // bytes
inline constexpr std::uint16_t kFirstChannel = 0x4000;
inline constexpr std::uint16_t kLastChannel = 0x4FFF;

[[nodiscard]] constexpr bool IsChannelNumber(std::uint16_t number) {
  return number >= kFirstChannel && number <= kLastChannel;
}

/// One whole message. The payload borrows the datagram.
struct ChannelDataView {
  std::uint16_t channel = 0;
  Bytes payload;
};

/// True if the first byte is one of ChannelData. STUN and WireGuard never begin like that.
[[nodiscard]] constexpr bool LooksLikeChannelData(Bytes datagram) {
  return !datagram.empty() && datagram[0] >= 0x40 && datagram[0] <= 0x4F;
}

/// Nothing if the number is no channel's, or the datagram is shorter than it says it is.
[[nodiscard]] std::optional<ChannelDataView> ParseChannelData(Bytes datagram);

/// Writes the header to the front of `out`, which holds kChannelDataHeaderSize bytes or more. The
/// payload of `payload_size` bytes, at most 65535, stands or will stand behind it.
void StoreChannelDataHeader(MutableBytes out, std::uint16_t channel, std::size_t payload_size);

[[nodiscard]] std::vector<std::uint8_t> MakeChannelData(std::uint16_t channel, Bytes payload);

}  // namespace floe::ice::turn
