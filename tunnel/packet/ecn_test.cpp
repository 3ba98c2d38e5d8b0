#include "tunnel/packet/ecn.h"

#include <array>
#include <gtest/gtest.h>
#include <optional>

#include "tunnel/packet/test_packets.h"

namespace floe::tunnel {
namespace {

using test::HasRightChecksums;
using test::MakePacket;
using test::Packet;

constexpr std::array kMarks{Ecn::kNotEct, Ecn::kEct1, Ecn::kEct0, Ecn::kCe};
constexpr std::uint8_t kDscp = 0x88;

class EcnTest : public testing::TestWithParam<bool> {
 protected:
  /// With a DSCP beside the mark.
  static Packet Marked(Ecn mark) {
    Packet packet = MakePacket({.v4 = GetParam(), .payload = 3});
    const auto tos = static_cast<std::uint8_t>(kDscp | static_cast<std::uint8_t>(mark));
    if (GetParam()) {
      packet[1] = tos;
    } else {
      packet[0] = static_cast<std::uint8_t>(0x60U | tos >> 4U);
      packet[1] = static_cast<std::uint8_t>(tos << 4U | 0x0AU);  // The flow label begins here.
    }
    test::WriteChecksums(packet);
    return packet;
  }
};

INSTANTIATE_TEST_SUITE_P(Families, EcnTest, testing::Bool(),
                         [](const auto& parameter) { return parameter.param ? "Ipv4" : "Ipv6"; });

TEST_P(EcnTest, ReadsTheMarkBesideTheDscp) {
  for (const Ecn mark : kMarks) {
    EXPECT_EQ(ReadEcn(Marked(mark)), mark);
    EXPECT_EQ(OuterTos(Marked(mark)), static_cast<std::uint8_t>(mark));
  }
}

// RFC 6040 section 4.2, figure 4: by the inner mark, and then the outer one, in the order of its
// columns. Nothing stands for "drop".
TEST_P(EcnTest, JoinsMarksAsTheTableSays) {
  struct Row {
    Ecn inner;
    std::array<std::optional<Ecn>, 4> by_outer;  // Not-ECT, ECT(0), ECT(1), CE
  };

  constexpr std::array kColumns{Ecn::kNotEct, Ecn::kEct0, Ecn::kEct1, Ecn::kCe};
  constexpr std::array kFigure4{
      Row{Ecn::kNotEct, {Ecn::kNotEct, Ecn::kNotEct, Ecn::kNotEct, std::nullopt}},
      Row{Ecn::kEct0, {Ecn::kEct0, Ecn::kEct0, Ecn::kEct1, Ecn::kCe}},
      Row{Ecn::kEct1, {Ecn::kEct1, Ecn::kEct1, Ecn::kEct1, Ecn::kCe}},
      Row{Ecn::kCe, {Ecn::kCe, Ecn::kCe, Ecn::kCe, Ecn::kCe}},
  };
  for (const Row& row : kFigure4) {
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      Packet packet = Marked(row.inner);

      const bool kept = MergeEcn(packet, kColumns.at(i));

      const auto& expected = row.by_outer.at(i);
      EXPECT_EQ(kept, expected.has_value());
      EXPECT_EQ(packet, Marked(expected.value_or(row.inner))) << "the rest must stay as it was";
      EXPECT_TRUE(HasRightChecksums(packet));
    }
  }
}

// RFC 1624 section 4: the sum of a header may be all ones, and an update must not turn it into the
// other zero.
TEST(EcnChecksumTest, StaysRightForEveryChecksumThereIs) {
  Packet packet = MakePacket({.tcp = false, .payload = 0, .tos = 2});
  for (std::uint32_t id = 0; id <= 0xFFFF; ++id) {
    packet[kIpv4Tos] = 2;
    StoreBe<std::uint16_t>(packet, kIpv4Id, static_cast<std::uint16_t>(id));
    WriteIpv4Checksum(packet);

    ASSERT_TRUE(MergeEcn(packet, Ecn::kCe));

    const auto updated = LoadBe<std::uint16_t>(packet, kIpv4Checksum);
    WriteIpv4Checksum(packet);
    ASSERT_EQ(updated, LoadBe<std::uint16_t>(packet, kIpv4Checksum)) << id;
  }
}

TEST(EcnOfNothingTest, WhatIsNoPacketHasNoMark) {
  EXPECT_EQ(ReadEcn({}), Ecn::kNotEct);
  EXPECT_EQ(ReadEcn(std::array<std::uint8_t, 1>{0x45}), Ecn::kNotEct);
  EXPECT_EQ(ReadEcn(std::array<std::uint8_t, 2>{0x55, 0xFF}), Ecn::kNotEct);
}

}  // namespace
}  // namespace floe::tunnel
