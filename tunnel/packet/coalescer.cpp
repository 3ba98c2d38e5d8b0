#include "tunnel/packet/coalescer.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "tunnel/packet/checksum.h"

namespace floe::tunnel {
namespace {

constexpr std::size_t kMaxPacketSize = 65'535;  // bytes, as IPv4's length field has it
constexpr std::size_t kPortsSize = 4;           // bytes
constexpr std::uint16_t kAllOnes = 0xFFFF;

bool IsPlainIpv4(Bytes packet) {
  constexpr std::uint8_t kVersionAndLength = 0x45;  // No options.
  constexpr std::uint16_t kFragmentBits = 0x3FFF;   // More to come, or not the first.
  return packet.size() >= kIpv4HeaderSize && packet[0] == kVersionAndLength &&
         LoadBe<std::uint16_t>(packet, kIpv4TotalLength) == packet.size() &&
         (LoadBe<std::uint16_t>(packet, kIpv4Fragment) & kFragmentBits) == 0 &&
         Fold(Sum(packet.first(kIpv4HeaderSize))) == kAllOnes;
}

bool IsPlainIpv6(Bytes packet) {
  return packet.size() >= kIpv6HeaderSize && packet[0] >> 4U == 6 &&
         LoadBe<std::uint16_t>(packet, kIpv6PayloadLength) == packet.size() - kIpv6HeaderSize;
}

/// Nothing for what is not a whole TCP or UDP packet without IP options or extension headers.
std::optional<TransportLayout> LayoutOf(Bytes packet) {
  const bool v4 = IsPlainIpv4(packet);
  if (!v4 && !IsPlainIpv6(packet)) {
    return std::nullopt;
  }
  const std::uint8_t protocol = packet[v4 ? kIpv4Protocol : kIpv6NextHeader];
  const bool tcp = protocol == kProtocolTcp;
  const std::size_t offset = v4 ? kIpv4HeaderSize : kIpv6HeaderSize;
  const Bytes transport = packet.subspan(offset);
  const std::size_t least = tcp ? kTcpHeaderSize : kUdpHeaderSize;
  if ((!tcp && protocol != kProtocolUdp) || transport.size() < least) {
    return std::nullopt;
  }
  const std::size_t size = tcp ? TcpHeaderSize(transport) : kUdpHeaderSize;
  if (size < least || size > transport.size()) {
    return std::nullopt;
  }
  return TransportLayout{
      .v4 = v4, .tcp = tcp, .transport_offset = offset, .payload_offset = offset + size};
}

/// Whether others may follow this packet in a group, or it may follow others.
bool CanBeJoined(const TransportLayout& layout, Bytes packet) {
  const Bytes transport = packet.subspan(layout.transport_offset);
  if (layout.payload_offset == packet.size()) {
    return false;
  }
  if (layout.tcp) {
    const std::uint8_t flags = transport[kTcpFlags];
    if ((flags & ~kTcpPush) != kTcpAck) {
      return false;
    }
  } else if (LoadBe<std::uint16_t>(transport, kUdpLength) != transport.size() ||
             LoadBe<std::uint16_t>(transport, kUdpChecksum) == 0) {
    return false;
  }
  const std::uint8_t protocol = layout.tcp ? kProtocolTcp : kProtocolUdp;
  return Fold(PseudoHeaderSum(packet, protocol, transport.size()) + Sum(transport)) == kAllOnes;
}

bool IsSame(Bytes a, Bytes b, std::size_t begin, std::size_t end) {
  return std::ranges::equal(a.subspan(begin, end - begin), b.subspan(begin, end - begin));
}

/// Addresses, ports and protocol. The layouts are the same but for the TCP options.
bool IsSameFlow(const TransportLayout& layout, Bytes a, Bytes b) {
  const std::size_t addresses = layout.v4 ? kIpv4Source : kIpv6Source;
  const std::size_t protocol = layout.v4 ? kIpv4Protocol : kIpv6NextHeader;
  return a[protocol] == b[protocol] &&
         IsSame(a, b, addresses, layout.transport_offset + kPortsSize);
}

/// What cutting would give each segment alike: all but lengths, identification, sequence number,
/// PSH and checksums.
bool HasSameHeaders(const TransportLayout& layout, Bytes a, Bytes b) {
  const bool same_ip =
      layout.v4 ? a[kIpv4Tos] == b[kIpv4Tos] && a[kIpv4Ttl] == b[kIpv4Ttl] &&
                      IsSame(a, b, kIpv4Fragment, kIpv4Ttl)
                : IsSame(a, b, 0, kIpv6PayloadLength) && IsSame(a, b, kIpv6NextHeader, kIpv6Source);
  if (!same_ip || !layout.tcp) {
    return same_ip;
  }
  const std::size_t tcp = layout.transport_offset;
  return IsSame(a, b, tcp + kTcpAcknowledgement, tcp + kTcpFlags) &&
         IsSame(a, b, tcp + kTcpWindow, tcp + kTcpChecksum) &&
         IsSame(a, b, tcp + kTcpChecksum + 2, layout.payload_offset);
}

}  // namespace

void Coalescer::Add(MutableBytes packet) {
  FLOE_CHECK(!full());
  const std::optional<TransportLayout> layout = LayoutOf(packet);
  Group* group = layout ? OpenGroupOfFlow(*layout, packet) : nullptr;
  const bool can_be_joined =
      layout && (layout->tcp ? joinable_.tcp : joinable_.udp) && CanBeJoined(*layout, packet);
  if (group != nullptr) {
    if (can_be_joined && Append(*group, *layout, packet)) {
      return;
    }
    group->open_ = false;  // What comes later must not overtake this packet.
  }
  Group& next = groups_[count_++];
  next.parts_[0] = packet;
  next.count_ = 1;
  next.first_ = packet;
  next.layout_ = layout.value_or(TransportLayout{});
  next.segment_size_ = packet.size() - next.layout_.payload_offset;
  next.size_ = packet.size();
  next.push_ = can_be_joined && layout->tcp &&
               (packet[layout->transport_offset + kTcpFlags] & kTcpPush) != 0;
  next.open_ = can_be_joined && !next.push_;
}

Coalescer::Group* Coalescer::OpenGroupOfFlow(const TransportLayout& layout, Bytes packet) {
  for (std::size_t i = count_; i-- > 0;) {
    Group& group = groups_[i];
    if (group.open_ && group.layout_.v4 == layout.v4 && group.layout_.tcp == layout.tcp &&
        IsSameFlow(layout, group.first_, packet)) {
      return &group;
    }
  }
  return nullptr;
}

bool Coalescer::Append(Group& group, const TransportLayout& layout, Bytes packet) {
  const Bytes payload = packet.subspan(layout.payload_offset);
  if (layout.payload_offset != group.layout_.payload_offset || group.count_ == kMaxSegments ||
      payload.size() > group.segment_size_ || group.size_ + payload.size() > kMaxPacketSize ||
      !HasSameHeaders(layout, group.first_, packet)) {
    return false;
  }
  const std::size_t tcp = layout.transport_offset;
  if (layout.tcp) {
    const auto joined = static_cast<std::uint32_t>(group.size_ - layout.payload_offset);
    if (LoadBe<std::uint32_t>(packet, tcp + kTcpSequence) !=
        LoadBe<std::uint32_t>(group.first_, tcp + kTcpSequence) + joined) {
      return false;
    }
    group.push_ = (packet[tcp + kTcpFlags] & kTcpPush) != 0;
  }
  group.parts_[group.count_++] = payload;
  group.size_ += payload.size();
  group.open_ = payload.size() == group.segment_size_ && !group.push_;
  return true;
}

std::span<const Coalescer::Group> Coalescer::Finish() {
  const std::span groups = std::span(groups_).first(count_);
  for (Group& group : groups) {
    if (group.count_ > 1) {
      WriteHeaders(group);
    } else {
      OffloadHeader{}.Store(group.offload_);
    }
  }
  return groups;
}

void Coalescer::WriteHeaders(Group& group) {
  using Segments = OffloadHeader::Segments;
  const TransportLayout& layout = group.layout_;
  const MutableBytes packet = group.first_;
  if (layout.v4) {
    StoreBe<std::uint16_t>(packet, kIpv4TotalLength, static_cast<std::uint16_t>(group.size_));
    WriteIpv4Checksum(packet);
  } else {
    StoreBe<std::uint16_t>(packet, kIpv6PayloadLength,
                           static_cast<std::uint16_t>(group.size_ - kIpv6HeaderSize));
  }
  const MutableBytes transport = packet.subspan(layout.transport_offset);
  const std::size_t length = group.size_ - layout.transport_offset;
  if (layout.tcp) {
    transport[kTcpFlags] |= group.push_ ? kTcpPush : 0;
  } else {
    StoreBe<std::uint16_t>(transport, kUdpLength, static_cast<std::uint16_t>(length));
  }
  const std::size_t field = layout.tcp ? kTcpChecksum : kUdpChecksum;
  // The kernel does the rest (needs_checksum).
  StoreBe<std::uint16_t>(
      transport, field,
      Fold(PseudoHeaderSum(packet, layout.tcp ? kProtocolTcp : kProtocolUdp, length)));
  const Segments tcp = layout.v4 ? Segments::kTcp4 : Segments::kTcp6;
  OffloadHeader{.segments = layout.tcp ? tcp : Segments::kUdp,
                .needs_checksum = true,
                .header_size = static_cast<std::uint16_t>(layout.payload_offset),
                .segment_size = static_cast<std::uint16_t>(group.segment_size_),
                .checksum_start = static_cast<std::uint16_t>(layout.transport_offset),
                .checksum_offset = static_cast<std::uint16_t>(field)}
      .Store(group.offload_);
}

}  // namespace floe::tunnel
