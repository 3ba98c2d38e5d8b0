#include "tunnel/blake2s.h"

#include <array>
#include <gtest/gtest.h>
#include <numeric>

#include "tests/support/hex.h"

namespace floe::tunnel {
namespace {

using test::ToHex;

TEST(Blake2sTest, HashesTheExampleOfRfc7693AppendixB) {
  EXPECT_EQ(ToHex(Blake2s({AsBytes("abc")})),
            "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
}

TEST(Blake2sTest, HashesPartsAsOneText) {
  EXPECT_EQ(Blake2s({AsBytes("a"), {}, AsBytes("bc")}), Blake2s({AsBytes("abc")}));
}

// Python 3.11: hashlib.blake2s(b"abc", digest_size=16, key=bytes(range(32))).
TEST(Blake2sTest, MacIsTheKeyedModeWithSixteenBytesOfOutput) {
  std::array<std::uint8_t, 32> key{};
  std::iota(key.begin(), key.end(), std::uint8_t{0});

  EXPECT_EQ(ToHex(Blake2sMac(key, AsBytes("abc"))), "61ba5f165c194692e09d12520cc4c74a");
  EXPECT_EQ(ToHex(Blake2sMac(Bytes(key).first(16), {})), "af4e5d3bb230e9ff9096ca6f7c501f76");
}

// Python 3.11: hmac.new(b"test-key", b"test-input", hashlib.blake2s).
TEST(Blake2sTest, HmacIsNotTheKeyedMode) {
  const DerivedKey mac = HmacBlake2s(AsBytes("test-key"), {AsBytes("test-"), AsBytes("input")});
  EXPECT_EQ(ToHex(mac.bytes()), "ed378e02e152b574e0d9e01fb029a7066c3cc687917c28bf9dfe5b042769fa46");
}

// The values that wireguard-go's device/kdf_test.go checks.
TEST(Blake2sTest, DerivesTheKeysThatWireGuardDerives) {
  const auto keys = Kdf<3>(AsBytes("test-key"), AsBytes("test-input"));

  EXPECT_EQ(ToHex(keys[0].bytes()),
            "6f0e5ad38daba1bea8a0d213688736f19763239305e0f58aba697f9ffc41c633");
  EXPECT_EQ(ToHex(keys[1].bytes()),
            "df1194df20802a4fe594cde27e92991c8cae66c366e8106aaa937a55fa371e8a");
  EXPECT_EQ(ToHex(keys[2].bytes()),
            "fac6e2745a325f5dc5d11a5b165aad08b0ada28e7b4e666b7c077934a4d76c24");
}

TEST(Blake2sTest, FewerKeysAreTheFirstOfMore) {
  const auto one = Kdf<1>(AsBytes("wireguard"), AsBytes("wireguard"));

  EXPECT_EQ(ToHex(one[0].bytes()),
            "491d43bbfdaa8750aaf535e334ecbfe5129967cd64635101c566d4caefda96e8");
}

}  // namespace
}  // namespace floe::tunnel
