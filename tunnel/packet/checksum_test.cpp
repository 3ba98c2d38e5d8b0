#include "tunnel/packet/checksum.h"

#include <gtest/gtest.h>
#include <vector>

#include "tests/support/hex.h"

namespace floe::tunnel {
namespace {

TEST(ChecksumTest, SumsTheExampleOfRfc1071) {
  const auto bytes = test::FromHex("0001f203f4f5f6f7");

  EXPECT_EQ(Fold(Sum(bytes)), 0xDDF2);
}

TEST(ChecksumTest, FillsAnOddByteWithZero) {
  EXPECT_EQ(Fold(Sum(test::FromHex("01"))), 0x0100);
  EXPECT_EQ(Fold(Sum(test::FromHex("010203"))), 0x0402);
}

TEST(ChecksumTest, IsTheSumOfWordsAtEverySize) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t size = 0; size < 300; ++size) {
    std::uint32_t expected = 0;
    for (std::size_t i = 0; i < size; ++i) {
      expected += static_cast<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8U : 0U);
    }
    while (expected >> 16U != 0) {
      expected = (expected >> 16U) + (expected & 0xFFFFU);
    }
    ASSERT_EQ(Fold(Sum(bytes)), expected) << size;
    bytes.push_back(static_cast<std::uint8_t>(0xF1 + size * 37));
  }
}

TEST(ChecksumTest, FoldsWhatOverflowsTwice) {
  EXPECT_EQ(Fold(0xFFFFFFFFFFFFFFFF), 0xFFFF);
  EXPECT_EQ(Fold(0x1FFFF), 1);
}

// The header that RFC 1071's algorithm is usually shown with.
TEST(ChecksumTest, ComputesAnIpv4Header) {
  const auto header = test::FromHex(
      "45000073000040004011"
      "0000"
      "c0a80001c0a800c7");

  EXPECT_EQ(Checksum(Sum(header)), 0xB861);
}

}  // namespace
}  // namespace floe::tunnel
