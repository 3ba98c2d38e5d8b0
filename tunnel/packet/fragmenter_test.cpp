#include "tunnel/packet/fragmenter.h"

#include <algorithm>
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
using test::WithExtensions;
using Fragments = std::vector<std::vector<std::uint8_t>>;

struct Piece {
  std::size_t offset = 0;
  bool more = false;
  std::uint32_t id = 0;
  Packet header;
  Packet payload;
};

/// As the receiver reads it, straight from the figures of the RFCs.
Piece Read(Bytes fragment) {
  const auto cut = [&](std::size_t at) {
    return std::pair(Packet(fragment.begin(), fragment.begin() + static_cast<std::ptrdiff_t>(at)),
                     Packet(fragment.begin() + static_cast<std::ptrdiff_t>(at), fragment.end()));
  };
  Piece piece;
  if (fragment[0] >> 4U == 4) {
    piece.offset = static_cast<std::size_t>((fragment[6] & 0x1FU) << 8U | fragment[7]) * 8;
    piece.more = (fragment[6] & 0x20U) != 0;
    piece.id = LoadBe<std::uint16_t>(fragment, 4);
    std::tie(piece.header, piece.payload) = cut(Ipv4HeaderSize(fragment));
    EXPECT_EQ(LoadBe<std::uint16_t>(fragment, 2), fragment.size());
    return piece;
  }
  const std::size_t at = WalkHeaders(fragment)->fragment;
  piece.offset = LoadBe<std::uint16_t>(fragment, at + 2) & 0xFFF8U;
  piece.more = (fragment[at + 3] & 1U) != 0;
  piece.id = LoadBe<std::uint32_t>(fragment, at + 4);
  std::tie(piece.header, piece.payload) = cut(at + 8);
  EXPECT_EQ(LoadBe<std::uint16_t>(fragment, 4), fragment.size() - kIpv6HeaderSize);
  return piece;
}

/// The payload that the fragments hold between them. They follow each other without a gap.
Packet Join(const Fragments& fragments, std::size_t room, std::size_t begin = 0,
            bool more_to_come = false) {
  Packet whole;
  for (std::size_t i = 0; i < fragments.size(); ++i) {
    const Piece piece = Read(fragments[i]);
    EXPECT_LE(fragments[i].size(), room);
    EXPECT_EQ(piece.offset, begin + whole.size());
    EXPECT_EQ(piece.more, i + 1 < fragments.size() || more_to_come);
    EXPECT_TRUE(!piece.more || piece.payload.size() % 8 == 0);
    EXPECT_EQ(piece.id, Read(fragments[0]).id);
    whole.insert(whole.end(), piece.payload.begin(), piece.payload.end());
  }
  return whole;
}

Packet Behind(Bytes packet, std::size_t at) {
  return {packet.begin() + static_cast<std::ptrdiff_t>(at), packet.end()};
}

bool HasRightHeaderChecksum(Bytes packet) {
  Packet copy(packet.begin(), packet.end());
  WriteIpv4Checksum(copy);
  return std::ranges::equal(copy, packet);
}

TEST(FragmenterTest, CutsIpv4ToEveryRoom) {
  Packet packet = MakePacket({.tcp = false, .payload = 1381});
  StoreBe<std::uint16_t>(packet, kIpv4Fragment, 0);
  WriteIpv4Checksum(packet);
  for (std::size_t room = 28; room < packet.size(); ++room) {
    const Fragments fragments = Fragment(packet, room, 7);

    ASSERT_GT(fragments.size(), 1U);
    ASSERT_EQ(Join(fragments, room), Behind(packet, kIpv4HeaderSize)) << room;
    ASSERT_TRUE(std::ranges::all_of(fragments, HasRightHeaderChecksum));
    EXPECT_EQ(Read(fragments[0]).id, 0xFFFEU) << "its own, as DF was not set";
  }
}

