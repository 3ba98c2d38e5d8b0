#include "tunnel/packet/mss_clamp.h"

#include <gtest/gtest.h>
#include <vector>

#include "tunnel/packet/header_walk.h"
#include "tunnel/packet/headers.h"
#include "tunnel/packet/test_packets.h"

namespace floe::tunnel {
namespace {

using test::ExtensionHeader;
using test::HasRightChecksums;
using test::MakePacket;
using test::Packet;
using test::TransportOffset;
using test::WithExtensions;

/// A SYN whose options are `options`, of a multiple of four bytes.
Packet Syn(bool v4, const Packet& options, std::uint8_t flags = kTcpSyn) {
  Packet packet =
      MakePacket({.v4 = v4, .payload = 0, .tcp_options = options.size(), .flags = flags});
  std::ranges::copy(options, packet.end() - static_cast<std::ptrdiff_t>(options.size()));
  test::WriteChecksums(packet);
  return packet;
}

const Packet kMss1460{2, 4, 0x05, 0xB4};

std::uint16_t MssOf(Bytes packet, std::size_t in_options = 2) {
  return LoadBe<std::uint16_t>(packet, TransportOffset(packet) + kTcpHeaderSize + in_options);
}

TEST(MssClampTest, LowersWhatDoesNotFit) {
  for (const std::uint8_t flags : {kTcpSyn, static_cast<std::uint8_t>(kTcpSyn | kTcpAck)}) {
    Packet v4 = Syn(true, kMss1460, flags);
    Packet v6 = Syn(false, kMss1460, flags);

    EXPECT_TRUE(ClampMss(v4, 1408));
    EXPECT_TRUE(ClampMss(v6, 1408));

    EXPECT_EQ(MssOf(v4), 1368);
    EXPECT_EQ(MssOf(v6), 1348);
    EXPECT_TRUE(HasRightChecksums(v4));
    EXPECT_TRUE(HasRightChecksums(v6));
  }
}

TEST(MssClampTest, LeavesWhatFits) {
  Packet packet = Syn(true, kMss1460);
  const Packet before = packet;

  EXPECT_FALSE(ClampMss(packet, 1500));
  EXPECT_EQ(packet, before);
  EXPECT_TRUE(ClampMss(packet, 1499));
}

TEST(MssClampTest, FindsTheOptionAtAnyPlace) {
  for (std::uint8_t before = 0; before < 12; ++before) {
    Packet options(before, 1);  // No operations: the value may begin at an odd byte.
    options.insert(options.end(), kMss1460.begin(), kMss1460.end());
    options.resize(16, 1);
    Packet packet = Syn(true, options);

    EXPECT_TRUE(ClampMss(packet, 1000));

    EXPECT_EQ(MssOf(packet, before + 2U), 960);
    EXPECT_TRUE(HasRightChecksums(packet)) << int{before};
  }
}

TEST(MssClampTest, FindsItBehindExtensionHeaders) {
  const Packet plain = Syn(false, kMss1460);
  Packet packet = WithExtensions(plain, {ExtensionHeader(kProtocolDestinationOptions, 8)});

  EXPECT_TRUE(IsTcpSyn(packet));
  EXPECT_TRUE(ClampMss(packet, 1400));
  EXPECT_EQ(LoadBe<std::uint16_t>(packet, packet.size() - 2), 1340);
}

TEST(MssClampTest, TouchesNothingElse) {
  Packet data = Syn(true, kMss1460, kTcpAck);
  EXPECT_FALSE(IsTcpSyn(data));
  EXPECT_FALSE(ClampMss(data, 1000));

  Packet udp = MakePacket({.tcp = false});
  EXPECT_FALSE(ClampMss(udp, 1000));

  Packet fragment = Syn(true, kMss1460);
  StoreBe<std::uint16_t>(fragment, kIpv4Fragment, 5);
  EXPECT_FALSE(ClampMss(fragment, 1000));

  Packet ended = Syn(true, {0, 2, 4, 0x05, 0xB4, 0, 0, 0});
  EXPECT_FALSE(ClampMss(ended, 1000)) << "what is behind the end of the list is no option";

  Packet without = Syn(true, {1, 1, 1, 1});
  EXPECT_FALSE(ClampMss(without, 1000)) << "then it is 536 by itself";

  Packet no_room = Syn(true, kMss1460);
  EXPECT_FALSE(ClampMss(no_room, 40));
}

TEST(MssClampTest, SurvivesEveryTruncationAndEveryOptionSize) {
  for (const bool v4 : {true, false}) {
    const Packet whole = Syn(v4, {3, 3, 7, 2, 4, 0x05, 0xB4, 1});
    for (std::size_t size = 0; size < whole.size(); ++size) {
      Packet packet(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(ClampMss(packet, 1000)) << size;
    }
    for (int size = 0; size < 256; ++size) {
      Packet packet = whole;
      packet[packet.size() - 7] = static_cast<std::uint8_t>(size);
      EXPECT_EQ(ClampMss(packet, 1000), size == 3) << size;
    }
  }
}

}  // namespace
}  // namespace floe::tunnel
