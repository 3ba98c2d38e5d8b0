#include "signaling/login_proof.h"

#include <gtest/gtest.h>

#include "tests/support/fake_random.h"

namespace floe::signaling {
namespace {

class LoginProofTest : public ::testing::Test {
 protected:
  LoginProofTest() { random_.Fill(challenge_.nonce); }

  [[nodiscard]] Hello MakeHello() const {
    return {node_key_, MakeLoginProof(node_, node_key_, challenge_).value()};
  }

  test::FakeRandom random_;
  PrivateKey node_ = GeneratePrivateKey(random_);
  PublicKey node_key_ = DerivePublicKey(node_);
  PrivateKey server_ = GeneratePrivateKey(random_);
  Challenge challenge_{.key = DerivePublicKey(server_)};
};

TEST_F(LoginProofTest, ConvincesTheServerThatAsked) {
  EXPECT_TRUE(VerifyLoginProof(server_, challenge_, MakeHello()));
}

TEST_F(LoginProofTest, IsWorthlessWithAnyBitChanged) {
  for (std::size_t i = 0; i < kProofSize; ++i) {
    Hello hello = MakeHello();
    hello.proof[i] ^= 0x10U;
    EXPECT_FALSE(VerifyLoginProof(server_, challenge_, hello)) << i;
  }
}

TEST_F(LoginProofTest, IsGoodForOneNonce) {
  const Hello hello = MakeHello();

  challenge_.nonce[0] ^= 1U;

  EXPECT_FALSE(VerifyLoginProof(server_, challenge_, hello));
}

TEST_F(LoginProofTest, IsGoodForOneServerKey) {
  const Hello hello = MakeHello();
  const PrivateKey other = GeneratePrivateKey(random_);
  Challenge same_nonce{.key = DerivePublicKey(other), .nonce = challenge_.nonce};

  EXPECT_FALSE(VerifyLoginProof(other, same_nonce, hello));
}

TEST_F(LoginProofTest, IsGoodForOneNode) {
  Hello hello = MakeHello();
  hello.key = DerivePublicKey(GeneratePrivateKey(random_));

  EXPECT_FALSE(VerifyLoginProof(server_, challenge_, hello));
}

TEST_F(LoginProofTest, IsGoodForOneTlsConnection) {
  const ChannelBinding here{1};
  const ChannelBinding elsewhere{2};
  challenge_.bound = true;
  const Hello hello{node_key_, MakeLoginProof(node_, node_key_, challenge_, here).value()};

  EXPECT_TRUE(VerifyLoginProof(server_, challenge_, hello, here));
  EXPECT_FALSE(VerifyLoginProof(server_, challenge_, hello, elsewhere));
  EXPECT_FALSE(VerifyLoginProof(server_, challenge_, hello));
}

TEST_F(LoginProofTest, IsNotWhatItIsWithoutTheBindingThatIsAskedFor) {
  const Hello unbound = MakeHello();  // Somebody between the two has taken the demand away.
  challenge_.bound = true;

  EXPECT_FALSE(VerifyLoginProof(server_, challenge_, unbound, ChannelBinding{1}));
  EXPECT_EQ(MakeLoginProof(node_, node_key_, challenge_), std::nullopt);
}

TEST_F(LoginProofTest, RefusesKeysOfSmallOrder) {
  const PublicKey zero;
  Hello hello = MakeHello();
  hello.key = zero;

  EXPECT_FALSE(VerifyLoginProof(server_, challenge_, hello));
  challenge_.key = zero;
  EXPECT_EQ(MakeLoginProof(node_, node_key_, challenge_), std::nullopt);
}

}  // namespace
}  // namespace floe::signaling
