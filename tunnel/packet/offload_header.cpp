#include "tunnel/packet/offload_header.h"

#include <array>
#include <bit>
#include <cstring>

namespace floe::tunnel {
namespace {

// flags u8 | gso_type u8 | hdr_len u16 | gso_size u16 | csum_start u16 | csum_offset u16, in the
// byte order of the machine.
constexpr std::size_t kFlags = 0;
constexpr std::size_t kType = 1;
constexpr std::uint8_t kNeedsChecksum = 1;
constexpr std::uint8_t kCongestionWindowReduced = 0x80;

std::uint16_t Load16(Bytes bytes, std::size_t offset) {
  std::uint16_t value = 0;
  std::memcpy(&value, bytes.subspan(offset, sizeof value).data(), sizeof value);
  return value;
}

void Store16(MutableBytes bytes, std::size_t offset, std::uint16_t value) {
  std::memcpy(bytes.subspan(offset, sizeof value).data(), &value, sizeof value);
}

}  // namespace

std::optional<OffloadHeader> OffloadHeader::Parse(Bytes bytes) {
  OffloadHeader header;
  header.needs_checksum = (bytes[kFlags] & kNeedsChecksum) != 0;
  header.congestion_window_reduced = (bytes[kType] & kCongestionWindowReduced) != 0;
  header.segments = static_cast<Segments>(bytes[kType] & ~kCongestionWindowReduced);
  header.header_size = Load16(bytes, 2);
  header.segment_size = Load16(bytes, 4);
  header.checksum_start = Load16(bytes, 6);
  header.checksum_offset = Load16(bytes, 8);
  switch (header.segments) {
    case Segments::kNone:
    case Segments::kTcp4:
    case Segments::kTcp6:
    case Segments::kUdp:
      return header;
  }
  return std::nullopt;
}

void OffloadHeader::Store(MutableBytes bytes) const {
  bytes[kFlags] = needs_checksum ? kNeedsChecksum : 0;
  bytes[kType] =
      static_cast<std::uint8_t>(static_cast<std::uint8_t>(segments) |
                                (congestion_window_reduced ? kCongestionWindowReduced : 0));
  Store16(bytes, 2, header_size);
  Store16(bytes, 4, segment_size);
  Store16(bytes, 6, checksum_start);
  Store16(bytes, 8, checksum_offset);
}

}  // namespace floe::tunnel
