#include "tunnel/packet/segmenter.h"

#include <algorithm>
#include <cstring>

#include "tunnel/packet/checksum.h"

namespace floe::tunnel {
namespace {

/// The checksum that the kernel has left to us. False where there is no such place.
bool CompleteChecksum(const OffloadHeader& header, MutableBytes packet) {
  const std::size_t field = std::size_t{header.checksum_start} + header.checksum_offset;
  if (field + sizeof(std::uint16_t) > packet.size()) {
    return false;
  }
  // The field holds the sum of the pseudo-header, so the sum over it is that of all.
  const std::uint16_t sum = Checksum(Sum(packet.subspan(header.checksum_start)));
  // Only UDP takes 0 for "none", and it is as good an answer for others (RFC 768).
  StoreBe<std::uint16_t>(packet, field, sum == 0 ? 0xFFFF : sum);
  return true;
}

/// Where the headers lie. Nothing if the packet is not what `header` says, or has no payload.
std::optional<TransportLayout> LayoutOf(const OffloadHeader& header, Bytes packet) {
  using Segments = OffloadHeader::Segments;
  const bool v4 = packet[0] >> 4U == 4;
  const bool tcp = header.segments != Segments::kUdp;
  const std::size_t transport = header.checksum_start;
  const std::size_t least = tcp ? kTcpHeaderSize : kUdpHeaderSize;
  if ((header.segments == Segments::kTcp4 && !v4) || (header.segments == Segments::kTcp6 && v4) ||
      transport < (v4 ? kIpv4HeaderSize : kIpv6HeaderSize) ||
      (v4 && transport != Ipv4HeaderSize(packet)) || transport + least > packet.size()) {
    return std::nullopt;
  }
  const std::size_t size = tcp ? TcpHeaderSize(packet.subspan(transport)) : kUdpHeaderSize;
  if (size < least || transport + size >= packet.size()) {
    return std::nullopt;
  }
  return TransportLayout{
      .v4 = v4, .tcp = tcp, .transport_offset = transport, .payload_offset = transport + size};
}

}  // namespace

std::optional<Segmenter> Segmenter::Make(const OffloadHeader& header, MutableBytes packet) {
  if (packet.empty()) {
    return std::nullopt;
  }
  if (header.segments == OffloadHeader::Segments::kNone) {
    if (header.needs_checksum && !CompleteChecksum(header, packet)) {
      return std::nullopt;
    }
    return Segmenter(packet, {}, 0, 0);
  }
  const std::optional<TransportLayout> layout = LayoutOf(header, packet);
  if (!layout || header.segment_size == 0) {
    return std::nullopt;
  }
  const std::uint8_t flags = layout->tcp ? packet[layout->transport_offset + kTcpFlags] : 0;
  return Segmenter(packet, *layout, header.segment_size, flags);
}

Segmenter::Segmenter(MutableBytes packet, TransportLayout layout, std::size_t segment_size,
                     std::uint8_t flags)
    : packet_(packet), layout_(layout), segment_size_(segment_size), tcp_flags_(flags) {
  if (segment_size_ == 0) {
    return;
  }
  at_ = layout_.payload_offset;
  if (layout_.tcp) {
    sequence_ = LoadBe<std::uint32_t>(packet_, layout_.transport_offset + kTcpSequence);
  }
  if (layout_.v4) {
    ip_id_ = LoadBe<std::uint16_t>(packet_, kIpv4Id);
  }
}

std::optional<MutableBytes> Segmenter::Next() {
  if (segment_size_ == 0) {
    return count_++ == 0 ? std::optional(packet_) : std::nullopt;
  }
  if (at_ >= packet_.size()) {
    return std::nullopt;
  }
  return Cut();
}

MutableBytes Segmenter::Cut() {
  const std::size_t payload = std::min(segment_size_, packet_.size() - at_);
  const std::size_t begin = at_ - layout_.payload_offset;
  if (count_ > 0) {
    // From where they were before, which may overlap if segments are small.
    std::memmove(packet_.subspan(begin).data(), packet_.subspan(begin - segment_size_).data(),
                 layout_.payload_offset);
  }
  const MutableBytes segment = packet_.subspan(begin, layout_.payload_offset + payload);
  WriteLengths(segment);
  const MutableBytes transport = segment.subspan(layout_.transport_offset);
  const std::size_t field = layout_.tcp ? kTcpChecksum : kUdpChecksum;
  if (layout_.tcp) {
    WriteTcp(transport, at_ + payload == packet_.size());
  } else {
    StoreBe<std::uint16_t>(transport, kUdpLength, static_cast<std::uint16_t>(transport.size()));
  }
  StoreBe<std::uint16_t>(transport, field, 0);
  const std::uint8_t protocol = layout_.tcp ? kProtocolTcp : kProtocolUdp;
  const std::uint16_t sum =
      Checksum(PseudoHeaderSum(segment, protocol, transport.size()) + Sum(transport));
  StoreBe<std::uint16_t>(transport, field, !layout_.tcp && sum == 0 ? 0xFFFF : sum);
  at_ += payload;
  ++count_;
  return segment;
}

void Segmenter::WriteLengths(MutableBytes segment) const {
  if (layout_.v4) {
    StoreBe<std::uint16_t>(segment, kIpv4TotalLength, static_cast<std::uint16_t>(segment.size()));
    StoreBe<std::uint16_t>(segment, kIpv4Id, static_cast<std::uint16_t>(ip_id_ + count_));
    WriteIpv4Checksum(segment);
  } else {
    StoreBe<std::uint16_t>(segment, kIpv6PayloadLength,
                           static_cast<std::uint16_t>(segment.size() - kIpv6HeaderSize));
  }
}

void Segmenter::WriteTcp(MutableBytes transport, bool is_last) const {
  const auto offset = static_cast<std::uint32_t>(count_ * segment_size_);
  StoreBe<std::uint32_t>(transport, kTcpSequence, sequence_ + offset);
  std::uint8_t flags = tcp_flags_;
  if (!is_last) {
    flags &= static_cast<std::uint8_t>(~(kTcpFin | kTcpPush));
  }
  if (count_ > 0) {
    flags &= static_cast<std::uint8_t>(~kTcpCongestionWindowReduced);
  }
  transport[kTcpFlags] = flags;
}

}  // namespace floe::tunnel
