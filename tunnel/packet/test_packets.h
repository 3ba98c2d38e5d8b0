// Inner packets for tests.

#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "tunnel/packet/checksum.h"
#include "tunnel/packet/headers.h"

namespace floe::tunnel::test {

using Packet = std::vector<std::uint8_t>;

struct PacketOptions {
  bool v4 = true;
  bool tcp = true;
  std::size_t payload = 1000;    // bytes
  std::size_t tcp_options = 12;  // bytes, a multiple of 4
  std::uint32_t sequence = 1;
  std::uint8_t flags = kTcpAck;
  std::uint16_t source_port = 4000;
  std::uint16_t window = 500;
  std::uint8_t tos = 0;
  std::uint8_t seed = 1;  // Of the payload.
};

inline std::size_t TransportOffset(Bytes packet) {
  return packet[0] >> 4U == 4 ? kIpv4HeaderSize : kIpv6HeaderSize;
}

inline bool IsTcp(Bytes packet) {
  return packet[packet[0] >> 4U == 4 ? kIpv4Protocol : kIpv6NextHeader] == kProtocolTcp;
}

inline std::size_t PayloadOffset(Bytes packet) {
  const std::size_t offset = TransportOffset(packet);
  return offset + (IsTcp(packet) ? TcpHeaderSize(packet.subspan(offset)) : kUdpHeaderSize);
}

inline void WriteChecksums(MutableBytes packet) {
  if (packet[0] >> 4U == 4) {
    WriteIpv4Checksum(packet);
  }
  const bool tcp = IsTcp(packet);
  const MutableBytes transport = packet.subspan(TransportOffset(packet));
  const std::size_t field = tcp ? kTcpChecksum : kUdpChecksum;
  StoreBe<std::uint16_t>(transport, field, 0);
  StoreBe<std::uint16_t>(
      transport, field,
      Checksum(PseudoHeaderSum(packet, tcp ? kProtocolTcp : kProtocolUdp, transport.size()) +
               Sum(transport)));
}

/// A whole packet whose checksums are right.
inline Packet MakePacket(const PacketOptions& options) {
  const std::size_t ip = options.v4 ? kIpv4HeaderSize : kIpv6HeaderSize;
  const std::size_t header = options.tcp ? kTcpHeaderSize + options.tcp_options : kUdpHeaderSize;
  Packet packet(ip + header + options.payload);
  const MutableBytes bytes(packet);
  const std::uint8_t protocol = options.tcp ? kProtocolTcp : kProtocolUdp;
  if (options.v4) {
    packet[0] = 0x45;
    packet[kIpv4Tos] = options.tos;
    StoreBe<std::uint16_t>(bytes, kIpv4TotalLength, static_cast<std::uint16_t>(packet.size()));
    StoreBe<std::uint16_t>(bytes, kIpv4Id, 0xFFFE);
    StoreBe<std::uint16_t>(bytes, kIpv4Fragment, 0x4000);
    packet[kIpv4Ttl] = 64;
    packet[kIpv4Protocol] = protocol;
    StoreBe<std::uint32_t>(bytes, kIpv4Source, 0xC0000201);
    StoreBe<std::uint32_t>(bytes, kIpv4Source + 4, 0xC6336401);
  } else {
    packet[0] = 0x60;
    packet[1] = static_cast<std::uint8_t>(options.tos << 4U);
    StoreBe<std::uint16_t>(bytes, kIpv6PayloadLength,
                           static_cast<std::uint16_t>(header + options.payload));
    packet[kIpv6NextHeader] = protocol;
    packet[kIpv6NextHeader + 1] = 64;
    StoreBe<std::uint32_t>(bytes, 8, 0x20010DB8);
    StoreBe<std::uint32_t>(bytes, 24, 0x20010DB8);
    packet[39] = 9;
  }
  const MutableBytes transport = bytes.subspan(ip);
  StoreBe<std::uint16_t>(transport, 0, options.source_port);
  StoreBe<std::uint16_t>(transport, 2, 443);
  if (options.tcp) {
    StoreBe<std::uint32_t>(transport, kTcpSequence, options.sequence);
    StoreBe<std::uint32_t>(transport, kTcpAcknowledgement, 77);
    transport[kTcpDataOffset] = static_cast<std::uint8_t>(header / 4 << 4U);
    transport[kTcpFlags] = options.flags;
    StoreBe<std::uint16_t>(transport, kTcpWindow, options.window);
    std::fill_n(transport.begin() + kTcpHeaderSize, options.tcp_options, std::uint8_t{1});
  } else {
    StoreBe<std::uint16_t>(transport, kUdpLength, static_cast<std::uint16_t>(transport.size()));
  }
  for (std::size_t i = 0; i < options.payload; ++i) {
    transport[header + i] = static_cast<std::uint8_t>(i * 7 + i / 251 + options.seed);
  }
  WriteChecksums(bytes);
  return packet;
}

/// An extension header of `size` bytes for WithExtensions(), with zeros for its content.
inline std::pair<std::uint8_t, std::size_t> ExtensionHeader(std::uint8_t protocol,
                                                            std::size_t size) {
  return {protocol, size};
}

/// The IPv6 packet with these headers before what it holds.
inline Packet WithExtensions(Packet packet,
                             const std::vector<std::pair<std::uint8_t, std::size_t>>& headers) {
  constexpr std::uint8_t kFragment = 44;
  constexpr std::uint8_t kAuthentication = 51;
  std::size_t field = kIpv6NextHeader;
  std::size_t at = kIpv6HeaderSize;
  for (const auto& [protocol, size] : headers) {
    packet.insert(packet.begin() + static_cast<std::ptrdiff_t>(at), size, 0);
    packet[at] = std::exchange(packet[field], protocol);
    if (protocol != kFragment) {
      packet[at + 1] =
          static_cast<std::uint8_t>(protocol == kAuthentication ? size / 4 - 2 : size / 8 - 1);
    }
    field = at;
    at += size;
  }
  StoreBe<std::uint16_t>(packet, kIpv6PayloadLength,
                         static_cast<std::uint16_t>(packet.size() - kIpv6HeaderSize));
  return packet;
}

inline bool HasRightChecksums(Bytes packet) {
  Packet copy(packet.begin(), packet.end());
  WriteChecksums(copy);
  return std::ranges::equal(copy, packet);
}

inline Packet PayloadOf(Bytes packet) {
  const Bytes payload = packet.subspan(PayloadOffset(packet));
  return {payload.begin(), payload.end()};
}

inline std::uint32_t SequenceOf(Bytes packet) {
  return LoadBe<std::uint32_t>(packet, TransportOffset(packet) + kTcpSequence);
}

inline std::uint8_t FlagsOf(Bytes packet) {
  return packet[TransportOffset(packet) + kTcpFlags];
}

}  // namespace floe::tunnel::test
