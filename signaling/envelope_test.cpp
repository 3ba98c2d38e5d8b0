#include "signaling/envelope.h"

#include <gtest/gtest.h>
#include <optional>
#include <sodium.h>
#include <string>
#include <vector>

#include "base/base64.h"
#include "tests/support/fake_random.h"

namespace floe::signaling {
namespace {

using test::FakeRandom;

struct Node {
  PrivateKey key;
  PublicKey self;
};

Node MakeNode(RandomSource& random) {
  Node node;
  node.key = GeneratePrivateKey(random);
  node.self = DerivePublicKey(node.key);
  return node;
}

PeerBox BoxOf(const Node& own, const Node& peer) {
  auto box = PeerBox::Make(own.key, own.self, peer.self);
  EXPECT_TRUE(box);
  return *std::move(box);
}

Message Sample() {
  return {.kind = MessageKind::kOffer,
          .session = 1'732'354'997'000,
          .ufrag = "abcdefgh",
          .password = "0123456789abcdefghijklmn",
          .candidates = {"candidate:1 1 UDP 2130706431 192.0.2.5 41820 typ host"}};
}

class EnvelopeTest : public ::testing::Test {
 protected:
  FakeRandom random_;
  Node alice_ = MakeNode(random_);
  Node bob_ = MakeNode(random_);
  PeerBox to_bob_ = BoxOf(alice_, bob_);
  PeerBox to_alice_ = BoxOf(bob_, alice_);
};

TEST_F(EnvelopeTest, OpensWhatThePeerSealed) {
  const auto box = to_bob_.Seal(Sample(), random_);

  ASSERT_TRUE(box);
  EXPECT_EQ(to_alice_.Open(*box), Sample());
}

TEST_F(EnvelopeTest, IsLaidOutAsTheHeaderSays) {
  const auto bytes = DecodeBase64(*to_bob_.Seal(Sample(), random_));
  ASSERT_TRUE(bytes);

  // The same by libsodium's one-shot calls.
  const auto shared = DiffieHellman(bob_.key, alice_.self);
  const std::string context =
      "floe.box/1" + std::string(AsText(alice_.self.bytes)) + std::string(AsText(bob_.self.bytes));
  std::vector<std::uint8_t> key(32);
  crypto_generichash(key.data(), key.size(), AsBytes(context).data(), context.size(),
                     shared->data(), 32);
  std::vector<std::uint8_t> text(bytes->size() - 40);
  ASSERT_EQ(crypto_aead_xchacha20poly1305_ietf_decrypt(text.data(), nullptr, nullptr,
                                                       bytes->data() + 24, bytes->size() - 24,
                                                       nullptr, 0, bytes->data(), key.data()),
            0);

  EXPECT_EQ(AsText(text), Serialize(Sample()));
}

TEST_F(EnvelopeTest, NeverSealsTheSameTextTwice) {
  EXPECT_NE(*to_bob_.Seal(Sample(), random_), *to_bob_.Seal(Sample(), random_));
}

TEST_F(EnvelopeTest, DoesNotOpenAReflectedBox) {
  const auto box = to_bob_.Seal(Sample(), random_);

  EXPECT_EQ(to_bob_.Open(*box).error(), EnvelopeError::kForged);
}

TEST_F(EnvelopeTest, DoesNotOpenABoxOfOrForAnother) {
  const Node mallory = MakeNode(random_);

  const auto of_mallory = BoxOf(mallory, bob_).Seal(Sample(), random_);
  EXPECT_EQ(to_alice_.Open(*of_mallory).error(), EnvelopeError::kForged);
  const auto for_bob = to_bob_.Seal(Sample(), random_);
  EXPECT_EQ(BoxOf(mallory, alice_).Open(*for_bob).error(), EnvelopeError::kForged);
}

TEST_F(EnvelopeTest, RefusesEveryChangedByte) {
  auto bytes = DecodeBase64(*to_bob_.Seal(Sample(), random_));
  ASSERT_TRUE(bytes);

  for (std::uint8_t& byte : *bytes) {
    byte ^= 1U;
    EXPECT_EQ(to_alice_.Open(EncodeBase64(*bytes)).error(), EnvelopeError::kForged);
    byte ^= 1U;
  }
  EXPECT_TRUE(to_alice_.Open(EncodeBase64(*bytes)));
}

TEST_F(EnvelopeTest, RefusesEveryTruncation) {
  const auto bytes = DecodeBase64(*to_bob_.Seal(Sample(), random_));
  ASSERT_TRUE(bytes);

  for (std::size_t size = 0; size < bytes->size(); ++size) {
    const EnvelopeError expected = size < 40 ? EnvelopeError::kEncoding : EnvelopeError::kForged;
    EXPECT_EQ(to_alice_.Open(EncodeBase64(Bytes(*bytes).first(size))).error(), expected) << size;
  }
}

TEST_F(EnvelopeTest, RefusesWhatIsNotBase64) {
  std::string box = *to_bob_.Seal(Sample(), random_);

  EXPECT_EQ(to_alice_.Open(box + "\n").error(), EnvelopeError::kEncoding);
  box[5] = '-';
  EXPECT_EQ(to_alice_.Open(box).error(), EnvelopeError::kEncoding);
}

TEST_F(EnvelopeTest, RefusesBytesAboveAscii) {
  std::string box;
  while (box.find('/') == std::string::npos) {
    box = *to_bob_.Seal(Sample(), random_);
  }
  ASSERT_TRUE(to_alice_.Open(box));

  box[box.find('/')] = '\xf7';  // What some decoders read as '/'.
  EXPECT_EQ(to_alice_.Open(box).error(), EnvelopeError::kEncoding);
}

TEST_F(EnvelopeTest, TellsABadMessageFromAForgedBox) {
  Message no_credentials = Sample();
  no_credentials.ufrag.clear();

  const auto box = to_bob_.Seal(no_credentials, random_);
  EXPECT_EQ(to_alice_.Open(*box).error(), EnvelopeError::kMessage);
}

TEST_F(EnvelopeTest, SealsTheLongestMessageAndNoLonger) {
  Message message = Sample();
  message.candidates.assign(10, std::string(512, 'x'));
  const std::size_t rest = kMaxMessageSize - Serialize(message).size();
  message.candidates.emplace_back(rest - 3, 'x');  // With its comma and quotes.

  const auto box = to_bob_.Seal(message, random_);
  ASSERT_TRUE(box);
  EXPECT_EQ(box->size(), kMaxBoxSize);
  EXPECT_EQ(to_alice_.Open(*box), message);

  message.candidates.back() += 'x';
  EXPECT_EQ(to_bob_.Seal(message, random_).error(), EnvelopeError::kTooLong);
  EXPECT_EQ(to_alice_.Open(*box + "AAAA").error(), EnvelopeError::kTooLong);
}

TEST_F(EnvelopeTest, IsNotMadeForWeakKeysOrOneself) {
  EXPECT_FALSE(PeerBox::Make(alice_.key, alice_.self, PublicKey{}));
  EXPECT_FALSE(PeerBox::Make(alice_.key, alice_.self, alice_.self));
}

}  // namespace
}  // namespace floe::signaling
