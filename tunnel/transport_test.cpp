#include "tunnel/transport.h"

#include <gtest/gtest.h>
#include <vector>

#include "tests/support/fake_random.h"
#include "tests/support/hex.h"

namespace floe::tunnel {
namespace {

DerivedKey MakeKey() {
  test::FakeRandom random;
  DerivedKey key;
  random.Fill(key.mutable_bytes());
  return key;
}

TEST(TransportTest, OpensWhatItSealedAtEverySize) {
  const DerivedKey key = MakeKey();
  for (std::size_t size = 0; size < 200; ++size) {
    const std::vector<std::uint8_t> inner(size, 0xAB);
    std::vector<std::uint8_t> message(SealedSize(size));
    Seal(key, 1, size, inner, message);
    std::vector<std::uint8_t> opened(PaddedSize(size));
    ASSERT_TRUE(Open(key, size, Bytes(message).subspan(transport::kPacket), opened));

    EXPECT_EQ(message.size() % 16, 0U);
    EXPECT_TRUE(std::equal(inner.begin(), inner.end(), opened.begin()));
    EXPECT_EQ(std::count(opened.begin(), opened.end(), std::uint8_t{0}),
              static_cast<std::ptrdiff_t>(opened.size() - size));
  }
}

TEST(TransportTest, WritesTheHeaderLittleEndian) {
  std::vector<std::uint8_t> message(SealedSize(0));
  Seal(MakeKey(), 0x11223344, 0x0102030405060708, {}, message);

  EXPECT_EQ(test::ToHex(Bytes(message).first(16)), "04000000443322110807060504030201");
}

TEST(TransportTest, AKeepaliveIsThirtyTwoBytes) {
  EXPECT_EQ(SealedSize(0), 32U);
}

TEST(TransportTest, RefusesAnotherCounterAnotherKeyAndAnyByteChanged) {
  const DerivedKey key = MakeKey();
  const std::vector<std::uint8_t> inner(20, 0xAB);
  std::vector<std::uint8_t> message(SealedSize(inner.size()));
  Seal(key, 1, 5, inner, message);
  std::vector<std::uint8_t> opened(PaddedSize(inner.size()));
  const MutableBytes sealed = MutableBytes(message).subspan(transport::kPacket);

  EXPECT_FALSE(Open(key, 6, sealed, opened));
  EXPECT_FALSE(Open(DerivedKey{}, 5, sealed, opened));
  for (std::uint8_t& byte : sealed) {
    byte ^= 0x80U;
    EXPECT_FALSE(Open(key, 5, sealed, opened));
    byte ^= 0x80U;
  }
  EXPECT_TRUE(Open(key, 5, sealed, opened));
}

}  // namespace
}  // namespace floe::tunnel
