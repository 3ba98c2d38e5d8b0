#include "tunnel/outbound.h"

#include <algorithm>
#include <array>
#include <optional>
#include <shared_mutex>

#include "tunnel/ip_packet.h"
#include "tunnel/packet/ecn.h"
#include "tunnel/packet/mss_clamp.h"
#include "tunnel/packet/offload_header.h"
#include "tunnel/packet/segmenter.h"
#include "tunnel/transport.h"

namespace floe::tunnel {

Outbound::Outbound(const Cipher& cipher, Forwarding& forwarding, OutboundSink& sink)
    : cipher_(cipher),
      forwarding_(forwarding),
      sink_(sink),
      out_(kCipherHeadroom + kMaxBytes + kCipherSlack) {}

void Outbound::HandleRead(TimePoint now, MutableBytes read) {
  const auto header = read.size() > kOffloadHeaderSize ? OffloadHeader::Parse(read) : std::nullopt;
  auto segmenter =
      header ? Segmenter::Make(*header, read.subspan(kOffloadHeaderSize)) : std::nullopt;
  if (!segmenter) {
    malformed_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const std::shared_lock lock(forwarding_.lock());
  std::size_t sent = 0;
  Lane* lane = nullptr;
  const UdpWay* way = nullptr;
  bool is_first = true;
  while (const auto packet = segmenter->Next()) {
    if (is_first) {  // All that one read holds is of one flow.
      lane = FindLane(*packet);
      way = lane == nullptr ? nullptr : lane->WayAt(now);
      is_first = false;
      if (way != nullptr && IsTcpSyn(*packet)) {  // A SYN comes alone.
        forwarding_.ClampForwarded(*packet, IpPacketView::Parse(*packet)->source(), lane->room());
      }
    }
    // What is too large is cut by Tunnel, or its sender told.
    if (way == nullptr || packet->size() > lane->room() || !lane->session()->CanSend(now)) {
      sink_.HandOver(*packet);
      continue;
    }
    sent += Seal(*lane->session(), *way, *packet);
  }
  if (sent > 0 && forwarding_.NoteSent(now, *lane, sent)) {
    sink_.NoteActivity();
  }
}

Lane* Outbound::FindLane(Bytes packet) const {
  const auto parsed = IpPacketView::Parse(packet);
  if (!parsed || parsed->bytes().size() != packet.size()) {
    return nullptr;
  }
  Lane* const lane = forwarding_.FindByDestination(parsed->destination());
  return lane != nullptr && lane->session() != nullptr ? lane : nullptr;
}

std::size_t Outbound::Seal(Session& session, const UdpWay& way, MutableBytes packet) {
  const std::size_t padded = PaddedSize(packet.size());
  const std::size_t size = SealedSize(packet.size());
  const std::size_t prefix = way.channel ? kChannelHeaderSize : 0;
  const std::uint8_t tos = way.carries_ecn ? OuterTos(packet) : 0;
  const MutableBytes datagram = Append(way, tos, prefix + size);
  if (way.channel) {
    StoreBe<std::uint16_t>(datagram, 0, *way.channel);
    StoreBe<std::uint16_t>(datagram, 2, static_cast<std::uint16_t>(size));
  }
  // What lies behind the packet is the payload of the next.
  std::uint8_t* const behind = packet.data() + packet.size();
  std::array<std::uint8_t, kPaddingMultiple> kept{};
  std::copy_n(behind, padded - packet.size(), kept.begin());
  std::fill_n(behind, padded - packet.size(), std::uint8_t{0});
  session.SealTo(cipher_, Bytes(packet.data(), padded), datagram.subspan(prefix));
  std::copy_n(kept.begin(), padded - packet.size(), behind);
  return size;
}

MutableBytes Outbound::Append(const UdpWay& way, std::uint8_t tos, std::size_t size) {
  const bool fits = count_ > 0 && size <= size_ && used_ == count_ * size_ &&
                    count_ < kMaxDatagrams && used_ + size <= kMaxBytes && tos == tos_ &&
                    way == way_;
  if (!fits) {
    Flush();
    way_ = way;
    tos_ = tos;
    size_ = size;
  }
  const MutableBytes place = MutableBytes(out_).subspan(kCipherHeadroom + used_, size);
  used_ += size;
  ++count_;
  return place;
}

void Outbound::Flush() {
  if (count_ == 0) {
    return;
  }
  sink_.Send(way_, tos_, MutableBytes(out_).subspan(kCipherHeadroom, used_), size_);
  used_ = 0;
  count_ = 0;
}

}  // namespace floe::tunnel
