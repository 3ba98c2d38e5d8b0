#include "tunnel/ip_packet.h"

#include <cstddef>
#include <cstdint>

#include "tunnel/packet/headers.h"

namespace floe::tunnel {
namespace {

/// The length the packet says it has, header included. Nothing if the header is not whole.
std::optional<std::size_t> StatedLength(Bytes bytes) {
  if (bytes.empty()) {
    return std::nullopt;
  }
  const std::uint32_t version = bytes[0] >> 4U;
  if (version == 4 && bytes.size() >= kIpv4HeaderSize) {
    const std::size_t header = Ipv4HeaderSize(bytes);
    const std::size_t total = LoadBe<std::uint16_t>(bytes, kIpv4TotalLength);
    if (header < kIpv4HeaderSize || total < header) {
      return std::nullopt;
    }
    return total;
  }
  if (version == 6 && bytes.size() >= kIpv6HeaderSize) {
    return kIpv6HeaderSize + LoadBe<std::uint16_t>(bytes, kIpv6PayloadLength);
  }
  return std::nullopt;
}

}  // namespace

std::optional<IpPacketView> IpPacketView::Parse(Bytes bytes) {
  const std::optional<std::size_t> length = StatedLength(bytes);
  if (!length || *length > bytes.size()) {
    return std::nullopt;
  }
  return IpPacketView(bytes.first(*length));
}

IpAddress IpPacketView::source() const {
  return IpAddress::FromBytes(is_v4() ? bytes_.subspan(kIpv4Source, 4)
                                      : bytes_.subspan(kIpv6Source, 16));
}

IpAddress IpPacketView::destination() const {
  return IpAddress::FromBytes(is_v4() ? bytes_.subspan(kIpv4Destination, 4)
                                      : bytes_.subspan(kIpv6Destination, 16));
}

}  // namespace floe::tunnel
