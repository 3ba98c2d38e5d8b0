#include "tunnel/ip_packet.h"

#include <gtest/gtest.h>
#include <vector>

namespace floe::tunnel {
namespace {

std::vector<std::uint8_t> Ipv4(std::uint8_t header_words, std::uint16_t total, std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  bytes[0] = static_cast<std::uint8_t>(0x40U | header_words);
  StoreBe<std::uint16_t>(bytes, 2, total);
  for (std::uint8_t i = 0; i < 8; ++i) {
    bytes[12U + i] = static_cast<std::uint8_t>(i + 1);
  }
  return bytes;
}

std::vector<std::uint8_t> Ipv6(std::uint16_t payload, std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  bytes[0] = 0x60;
  StoreBe<std::uint16_t>(bytes, 4, payload);
  bytes[8] = 0xFD;
  bytes[23] = 0x01;
  bytes[24] = 0xFD;
  bytes[39] = 0x02;
  return bytes;
}

TEST(IpPacketTest, ReadsIpv4AndLeavesPaddingOut) {
  const auto bytes = Ipv4(5, 30, 32);
  const auto packet = IpPacketView::Parse(bytes);
  ASSERT_TRUE(packet.has_value());

  EXPECT_EQ(packet->source(), IpAddress::V4(1, 2, 3, 4));
  EXPECT_EQ(packet->destination(), IpAddress::V4(5, 6, 7, 8));
  EXPECT_EQ(packet->bytes().size(), 30U);
}

TEST(IpPacketTest, ReadsIpv6AndLeavesPaddingOut) {
  const auto bytes = Ipv6(5, 48);
  const auto packet = IpPacketView::Parse(bytes);
  ASSERT_TRUE(packet.has_value());

  EXPECT_EQ(ToString(packet->source()), "fd00::1");
  EXPECT_EQ(ToString(packet->destination()), "fd00::2");
  EXPECT_EQ(packet->bytes().size(), 45U);
}

TEST(IpPacketTest, RefusesEveryTruncation) {
  const auto v4 = Ipv4(5, 30, 30);
  for (std::size_t size = 0; size < v4.size(); ++size) {
    EXPECT_FALSE(IpPacketView::Parse(Bytes(v4).first(size)).has_value()) << size;
  }
  const auto v6 = Ipv6(5, 45);
  for (std::size_t size = 0; size < v6.size(); ++size) {
    EXPECT_FALSE(IpPacketView::Parse(Bytes(v6).first(size)).has_value()) << size;
  }
}

TEST(IpPacketTest, RefusesLengthsThatContradictEachOther) {
  EXPECT_FALSE(IpPacketView::Parse(Ipv4(4, 30, 30)).has_value());   // header below 20 bytes
  EXPECT_FALSE(IpPacketView::Parse(Ipv4(5, 19, 30)).has_value());   // total below the header
  EXPECT_FALSE(IpPacketView::Parse(Ipv4(15, 59, 64)).has_value());  // the same with options
  EXPECT_TRUE(IpPacketView::Parse(Ipv4(15, 60, 64)).has_value());
}

TEST(IpPacketTest, RefusesOtherVersions) {
  for (unsigned version = 0; version < 16; ++version) {
    std::vector<std::uint8_t> bytes(64);
    bytes[0] = static_cast<std::uint8_t>(version << 4U | 5U);
    StoreBe<std::uint16_t>(bytes, 2, 20);
    StoreBe<std::uint16_t>(bytes, 4, 20);
    EXPECT_EQ(IpPacketView::Parse(bytes).has_value(), version == 4 || version == 6) << version;
  }
}

}  // namespace
}  // namespace floe::tunnel
