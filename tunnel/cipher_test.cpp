#include "tunnel/cipher.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "tests/support/fake_random.h"
#include "tests/support/hex.h"
#include "tunnel/messages.h"

namespace floe::tunnel {
namespace {

class CipherTest : public testing::TestWithParam<const Cipher*> {};

INSTANTIATE_TEST_SUITE_P(All, CipherTest,
                         testing::ValuesIn(AllCiphers().begin(), AllCiphers().end()),
                         [](const auto& param_info) {
                           std::string name(param_info.param->name());
                           std::erase_if(name, [](char c) { return c == ' ' || c == ','; });
                           return name;
                         });

/// A buffer with the room that ciphers want around its middle.
struct Room {
  explicit Room(std::size_t middle_size, std::uint8_t fill = 0)
      : bytes(kCipherHeadroom + middle_size + kCipherSlack, fill), size(middle_size) {}

  MutableBytes middle() { return MutableBytes(bytes).subspan(kCipherHeadroom, size); }

  std::vector<std::uint8_t> bytes;
  std::size_t size;
};

TEST_P(CipherTest, AgreesWithTheReference) {
  EXPECT_TRUE(AgreesWithReference(*GetParam()));
}

TEST_P(CipherTest, PutsBackWhatIsInFrontOfTheOutputAndLeavesTheInputAlone) {
  Room plain(100, 0x11);
  Room sealed(100 + kTagSize, 0x22);
  const std::vector<std::uint8_t> before = plain.bytes;

  GetParam()->Seal(DerivedKey{}, 7, plain.middle(), sealed.middle());

  EXPECT_EQ(plain.bytes, before);
  EXPECT_THAT(std::vector(sealed.bytes.begin(), sealed.bytes.begin() + kCipherHeadroom),
              testing::Each(0x22));
}

TEST_P(CipherTest, RefusesAnotherCounterAndAnotherKey) {
  Room plain(64, 0x11);
  Room sealed(64 + kTagSize);
  Room opened(64);
  test::FakeRandom random;
  DerivedKey other;
  random.Fill(other.mutable_bytes());

  GetParam()->Seal(DerivedKey{}, 7, plain.middle(), sealed.middle());

  EXPECT_FALSE(GetParam()->Open(DerivedKey{}, 8, sealed.middle(), opened.middle()));
  EXPECT_FALSE(GetParam()->Open(other, 7, sealed.middle(), opened.middle()));
  EXPECT_TRUE(GetParam()->Open(DerivedKey{}, 7, sealed.middle(), opened.middle()));
}

class BrokenCipher final : public Cipher {
 public:
  [[nodiscard]] std::string_view name() const override { return "broken"; }

  void Seal(const DerivedKey& key, std::uint64_t counter, Bytes plain,
            MutableBytes sealed) const override {
    ReferenceCipher().Seal(key, counter, plain, sealed);
    if (plain.size() == 1500) {
      sealed[1] ^= 1U;
    }
  }

  [[nodiscard]] bool Open(const DerivedKey& key, std::uint64_t counter, Bytes sealed,
                          MutableBytes plain) const override {
    return ReferenceCipher().Open(key, counter, sealed, plain);
  }
};

TEST(AgreesWithReferenceTest, FindsOneThatIsWrongAtOneSize) {
  EXPECT_FALSE(AgreesWithReference(BrokenCipher()));
}

}  // namespace
}  // namespace floe::tunnel
