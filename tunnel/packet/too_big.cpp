#include "tunnel/packet/too_big.h"

#include <algorithm>
#include <array>

#include "base/socket_address.h"
#include "tunnel/ip_packet.h"
#include "tunnel/packet/checksum.h"
#include "tunnel/packet/header_walk.h"
#include "tunnel/packet/headers.h"

namespace floe::tunnel {
namespace {

constexpr std::size_t kIcmpHeaderSize = 8;     // bytes
constexpr std::size_t kMaxIpv4Message = 576;   // RFC 1812 section 4.3.2.3
constexpr std::size_t kMaxIpv6Message = 1280;  // RFC 4443 section 3.2
constexpr std::size_t kIcmpChecksum = 2;
constexpr std::size_t kIcmp4NextHopMtu = 6;  // RFC 1191 section 4
constexpr std::size_t kIcmp6Mtu = 4;
constexpr std::uint8_t kHopLimit = 64;
constexpr std::uint8_t kInternetControl = 0xC0;  // TOS: RFC 1812 section 4.3.2.5

bool IsIcmp4Error(std::uint8_t type) {
  constexpr std::array<std::uint8_t, 5> kErrors{3, 4, 5, 11, 12};  // RFC 1122 section 3.2.2
  return std::ranges::find(kErrors, type) != kErrors.end();
}

/// RFC 4443 section 2.1: errors are below 128; and a redirect is not answered either.
bool IsIcmp6Error(std::uint8_t type) {
  constexpr std::uint8_t kRedirect = 137;
  return type < 128 || type == kRedirect;
}

bool IsOneHost(const IpAddress& ip) {
  // 0.0.0.0/8, 224.0.0.0/4 and 240.0.0.0/4, of which the last address is the broadcast.
  const bool none = ip.is_v4() && (ip.octets()[0] == 0 || ip.octets()[0] >= 224);
  return !none && !ip.is_unspecified() && !ip.is_multicast() && !ip.is_loopback();
}

bool MayBeAnswered(Bytes packet) {
  const auto view = IpPacketView::Parse(packet);
  const auto walk = view ? WalkHeaders(packet) : std::nullopt;
  if (!walk || walk->is_later_fragment || !IsOneHost(view->source()) ||
      !IsOneHost(view->destination())) {
    return false;
  }
  const bool v4 = packet[0] >> 4U == 4;
  if (walk->protocol != (v4 ? kProtocolIcmp4 : kProtocolIcmp6)) {
    return true;
  }
  if (walk->transport == packet.size()) {
    return false;  // An ICMP message whose type is not there to be read.
  }
  const std::uint8_t type = packet[walk->transport];
  return !(v4 ? IsIcmp4Error(type) : IsIcmp6Error(type));
}

std::vector<std::uint8_t> MakeIpv4(Bytes packet, std::size_t room) {
  const Bytes quoted =
      packet.first(std::min(packet.size(), kMaxIpv4Message - kIpv4HeaderSize - kIcmpHeaderSize));
  std::vector<std::uint8_t> message(kIpv4HeaderSize + kIcmpHeaderSize + quoted.size());
  const MutableBytes bytes(message);
  bytes[0] = 0x45;
  bytes[kIpv4Tos] = kInternetControl;
  StoreBe<std::uint16_t>(bytes, kIpv4TotalLength, static_cast<std::uint16_t>(message.size()));
  StoreBe<std::uint16_t>(bytes, kIpv4Fragment, kIpv4DontFragment);
  bytes[kIpv4Ttl] = kHopLimit;
  bytes[kIpv4Protocol] = kProtocolIcmp4;
  std::ranges::copy(packet.subspan(kIpv4Destination, 4), bytes.begin() + kIpv4Source);
  std::ranges::copy(packet.subspan(kIpv4Source, 4), bytes.begin() + kIpv4Destination);
  WriteIpv4Checksum(bytes);
  const MutableBytes icmp = bytes.subspan(kIpv4HeaderSize);
  icmp[0] = 3;  // Destination unreachable,
  icmp[1] = 4;  // fragmentation needed and DF set.
  StoreBe<std::uint16_t>(icmp, kIcmp4NextHopMtu,
                         static_cast<std::uint16_t>(std::min<std::size_t>(room, UINT16_MAX)));
  std::ranges::copy(quoted, icmp.begin() + kIcmpHeaderSize);
  StoreBe<std::uint16_t>(icmp, kIcmpChecksum, Checksum(Sum(icmp)));
  return message;
}

std::vector<std::uint8_t> MakeIpv6(Bytes packet, std::size_t room) {
  const Bytes quoted =
      packet.first(std::min(packet.size(), kMaxIpv6Message - kIpv6HeaderSize - kIcmpHeaderSize));
  std::vector<std::uint8_t> message(kIpv6HeaderSize + kIcmpHeaderSize + quoted.size());
  const MutableBytes bytes(message);
  const MutableBytes icmp = bytes.subspan(kIpv6HeaderSize);
  bytes[0] = 0x60;
  StoreBe<std::uint16_t>(bytes, kIpv6PayloadLength, static_cast<std::uint16_t>(icmp.size()));
  bytes[kIpv6NextHeader] = kProtocolIcmp6;
  bytes[kIpv6NextHeader + 1] = kHopLimit;
  std::ranges::copy(packet.subspan(kIpv6Destination, 16), bytes.begin() + kIpv6Source);
  std::ranges::copy(packet.subspan(kIpv6Source, 16), bytes.begin() + kIpv6Destination);
  icmp[0] = 2;  // Packet too big.
  StoreBe<std::uint32_t>(icmp, kIcmp6Mtu, static_cast<std::uint32_t>(room));
  std::ranges::copy(quoted, icmp.begin() + kIcmpHeaderSize);
  StoreBe<std::uint16_t>(icmp, kIcmpChecksum,
                         Checksum(PseudoHeaderSum(bytes, kProtocolIcmp6, icmp.size()) + Sum(icmp)));
  return message;
}

}  // namespace

std::vector<std::uint8_t> MakeTooBig(Bytes packet, std::size_t room) {
  if (!MayBeAnswered(packet)) {
    return {};
  }
  return packet[0] >> 4U == 4 ? MakeIpv4(packet, room) : MakeIpv6(packet, room);
}

}  // namespace floe::tunnel
