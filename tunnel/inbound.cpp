#include "tunnel/inbound.h"

#include <algorithm>
#include <shared_mutex>

#include "tunnel/ip_packet.h"
#include "tunnel/packet/headers.h"
#include "tunnel/packet/mss_clamp.h"

namespace floe::tunnel {
namespace {

constexpr std::size_t kPlainSize = 256UL * 1024;  // bytes: four large packets

constexpr std::uint8_t kChannelMask = 0xF0;  // RFC 8656 section 12: 0x4000 to 0x4FFF
constexpr std::uint8_t kChannelPrefix = 0x40;

constexpr std::uint8_t kProtocolIcmp = 1;
constexpr std::uint8_t kProtocolIcmp6 = 58;

/// Of any kind but TCP and UDP, which are what there is most of.
bool MayBeEchoReply(Bytes packet) {
  const std::uint8_t protocol =
      packet[0] >> 4U == 4 ? packet[kIpv4Protocol] : packet[kIpv6NextHeader];
  return protocol == kProtocolIcmp || protocol == kProtocolIcmp6;
}

Forwarding::Drop ToDrop(Session::OpenError error) {
  switch (error) {
    case Session::OpenError::kExpired:
      return Forwarding::Drop::kExpired;
    case Session::OpenError::kReplay:
      return Forwarding::Drop::kReplay;
    case Session::OpenError::kForged:
      return Forwarding::Drop::kForged;
  }
  return Forwarding::Drop::kForged;
}

}  // namespace

struct Inbound::Run {
  TimePoint now;
  const SocketAddress& local;
  const SocketAddress& remote;
  Ecn mark;
  Forwarding& forwarding;
  InboundSink& sink;

  Lane* lane = nullptr;
  std::optional<Session::Opener> opener;
  std::size_t received = 0;  // bytes
  bool data = false;

  Run(TimePoint now_, const SocketAddress& local_, const SocketAddress& remote_, Ecn mark_,
      Forwarding& forwarding_, InboundSink& sink_)
      : now(now_),
        local(local_),
        remote(remote_),
        mark(mark_),
        forwarding(forwarding_),
        sink(sink_) {}

  ~Run() { End(); }

  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void Begin(Lane& next) {
    End();
    lane = &next;
    opener.emplace(*next.session());
  }

  void End() {
    opener.reset();
    if (received > 0 && forwarding.NoteReceived(now, *lane, received, data)) {
      sink.NoteActivity();
    }
    lane = nullptr;
    received = 0;
    data = false;
  }

  [[nodiscard]] bool CameBy(const UdpWay& way, std::optional<std::uint16_t> channel) const {
    return way.remote == remote && way.channel == channel &&
           (way.local == local || way.local.ip.is_unspecified());
  }
};

Inbound::Inbound(const Cipher& cipher, Forwarding& forwarding, Joinable joinable, InboundSink& sink)
    : cipher_(cipher),
      forwarding_(forwarding),
      sink_(sink),
      coalescer_(joinable),
      plain_(kCipherHeadroom + kPlainSize + kCipherSlack) {}

void Inbound::HandleDatagrams(TimePoint now, const SocketAddress& local,
                              const SocketAddress& remote, Bytes datagrams, std::size_t size,
                              std::uint8_t tos) {
  const std::shared_lock lock(forwarding_.lock());
  Run run(now, local, remote, EcnOf(tos), forwarding_, sink_);
  std::size_t at = 0;
  do {  // Also for one that is empty.
    const Bytes datagram = datagrams.subspan(at, std::min(size, datagrams.size() - at));
    if (const auto message = ForUs(run, datagram)) {
      Open(run, *message);
    } else {
      sink_.HandOver(local, remote, datagram, tos);
    }
    at += size;
  } while (at < datagrams.size());
}

std::optional<TransportView> Inbound::ForUs(Run& run, Bytes datagram) {
  std::optional<std::uint16_t> channel;
  if (datagram.size() >= kChannelHeaderSize && (datagram[0] & kChannelMask) == kChannelPrefix) {
    const std::size_t size = LoadBe<std::uint16_t>(datagram, 2);
    if (size > datagram.size() - kChannelHeaderSize) {
      return std::nullopt;
    }
    channel = LoadBe<std::uint16_t>(datagram, 0);
    datagram = datagram.subspan(kChannelHeaderSize, size);
  }
  if (ReadMessageType(datagram) != MessageType::kTransport) {
    return std::nullopt;
  }
  const auto message = TransportView::Parse(datagram);
  if (!message) {
    return std::nullopt;
  }
  if (run.lane == nullptr || run.lane->session()->local_index() != message->receiver()) {
    Lane* const lane = forwarding_.FindByIndex(message->receiver());
    if (lane == nullptr) {
      return std::nullopt;
    }
    run.Begin(*lane);
  }
  const UdpWay* const way = run.lane->WayAt(run.now);
  return way != nullptr && run.CameBy(*way, channel) ? message : std::nullopt;
}

void Inbound::Open(Run& run, const TransportView& message) {
  const MutableBytes plain = MakeRoom(message.encrypted_packet().size() - kTagSize);
  if (const auto opened = run.opener->Open(run.now, cipher_, message, plain); !opened) {
    forwarding_.NoteDrop(ToDrop(opened.error()));
    return;
  }
  run.received += message.bytes().size();
  if (!plain.empty()) {  // Else it is a keepalive.
    run.data = true;
    // What a relay tells is of the way to it alone.
    Deliver(*run.lane, plain, run.lane->WayAt(run.now)->channel ? Ecn::kNotEct : run.mark);
  }
}

void Inbound::Deliver(const Lane& lane, MutableBytes plain, Ecn mark) {
  const auto packet = IpPacketView::Parse(plain);
  if (!packet) {
    forwarding_.NoteDrop(Forwarding::Drop::kMalformed);
    return;
  }
  if (!forwarding_.MayComeFrom(packet->source(), lane)) {
    forwarding_.NoteDrop(Forwarding::Drop::kSpoofed);
    return;
  }
  if (lane.wants_echo_replies() && MayBeEchoReply(packet->bytes())) {
    sink_.HandOverPacket(lane.peer(), packet->bytes());
    return;
  }
  if (!MergeEcn(plain, mark)) {
    forwarding_.NoteDrop(Forwarding::Drop::kCongested);
    return;
  }
  const MutableBytes whole = plain.first(packet->bytes().size());
  if (IsTcpSyn(whole)) {
    forwarding_.ClampForwarded(whole, packet->destination(), lane.room());
  }
  used_ += plain.size();
  coalescer_.Add(whole);
}

/// In what is not taken: it is taken once the packet is of use.
MutableBytes Inbound::MakeRoom(std::size_t size) {
  if (coalescer_.full() || used_ + size > kPlainSize) {
    Flush();
  }
  return MutableBytes(plain_).subspan(kCipherHeadroom + used_, size);
}

void Inbound::Flush() {
  std::optional<Joinable> joinable;
  for (const Coalescer::Group& group : coalescer_.Finish()) {
    joinable = sink_.Write(group);
  }
  coalescer_.Clear();
  if (joinable) {
    coalescer_.SetJoinable(*joinable);
  }
  used_ = 0;
}

}  // namespace floe::tunnel
