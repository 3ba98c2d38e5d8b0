#include "tunnel/packet/header_walk.h"

#include "tunnel/packet/headers.h"

namespace floe::tunnel {
namespace {

constexpr std::uint16_t kIpv4OffsetMask = 0x1FFF;
constexpr std::size_t kFragmentOffsetField = 2;  // in the Fragment header

/// The size of an extension header that says it in its second byte, or 0 for what is none.
std::size_t ExtensionSize(std::uint8_t protocol, std::uint8_t length) {
  switch (protocol) {
    case kProtocolHopByHop:
    case kProtocolRouting:
    case kProtocolDestinationOptions:
      return (std::size_t{length} + 1) * 8;
    case kProtocolAuthentication:
      return (std::size_t{length} + 2) * 4;
    case kProtocolFragment:
      return kFragmentHeaderSize;
    default:
      return 0;
  }
}

std::optional<HeaderWalk> WalkIpv6(Bytes packet) {
  HeaderWalk walk{.protocol = packet[kIpv6NextHeader],
                  .transport = kIpv6HeaderSize,
                  .unfragmentable = kIpv6HeaderSize,
                  .next_header = kIpv6NextHeader};
  std::size_t field = kIpv6NextHeader;  // Where walk.protocol was read.
  while (ExtensionSize(walk.protocol, 0) != 0) {
    const std::size_t at = walk.transport;
    if (at + 2 > packet.size()) {
      return std::nullopt;
    }
    const std::size_t size = ExtensionSize(walk.protocol, packet[at + 1]);
    if (at + size > packet.size()) {
      return std::nullopt;
    }
    if (walk.protocol == kProtocolFragment && walk.fragment == 0) {
      walk.fragment = at;
      walk.unfragmentable = at;
      walk.next_header = field;
      walk.is_later_fragment = LoadBe<std::uint16_t>(packet, at + kFragmentOffsetField) >> 3U != 0;
    }
    // What every node on the way looks at; destination options belong to it before a Routing header
    // alone, whose end then covers them.
    if (walk.fragment == 0 &&
        (walk.protocol == kProtocolHopByHop || walk.protocol == kProtocolRouting)) {
      walk.unfragmentable = at + size;
      walk.next_header = at;
    }
    walk.protocol = packet[at];
    walk.transport = at + size;
    field = at;
    if (walk.is_later_fragment) {
      break;
    }
  }
  return walk;
}

}  // namespace

std::optional<HeaderWalk> WalkHeaders(Bytes packet) {
  if (packet[0] >> 4U == 6) {
    return WalkIpv6(packet);
  }
  const std::size_t header = Ipv4HeaderSize(packet);
  if (header < kIpv4HeaderSize || header > packet.size()) {
    return std::nullopt;
  }
  return HeaderWalk{
      .protocol = packet[kIpv4Protocol],
      .transport = header,
      .is_later_fragment = (LoadBe<std::uint16_t>(packet, kIpv4Fragment) & kIpv4OffsetMask) != 0};
}

}  // namespace floe::tunnel
