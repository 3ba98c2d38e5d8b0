#include "tunnel/packet/header_walk.h"

#include <gtest/gtest.h>
#include <vector>

#include "tunnel/packet/headers.h"
#include "tunnel/packet/test_packets.h"

namespace floe::tunnel {
namespace {

using test::ExtensionHeader;
using test::MakePacket;
using test::Packet;
using test::WithExtensions;

TEST(HeaderWalkTest, FindsTcpBehindTheOptionsOfIpv4) {
  Packet packet = MakePacket({});
  packet.insert(packet.begin() + kIpv4HeaderSize, 8, 1);
  packet[0] = 0x47;

  const auto walk = WalkHeaders(packet);

  ASSERT_TRUE(walk);
  EXPECT_EQ(walk->protocol, kProtocolTcp);
  EXPECT_EQ(walk->transport, kIpv4HeaderSize + 8);
  EXPECT_FALSE(walk->is_later_fragment);
}

TEST(HeaderWalkTest, KnowsALaterFragmentOfIpv4) {
  Packet packet = MakePacket({});
  StoreBe<std::uint16_t>(packet, kIpv4Fragment, 0x2000);
  EXPECT_FALSE(WalkHeaders(packet)->is_later_fragment);
  StoreBe<std::uint16_t>(packet, kIpv4Fragment, 1);
  EXPECT_TRUE(WalkHeaders(packet)->is_later_fragment);
}

TEST(HeaderWalkTest, FindsTcpBehindExtensionHeaders) {
  const Packet packet = WithExtensions(
      MakePacket({.v4 = false}),
      {ExtensionHeader(kProtocolHopByHop, 8), ExtensionHeader(kProtocolDestinationOptions, 16),
       ExtensionHeader(kProtocolRouting, 24), ExtensionHeader(kProtocolDestinationOptions, 8)});

  const auto walk = WalkHeaders(packet);

  ASSERT_TRUE(walk);
  EXPECT_EQ(walk->protocol, kProtocolTcp);
  EXPECT_EQ(walk->transport, kIpv6HeaderSize + 56U);
  // RFC 8200 section 4.5: up to the Routing header, and not what stands behind it.
  EXPECT_EQ(walk->unfragmentable, kIpv6HeaderSize + 48U);
  EXPECT_EQ(walk->next_header, kIpv6HeaderSize + 24U);
  EXPECT_EQ(walk->fragment, 0U);
}

TEST(HeaderWalkTest, DestinationOptionsWithoutARoutingHeaderMayBeCut) {
  const Packet packet =
      WithExtensions(MakePacket({.v4 = false}), {ExtensionHeader(kProtocolDestinationOptions, 8)});

  EXPECT_EQ(WalkHeaders(packet)->unfragmentable, kIpv6HeaderSize);
  EXPECT_EQ(WalkHeaders(packet)->next_header, kIpv6NextHeader);
}

TEST(HeaderWalkTest, StopsBehindTheFragmentHeaderOfALaterFragment) {
  Packet packet = WithExtensions(
      MakePacket({.v4 = false}),
      {ExtensionHeader(kProtocolHopByHop, 8), ExtensionHeader(kProtocolFragment, 8)});
  StoreBe<std::uint16_t>(packet, kIpv6HeaderSize + 10, 8);

  const auto walk = WalkHeaders(packet);

  EXPECT_TRUE(walk->is_later_fragment);
  EXPECT_EQ(walk->fragment, kIpv6HeaderSize + 8);
  EXPECT_EQ(walk->unfragmentable, kIpv6HeaderSize + 8);
  EXPECT_EQ(walk->next_header, kIpv6HeaderSize);
  EXPECT_EQ(walk->transport, kIpv6HeaderSize + 16);
}

TEST(HeaderWalkTest, RefusesHeadersThatAreNotWhole) {
  const Packet packet = WithExtensions(
      MakePacket({.v4 = false, .payload = 0}),
      {ExtensionHeader(kProtocolHopByHop, 16), ExtensionHeader(kProtocolAuthentication, 12),
       ExtensionHeader(kProtocolFragment, 8)});
  for (std::size_t size = kIpv6HeaderSize; size < packet.size(); ++size) {
    EXPECT_EQ(WalkHeaders(Bytes(packet).first(size)).has_value(), size >= kIpv6HeaderSize + 36)
        << size;
  }
  Packet v4 = MakePacket({.payload = 0});
  v4[0] = 0x44;
  EXPECT_FALSE(WalkHeaders(v4));
  v4[0] = 0x4F;
  EXPECT_FALSE(WalkHeaders(Bytes(v4).first(59)));
}

}  // namespace
}  // namespace floe::tunnel
