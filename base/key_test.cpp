#include "base/key.h"

#include <gtest/gtest.h>

#include "base/system_random.h"

namespace floe {
namespace {

// RFC 7748 section 6.1, in base64.
constexpr const char* kAlicePrivate = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
constexpr const char* kAlicePublic = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";
constexpr const char* kBobPublic = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=";
constexpr const char* kShared = "Sl2dW6TOLeFyjjv0gDUPJeB+IclH0Z4zdvCbPB4WF0I=";

TEST(KeyTest, DerivesTheKeysOfRfc7748) {
  const auto alice = ParseSecretKey(kAlicePrivate);
  ASSERT_TRUE(alice.has_value());
  EXPECT_EQ(ToString(DerivePublicKey(*alice)), kAlicePublic);

  const auto shared = DiffieHellman(*alice, *ParsePublicKey(kBobPublic));
  ASSERT_TRUE(shared.has_value());
  EXPECT_EQ(RevealKey(*shared).text(), kShared);
}

TEST(KeyTest, GeneratedKeysAreClamped) {
  SystemRandom random;
  const PrivateKey key = GeneratePrivateKey(random);
  EXPECT_EQ(key.data()[0] & 7, 0);
  EXPECT_EQ(key.data()[31] & 0xC0, 0x40);
}

TEST(KeyTest, RefusesAPointOfSmallOrder) {
  SystemRandom random;
  EXPECT_FALSE(DiffieHellman(GeneratePrivateKey(random), PublicKey{}).has_value());
}

TEST(KeyTest, RefusesTextThatIsNoKey) {
  EXPECT_FALSE(ParsePublicKey("").has_value());
  EXPECT_FALSE(ParsePublicKey("Zg==").has_value());
  EXPECT_FALSE(ParsePublicKey(std::string(kAlicePublic) + "\n").has_value());
}

}  // namespace
}  // namespace floe
