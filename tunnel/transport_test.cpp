#include "tunnel/transport.h"

#include <algorithm>
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

Bytes SealedPart(const std::vector<std::uint8_t>& message) {
  return Bytes(message).subspan(transport::kPacket);
}

TEST(SealerTest, OpensWhatItSealedAtEverySizeWithEveryCipher) {
  const DerivedKey key = MakeKey();
  for (const Cipher* cipher : AllCiphers()) {
    Sealer sealer(*cipher);
    Sealer reference(ReferenceCipher());
    // Larger and smaller by turns: what an earlier packet left must not be sent.
    for (std::size_t i = 0; i < 400; ++i) {
      const std::size_t size = i % 2 == 0 ? i / 2 : 400 - i;
      const std::vector<std::uint8_t> inner(size, 0xAB);
      const auto message = sealer.Seal(key, 1, i, inner);
      const auto opened = sealer.Open(key, i, SealedPart(message));

      EXPECT_EQ(message, reference.Seal(key, 1, i, inner));
      EXPECT_EQ(message.size(), SealedSize(size));
      EXPECT_EQ(message.size() % 16, 0U);
      ASSERT_TRUE(opened);
      ASSERT_EQ(opened->size(), PaddedSize(size));
      EXPECT_TRUE(std::equal(inner.begin(), inner.end(), opened->begin()));
      EXPECT_EQ(std::count(opened->begin(), opened->end(), std::uint8_t{0}),
                static_cast<std::ptrdiff_t>(opened->size() - size));
    }
  }
}

TEST(SealerTest, WritesTheHeaderLittleEndian) {
  const auto message =
      Sealer(ReferenceCipher()).Seal(MakeKey(), 0x11223344, 0x0102030405060708, {});

  EXPECT_EQ(test::ToHex(Bytes(message).first(16)), "04000000443322110807060504030201");
}

TEST(SealerTest, AKeepaliveIsThirtyTwoBytes) {
  EXPECT_EQ(SealedSize(0), 32U);
}

TEST(SealerTest, RefusesAnotherCounterAnotherKeyAndAnyByteChanged) {
  const DerivedKey key = MakeKey();
  Sealer sealer(ReferenceCipher());
  auto message = sealer.Seal(key, 1, 5, std::vector<std::uint8_t>(20, 0xAB));

  EXPECT_FALSE(sealer.Open(key, 6, SealedPart(message)));
  EXPECT_FALSE(sealer.Open(DerivedKey{}, 5, SealedPart(message)));
  for (std::uint8_t& byte : MutableBytes(message).subspan(transport::kPacket)) {
    byte ^= 0x80U;
    EXPECT_FALSE(sealer.Open(key, 5, SealedPart(message)));
    byte ^= 0x80U;
  }
  EXPECT_TRUE(sealer.Open(key, 5, SealedPart(message)));
}

}  // namespace
}  // namespace floe::tunnel
