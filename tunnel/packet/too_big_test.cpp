#include "tunnel/packet/too_big.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "tunnel/ip_packet.h"
#include "tunnel/packet/checksum.h"
#include "tunnel/packet/header_walk.h"
#include "tunnel/packet/headers.h"
#include "tunnel/packet/test_packets.h"

namespace floe::tunnel {
namespace {

using test::ExtensionHeader;
using test::MakePacket;
using test::Packet;
using test::WithExtensions;

/// Word by word, as RFC 1071 section 4.1 does it.
std::uint16_t PlainSum(Bytes bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += i % 2 == 0 ? std::uint32_t{bytes[i]} << 8U : bytes[i];
    sum = (sum & 0xFFFFU) + (sum >> 16U);
  }
  return static_cast<std::uint16_t>(sum);
}

Packet IcmpPacket(bool v4, int type) {
  Packet packet = MakePacket({.v4 = v4, .tcp = false});
  packet[v4 ? kIpv4Protocol : kIpv6NextHeader] = v4 ? kProtocolIcmp4 : kProtocolIcmp6;
  packet[v4 ? kIpv4HeaderSize : kIpv6HeaderSize] = static_cast<std::uint8_t>(type);
  return packet;
}

TEST(TooBigTest, TellsTheSenderOfIpv4TheNextHopMtu) {
  const Packet packet = MakePacket({.payload = 1400});

  const Packet message = MakeTooBig(packet, 1392);

  ASSERT_EQ(message.size(), 576U);
  const auto view = IpPacketView::Parse(message);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->bytes().size(), message.size());
  EXPECT_EQ(view->destination(), IpPacketView::Parse(packet)->source());
  EXPECT_EQ(view->source(), IpPacketView::Parse(packet)->destination());
  EXPECT_EQ(PlainSum(view->bytes().first(20)), 0xFFFF);
  const Bytes icmp = view->bytes().subspan(20);
  EXPECT_EQ(PlainSum(icmp), 0xFFFF);
  EXPECT_EQ(icmp[0], 3);
  EXPECT_EQ(icmp[1], 4);
  EXPECT_EQ(LoadBe<std::uint32_t>(icmp, 4), 1392U) << "unused, then the MTU: RFC 1191 section 4";
  EXPECT_TRUE(std::ranges::equal(icmp.subspan(8), Bytes(packet).first(548)));
}

TEST(TooBigTest, TellsTheSenderOfIpv6TheMtu) {
  const Packet packet = MakePacket({.v4 = false, .payload = 1400});

  const Packet message = MakeTooBig(packet, 1392);

  ASSERT_EQ(message.size(), 1280U);
  const auto view = IpPacketView::Parse(message);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->destination(), IpPacketView::Parse(packet)->source());
  EXPECT_EQ(view->source(), IpPacketView::Parse(packet)->destination());
  const Bytes icmp = view->bytes().subspan(40);
  const std::uint16_t addresses = PlainSum(view->bytes().subspan(8, 32));
  EXPECT_EQ(PlainSum(icmp, addresses + 1240U + 58U), 0xFFFF);
  EXPECT_EQ(icmp[0], 2);
  EXPECT_EQ(icmp[1], 0);
  EXPECT_EQ(LoadBe<std::uint32_t>(icmp, 4), 1392U);
  EXPECT_TRUE(std::ranges::equal(icmp.subspan(8), Bytes(packet).first(1232)));
}

TEST(TooBigTest, QuotesASmallPacketWhole) {
  EXPECT_EQ(MakeTooBig(MakePacket({.payload = 100}), 100).size(), 28U + 152U);
}

// RFC 1122 section 3.2.2 and RFC 4443 section 2.4 (e).
TEST(TooBigTest, NeverAnswersAnError) {
  for (const int type : {3, 4, 5, 11, 12}) {
    EXPECT_TRUE(MakeTooBig(IcmpPacket(true, type), 600).empty()) << type;
  }
  for (const int type : {1, 2, 3, 4, 127, 137}) {
    EXPECT_TRUE(MakeTooBig(IcmpPacket(false, type), 600).empty()) << type;
  }
  EXPECT_TRUE(MakeTooBig(WithExtensions(IcmpPacket(false, 1),
                                        {ExtensionHeader(kProtocolDestinationOptions, 8)}),
                         600)
                  .empty());
}

TEST(TooBigTest, AnswersAPing) {
  EXPECT_FALSE(MakeTooBig(IcmpPacket(true, 8), 600).empty());
  EXPECT_FALSE(MakeTooBig(IcmpPacket(false, 128), 600).empty());
}

TEST(TooBigTest, AnswersTheFirstFragmentAlone) {
  Packet packet = MakePacket({});
  StoreBe<std::uint16_t>(packet, kIpv4Fragment, 0x6000);
  EXPECT_FALSE(MakeTooBig(packet, 600).empty());
  StoreBe<std::uint16_t>(packet, kIpv4Fragment, 0x6001);
  EXPECT_TRUE(MakeTooBig(packet, 600).empty());
}

TEST(TooBigTest, AnswersOnlyFromAndToOneHost) {
  for (const std::uint32_t ip : {0x00000000U, 0xE0000001U, 0xFFFFFFFFU, 0x7F000001U}) {
    for (const std::size_t field : {kIpv4Source, kIpv4Destination}) {
      Packet packet = MakePacket({});
      StoreBe<std::uint32_t>(packet, field, ip);
      EXPECT_TRUE(MakeTooBig(packet, 600).empty()) << ip;
    }
  }
  for (const std::size_t field : {kIpv6Source, kIpv6Destination}) {
    Packet packet = MakePacket({.v4 = false});
    packet[field] = 0xFF;
    EXPECT_TRUE(MakeTooBig(packet, 600).empty());
  }
}

TEST(TooBigTest, SaysNothingOfWhatIsNotWhole) {
  for (const bool v4 : {true, false}) {
    const Packet packet = MakePacket({.v4 = v4, .payload = 30});
    for (std::size_t size = 0; size < packet.size(); ++size) {
      EXPECT_TRUE(MakeTooBig(Bytes(packet).first(size), 60).empty());
    }
  }
}

}  // namespace
}  // namespace floe::tunnel
