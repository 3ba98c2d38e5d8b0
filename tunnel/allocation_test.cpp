// That packets of a session in use cost no allocation. A program of its own, for it counts those of
// all.

#include <cstdlib>
#include <gtest/gtest.h>
#include <new>

#include "tests/support/tunnel_pair.h"
#include "tunnel/inbound.h"
#include "tunnel/outbound.h"
#include "tunnel/packet/test_packets.h"
#include "tunnel/read_queue.h"

namespace {

std::size_t allocations = 0;

}  // namespace

// NOLINTBEGIN
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size != 0 ? size : 1)) {
    return memory;
  }
  throw std::bad_alloc();
}

void operator delete(void* memory) noexcept {
  std::free(memory);
}

void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}

// NOLINTEND

namespace floe::tunnel {
namespace {

using floe::test::TunnelPair;

const SocketAddress kOurs{IpAddress::V4(192, 0, 2, 1), 41820};
const SocketAddress kTheirs{IpAddress::V4(203, 0, 113, 7), 51820};

/// What one thread sends, the other receives.
struct Sinks final : OutboundSink, InboundSink {
  void Send(const UdpWay& /*way*/, std::uint8_t tos, Bytes datagrams, std::size_t size) override {
    inbound->HandleDatagrams(now, kTheirs, kOurs, datagrams, size, tos);
    inbound->Flush();
  }

  void HandOver(Bytes /*packet*/) override { ++handed_over; }

  Joinable Write(const Coalescer::Group& group) override {
    written += group.parts().size();
    return {};
  }

  void HandOver(const SocketAddress& /*local*/, const SocketAddress& /*remote*/, Bytes /*datagram*/,
                std::uint8_t /*tos*/) override {
    ++handed_over;
  }

  void HandOverPacket(PeerId /*peer*/, Bytes /*packet*/) override { ++handed_over; }

  void NoteActivity() override {}

  Inbound* inbound = nullptr;
  TimePoint now;
  std::size_t written = 0;
  std::size_t handed_over = 0;
};

TEST(AllocationTest, ThereIsNoneForPacketsOfASessionInUse) {
  TunnelPair pair;
  pair.Connect();
  pair.a().SetWay(TunnelPair::kPeer, UdpWay{kOurs, kTheirs}, TimePoint::max());
  pair.b().SetWay(TunnelPair::kPeer, UdpWay{kTheirs, kOurs}, TimePoint::max());
  Sinks sinks;
  sinks.now = pair.now();
  const Cipher& cipher = *AllCiphers().front();
  Inbound inbound(cipher, pair.b().forwarding(), Joinable{}, sinks);
  Outbound outbound(cipher, pair.a().forwarding(), sinks);
  sinks.inbound = &inbound;
  auto packet = test::MakePacket({.payload = 50'000});
  StoreBe<std::uint32_t>(MutableBytes(packet), kIpv4Source, 0x0A00'0001);
  StoreBe<std::uint32_t>(MutableBytes(packet), kIpv4Destination, 0x0A00'0002);
  test::WriteChecksums(packet);
  const OffloadHeader header{.segments = OffloadHeader::Segments::kTcp4,
                             .needs_checksum = true,
                             .header_size = 52,
                             .segment_size = 1348,
                             .checksum_start = 20,
                             .checksum_offset = 16};
  ReadQueue queue;
  const auto send = [&] {
    header.Store(queue.buffer());
    std::ranges::copy(packet, queue.buffer().begin() + kOffloadHeaderSize);
    if (const auto read = queue.Add(kOffloadHeaderSize + packet.size())) {
      outbound.HandleRead(pair.now(), *read);
    }
    while (const auto read = queue.Next()) {
      outbound.HandleRead(pair.now(), *read);
    }
    outbound.Flush();
  };
  for (int i = 0; i < 10; ++i) {
    send();  // The replay window has its full size only after 64 packets.
  }
  const std::size_t written = sinks.written;
  const std::size_t before = allocations;

  for (int i = 0; i < 100; ++i) {
    send();
  }

  EXPECT_EQ(allocations, before);
  EXPECT_EQ(sinks.written - written, 100U * 38U);
  EXPECT_EQ(sinks.handed_over, 0U);
}

}  // namespace
}  // namespace floe::tunnel