TEST(FragmenterTest, CutsIpv6ToEveryRoom) {
  const Packet packet = MakePacket({.v4 = false, .tcp = false, .payload = 1232});
  for (std::size_t room = 56; room <= packet.size(); ++room) {
    const Fragments fragments = Fragment(packet, room, 0xABCD'EF01);

    ASSERT_GT(fragments.size(), 1U);
    ASSERT_EQ(Join(fragments, room), Behind(packet, kIpv6HeaderSize)) << room;
    EXPECT_EQ(Read(fragments[0]).id, 0xABCD'EF01U);
    EXPECT_EQ(fragments[0][kIpv6NextHeader], kProtocolFragment);
    EXPECT_EQ(fragments[0][kIpv6HeaderSize], kProtocolUdp);
  }
}

TEST(FragmenterTest, AnIpv4PacketWithoutAnIdGetsOne) {
  const Packet packet = MakePacket({});  // With DF.

  const Fragments fragments = Fragment(packet, 600, 0x1'2345);

  EXPECT_EQ(Read(fragments[0]).id, 0x2345U);
  EXPECT_EQ(Read(fragments[1]).id, 0x2345U);
  EXPECT_EQ(fragments[0][kIpv4Fragment] & 0x40, 0) << "DF makes no sense of a fragment";
}

TEST(FragmenterTest, CutsAFragmentOfIpv4Further) {
  Packet packet = MakePacket({.tcp = false, .payload = 1000});
  StoreBe<std::uint16_t>(packet, kIpv4Fragment, 0x2000 | 100);
  WriteIpv4Checksum(packet);

  const Fragments fragments = Fragment(packet, 400, 7);

  EXPECT_EQ(Join(fragments, 400, 800, /*more_to_come=*/true), Behind(packet, kIpv4HeaderSize));
  EXPECT_EQ(Read(fragments[0]).id, 0xFFFEU);
}

TEST(FragmenterTest, CutsAFragmentOfIpv6Further) {
  Packet packet = WithExtensions(MakePacket({.v4 = false, .payload = 1096}),
                                 {ExtensionHeader(kProtocolFragment, 8)});
  StoreBe<std::uint16_t>(packet, kIpv6HeaderSize + 2, 1600 | 1);
  StoreBe<std::uint32_t>(packet, kIpv6HeaderSize + 4, 99);

  const Fragments fragments = Fragment(packet, 700, 7);

  EXPECT_EQ(fragments.size(), 2U);
  EXPECT_EQ(Join(fragments, 700, 1600, /*more_to_come=*/true), Behind(packet, kIpv6HeaderSize + 8));
  EXPECT_EQ(Read(fragments[0]).id, 99U);
}

// RFC 791 section 3.1: an option is copied if its first bit says so.
TEST(FragmenterTest, LaterFragmentsHaveTheOptionsThatAreCopied) {
  Packet packet = MakePacket({.tcp = false, .payload = 1000});
  // Record route (not copied), no operation, stream id (copied), end.
  const Packet options{0x07, 4, 4, 0, 0x01, 0x88, 4, 0x12, 0x34, 0, 0, 0};
  packet.insert(packet.begin() + kIpv4HeaderSize, options.begin(), options.end());
  packet[0] = 0x48;
  StoreBe<std::uint16_t>(packet, kIpv4TotalLength, static_cast<std::uint16_t>(packet.size()));
  StoreBe<std::uint16_t>(packet, kIpv4Fragment, 0);
  WriteIpv4Checksum(packet);

  const Fragments fragments = Fragment(packet, 500, 7);

  EXPECT_EQ(Join(fragments, 500), Behind(packet, 32));
  EXPECT_EQ(Behind(Read(fragments[0]).header, 20), options);
  EXPECT_EQ(Behind(Read(fragments[1]).header, 20), (Packet{0x88, 4, 0x12, 0x34}));
  EXPECT_EQ(fragments[1][0], 0x46);
  EXPECT_TRUE(std::ranges::all_of(fragments, HasRightHeaderChecksum));
}

// RFC 8200 section 4.5.
TEST(FragmenterTest, EveryFragmentHasTheUnfragmentablePart) {
  const Packet packet =
      WithExtensions(MakePacket({.v4 = false, .payload = 1000}),
                     {ExtensionHeader(kProtocolHopByHop, 8), ExtensionHeader(kProtocolRouting, 8),
                      ExtensionHeader(kProtocolDestinationOptions, 16)});

  const Fragments fragments = Fragment(packet, 500, 7);

  EXPECT_EQ(Join(fragments, 500), Behind(packet, kIpv6HeaderSize + 16));
  for (const Packet& fragment : fragments) {
    EXPECT_EQ(fragment[kIpv6HeaderSize], kProtocolRouting);
    EXPECT_EQ(fragment[kIpv6HeaderSize + 8], kProtocolFragment);
    EXPECT_EQ(fragment[kIpv6HeaderSize + 16], kProtocolDestinationOptions);
  }
}

TEST(FragmenterTest, NothingFitsARoomWithoutEightBytesOfPayload) {
  EXPECT_TRUE(Fragment(MakePacket({}), 27, 7).empty());
  EXPECT_TRUE(Fragment(MakePacket({.v4 = false}), 55, 7).empty());
}

TEST(FragmenterTest, RefusesFragmentsOfWhatIsLargerThanAPacketCanBe) {
  Packet v4 = MakePacket({.tcp = false});
  StoreBe<std::uint16_t>(v4, kIpv4Fragment, 0x1FFF);
  EXPECT_TRUE(Fragment(v4, 600, 7).empty());
  Packet v6 = WithExtensions(MakePacket({.v4 = false}), {ExtensionHeader(kProtocolFragment, 8)});
  StoreBe<std::uint16_t>(v6, kIpv6HeaderSize + 2, 0xFFF8);
  EXPECT_TRUE(Fragment(v6, 600, 7).empty());
}

TEST(FragmenterTest, SurvivesEveryTruncation) {
  const Packet packet = WithExtensions(
      MakePacket({.v4 = false, .payload = 30}),
      {ExtensionHeader(kProtocolHopByHop, 8), ExtensionHeader(kProtocolFragment, 8)});
  for (std::size_t size = kIpv6HeaderSize; size < packet.size(); ++size) {
    for (const auto& fragment : Fragment(Bytes(packet).first(size), 72, 7)) {
      EXPECT_LE(fragment.size(), 72U);
    }
  }
}

}  // namespace
}  // namespace floe::tunnel
