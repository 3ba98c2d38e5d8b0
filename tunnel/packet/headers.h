// Where fields lie in the headers of inner packets.
//
// Source: RFC 791 section 3.1, RFC 8200 section 3, RFC 9293 section 3.1, RFC 768.

#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "tunnel/packet/checksum.h"

namespace floe::tunnel {

// Offsets and sizes in bytes.
inline constexpr std::size_t kIpv4HeaderSize = 20;  // without options
inline constexpr std::size_t kIpv4Tos = 1;
inline constexpr std::size_t kIpv4TotalLength = 2;
inline constexpr std::size_t kIpv4Id = 4;
inline constexpr std::size_t kIpv4Fragment = 6;  // flags and offset
inline constexpr std::size_t kIpv4Ttl = 8;
inline constexpr std::size_t kIpv4Protocol = 9;
inline constexpr std::size_t kIpv4Checksum = 10;
inline constexpr std::size_t kIpv4Source = 12;
inline constexpr std::size_t kIpv4Destination = 16;

inline constexpr std::size_t kIpv6HeaderSize = 40;
inline constexpr std::size_t kIpv6PayloadLength = 4;
inline constexpr std::size_t kIpv6NextHeader = 6;
inline constexpr std::size_t kIpv6Source = 8;
inline constexpr std::size_t kIpv6Destination = 24;

inline constexpr std::size_t kTcpHeaderSize = 20;  // without options
inline constexpr std::size_t kTcpSequence = 4;
inline constexpr std::size_t kTcpAcknowledgement = 8;
inline constexpr std::size_t kTcpDataOffset = 12;
inline constexpr std::size_t kTcpFlags = 13;
inline constexpr std::size_t kTcpWindow = 14;
inline constexpr std::size_t kTcpChecksum = 16;

inline constexpr std::size_t kUdpHeaderSize = 8;
inline constexpr std::size_t kUdpLength = 4;
inline constexpr std::size_t kUdpChecksum = 6;

inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;

inline constexpr std::uint16_t kIpv4DontFragment = 0x4000;   // in kIpv4Fragment
inline constexpr std::uint16_t kIpv4MoreFragments = 0x2000;  // likewise

inline constexpr std::uint8_t kTcpFin = 0x01;
inline constexpr std::uint8_t kTcpSyn = 0x02;
inline constexpr std::uint8_t kTcpPush = 0x08;
inline constexpr std::uint8_t kTcpAck = 0x10;
inline constexpr std::uint8_t kTcpCongestionWindowReduced = 0x80;

/// Where the parts of a TCP or UDP packet begin.
struct TransportLayout {
  bool v4 = false;
  bool tcp = false;                  // Else UDP.
  std::size_t transport_offset = 0;  // bytes
  std::size_t payload_offset = 0;    // bytes
};

/// As the header says, options included. Requires kTcpHeaderSize bytes.
[[nodiscard]] inline std::size_t TcpHeaderSize(Bytes transport) {
  return std::size_t{4} * (transport[kTcpDataOffset] >> 4U);
}

/// As the header says, options included. Requires a byte.
[[nodiscard]] inline std::size_t Ipv4HeaderSize(Bytes packet) {
  return std::size_t{4} * (packet[0] & 0x0FU);
}

/// Requires that the header is whole.
inline void WriteIpv4Checksum(MutableBytes packet) {
  StoreBe<std::uint16_t>(packet, kIpv4Checksum, 0);
  StoreBe<std::uint16_t>(packet, kIpv4Checksum,
                         Checksum(Sum(packet.first(Ipv4HeaderSize(packet)))));
}

}  // namespace floe::tunnel
