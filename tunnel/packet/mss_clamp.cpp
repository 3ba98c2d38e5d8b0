#include "tunnel/packet/mss_clamp.h"

#include <cstdint>
#include <optional>

#include "tunnel/packet/checksum.h"
#include "tunnel/packet/header_walk.h"
#include "tunnel/packet/headers.h"

namespace floe::tunnel {
namespace {

constexpr std::size_t kMssOptionSize = 4;  // kind, size, two bytes

/// The TCP header of a SYN, with what is behind it; nothing if the packet is none.
std::optional<std::size_t> FindSyn(Bytes packet) {
  const std::size_t least = packet.empty()         ? 1
                            : packet[0] >> 4U == 4 ? kIpv4HeaderSize
                                                   : kIpv6HeaderSize;
  if (packet.size() < least) {
    return std::nullopt;
  }
  const auto walk = WalkHeaders(packet);
  if (!walk || walk->protocol != kProtocolTcp || walk->is_later_fragment ||
      packet.size() - walk->transport < kTcpHeaderSize ||
      (packet[walk->transport + kTcpFlags] & kTcpSyn) == 0) {
    return std::nullopt;
  }
  return walk->transport;
}

/// Where the value of the option lies in the header of `size` bytes, or nothing.
std::optional<std::size_t> FindMss(Bytes tcp, std::size_t size) {
  constexpr std::uint8_t kEnd = 0;
  constexpr std::uint8_t kNoOperation = 1;
  constexpr std::uint8_t kMss = 2;
  std::size_t at = kTcpHeaderSize;
  while (at < size && tcp[at] != kEnd) {
    if (tcp[at] == kNoOperation) {
      ++at;
      continue;
    }
    if (at + 1 >= size || tcp[at + 1] < 2 || at + tcp[at + 1] > size) {
      return std::nullopt;
    }
    if (tcp[at] == kMss && tcp[at + 1] == kMssOptionSize) {
      return at + 2;
    }
    at += tcp[at + 1];
  }
  return std::nullopt;
}

/// RFC 1624 equation 3, for a value that may begin at an odd byte.
void UpdateChecksum(MutableBytes tcp, std::size_t at, std::uint16_t before, std::uint16_t after) {
  const auto swap = [at](std::uint16_t value) {
    return at % 2 == 0 ? value : static_cast<std::uint16_t>(value << 8U | value >> 8U);
  };
  const auto old = static_cast<std::uint16_t>(~LoadBe<std::uint16_t>(tcp, kTcpChecksum));
  const auto gone = static_cast<std::uint16_t>(~swap(before));
  StoreBe<std::uint16_t>(tcp, kTcpChecksum,
                         Checksum(std::uint64_t{old} + gone + std::uint64_t{swap(after)}));
}

}  // namespace

bool IsTcpSyn(Bytes packet) {
  return FindSyn(packet).has_value();
}

bool ClampMss(MutableBytes packet, std::size_t room) {
  const auto syn = FindSyn(packet);
  // RFC 6691: the option counts neither IP nor TCP options, only the fixed headers.
  const std::size_t headers =
      (!packet.empty() && packet[0] >> 4U == 4 ? kIpv4HeaderSize : kIpv6HeaderSize) +
      kTcpHeaderSize;
  if (!syn || room <= headers) {
    return false;
  }
  const MutableBytes tcp = packet.subspan(*syn);
  const std::size_t size = TcpHeaderSize(tcp);
  const auto at = size <= tcp.size() ? FindMss(tcp, size) : std::nullopt;
  if (!at || LoadBe<std::uint16_t>(tcp, *at) <= room - headers) {
    return false;
  }
  const auto before = LoadBe<std::uint16_t>(tcp, *at);
  const auto after = static_cast<std::uint16_t>(room - headers);
  StoreBe<std::uint16_t>(tcp, *at, after);
  UpdateChecksum(tcp, *at, before, after);
  return true;
}

}  // namespace floe::tunnel
