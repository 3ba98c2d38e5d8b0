#include "tunnel/packet/segmenter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tunnel/packet/test_packets.h"

namespace floe::tunnel {
namespace {

using test::HasRightChecksums;
using test::MakePacket;
using test::Packet;
using test::PacketOptions;
using test::PayloadOf;

/// What the kernel says of a large packet.
OffloadHeader HeaderOf(Bytes packet, std::size_t segment_size) {
  const bool v4 = packet[0] >> 4U == 4;
  const bool tcp = test::IsTcp(packet);
  const auto tcp_segments = v4 ? OffloadHeader::Segments::kTcp4 : OffloadHeader::Segments::kTcp6;
  return {.segments = tcp ? tcp_segments : OffloadHeader::Segments::kUdp,
          .needs_checksum = true,
          .header_size = 0,
          .segment_size = static_cast<std::uint16_t>(segment_size),
          .checksum_start = static_cast<std::uint16_t>(test::TransportOffset(packet)),
          .checksum_offset = static_cast<std::uint16_t>(tcp ? kTcpChecksum : kUdpChecksum)};
}

std::vector<Packet> Cut(const OffloadHeader& header, Packet packet) {
  std::vector<Packet> cut;
  auto segmenter = Segmenter::Make(header, packet);
  EXPECT_TRUE(segmenter);
  while (auto segment = segmenter ? segmenter->Next() : std::nullopt) {
    cut.emplace_back(segment->begin(), segment->end());
  }
  return cut;
}

struct Kind {
  bool v4;
  bool tcp;
};

class SegmenterTest : public testing::TestWithParam<Kind> {};

INSTANTIATE_TEST_SUITE_P(All, SegmenterTest,
                         testing::Values(Kind{true, true}, Kind{false, true}, Kind{true, false},
                                         Kind{false, false}),
                         [](const auto& param_info) {
                           return std::string(param_info.param.tcp ? "Tcp" : "Udp") +
                                  (param_info.param.v4 ? "4" : "6");
                         });

TEST_P(SegmenterTest, CutsWhatPutTogetherIsThePacket) {
  const auto [v4, tcp] = GetParam();
  for (const std::size_t segment : {1UL, 3UL, 8UL, 30UL, 536UL, 1360UL, 9000UL, 40000UL}) {
    for (const std::size_t payload : {1UL, 7UL, 30UL, 1360UL, 1361UL, 9000UL, 65000UL}) {
      if (payload / segment > 5000) {
        continue;
      }
      const Packet packet = MakePacket({.v4 = v4, .tcp = tcp, .payload = payload});
      const std::vector<Packet> cut = Cut(HeaderOf(packet, segment), packet);

      ASSERT_EQ(cut.size(), (payload + segment - 1) / segment);
      Packet joined;
      for (const Packet& part : cut) {
        ASSERT_TRUE(HasRightChecksums(part));
        const Packet bytes = PayloadOf(part);
        ASSERT_LE(bytes.size(), segment);
        joined.insert(joined.end(), bytes.begin(), bytes.end());
      }
      ASSERT_EQ(joined, PayloadOf(packet));
    }
  }
}

TEST_P(SegmenterTest, SaysTheLengthOfEach) {
  const auto [v4, tcp] = GetParam();
  const Packet packet = MakePacket({.v4 = v4, .tcp = tcp, .payload = 2500});

  for (const Packet& part : Cut(HeaderOf(packet, 1000), packet)) {
    if (v4) {
      EXPECT_EQ(LoadBe<std::uint16_t>(part, kIpv4TotalLength), part.size());
    } else {
      EXPECT_EQ(LoadBe<std::uint16_t>(part, kIpv6PayloadLength) + kIpv6HeaderSize, part.size());
    }
    if (!tcp) {
      EXPECT_EQ(LoadBe<std::uint16_t>(part, test::TransportOffset(part) + kUdpLength),
                part.size() - test::TransportOffset(part));
    }
  }
}

TEST(SegmenterTcpTest, NumbersTheBytesAndThePacketsOverTheEndOfTheirFields) {
  const Packet packet = MakePacket({.payload = 3000, .sequence = 0xFFFFFF00});
  const std::vector<Packet> cut = Cut(HeaderOf(packet, 1000), packet);

  ASSERT_EQ(cut.size(), 3U);
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(test::SequenceOf(cut[i]), 0xFFFFFF00 + i * 1000);
    EXPECT_EQ(LoadBe<std::uint16_t>(cut[i], kIpv4Id), static_cast<std::uint16_t>(0xFFFE + i));
  }
}

TEST(SegmenterTcpTest, EndsAndPushesWithTheLastAndReducesWithTheFirst) {
  const std::uint8_t all = kTcpAck | kTcpFin | kTcpPush | kTcpCongestionWindowReduced;
  const Packet packet = MakePacket({.payload = 3000, .flags = all});
  const std::vector<Packet> cut = Cut(HeaderOf(packet, 1000), packet);

  ASSERT_EQ(cut.size(), 3U);
  EXPECT_EQ(test::FlagsOf(cut[0]), kTcpAck | kTcpCongestionWindowReduced);
  EXPECT_EQ(test::FlagsOf(cut[1]), kTcpAck);
  EXPECT_EQ(test::FlagsOf(cut[2]), kTcpAck | kTcpFin | kTcpPush);
}

TEST(SegmenterWholeTest, CompletesTheChecksumThatTheKernelLeft) {
  for (const bool tcp : {true, false}) {
    const Packet whole = MakePacket({.tcp = tcp, .payload = 33});
    OffloadHeader header = HeaderOf(whole, 0);
    header.segments = OffloadHeader::Segments::kNone;
    Packet packet = whole;
    const std::size_t size = packet.size() - kIpv4HeaderSize;
    StoreBe<std::uint16_t>(packet, kIpv4HeaderSize + header.checksum_offset,
                           Fold(PseudoHeaderSum(packet, tcp ? kProtocolTcp : kProtocolUdp, size)));

    EXPECT_THAT(Cut(header, packet), testing::ElementsAre(whole));
  }
}

TEST(SegmenterWholeTest, LeavesWhatIsCompleteAlone) {
  const Packet any{1, 2, 3};

  EXPECT_THAT(Cut(OffloadHeader{}, any), testing::ElementsAre(any));
}

TEST(SegmenterWholeTest, RefusesWhatContradictsItself) {
  const Packet good = MakePacket({.payload = 3000});
  const OffloadHeader header = HeaderOf(good, 1000);
  const auto refuses = [&](auto change) {
    OffloadHeader changed = header;
    Packet packet = good;
    change(changed, packet);
    return !Segmenter::Make(changed, packet);
  };

  EXPECT_FALSE(refuses([](auto&, auto&) {}));
  EXPECT_TRUE(refuses([](auto& h, auto&) { h.segment_size = 0; }));
  EXPECT_TRUE(refuses([](auto& h, auto&) { h.segments = OffloadHeader::Segments::kTcp6; }));
  EXPECT_TRUE(refuses([](auto& h, auto&) { h.checksum_start = 16; }));
  EXPECT_TRUE(refuses([](auto& h, auto&) { h.checksum_start = 24; }));
  EXPECT_TRUE(refuses([](auto& h, auto&) { h.checksum_start = 60000; }));
  EXPECT_TRUE(refuses([](auto&, auto& p) { p[kIpv4HeaderSize + kTcpDataOffset] = 0x10; }));
  EXPECT_TRUE(refuses([](auto&, auto& p) { p.resize(kIpv4HeaderSize + 32); }));
  EXPECT_TRUE(refuses([](auto&, auto& p) { p.resize(10); }));
  EXPECT_TRUE(refuses([](auto&, auto& p) { p.clear(); }));
  EXPECT_TRUE(refuses([](auto& h, auto& p) {
    h.segments = OffloadHeader::Segments::kNone;
    h.checksum_offset = static_cast<std::uint16_t>(p.size() - h.checksum_start - 1);
  }));
}

TEST(OffloadHeaderTest, ReadsWhatItWrites) {
  const OffloadHeader header{.segments = OffloadHeader::Segments::kTcp6,
                             .needs_checksum = true,
                             .congestion_window_reduced = true,
                             .header_size = 72,
                             .segment_size = 1360,
                             .checksum_start = 40,
                             .checksum_offset = 16};
  std::vector<std::uint8_t> bytes(kOffloadHeaderSize);
  header.Store(bytes);

  EXPECT_EQ(OffloadHeader::Parse(bytes), header);
  bytes[1] = 3;  // UDP fragmentation, which nobody asks for.
  EXPECT_EQ(OffloadHeader::Parse(bytes), std::nullopt);
}

}  // namespace
}  // namespace floe::tunnel
