#include "ice/stun/integrity.h"

#include <gtest/gtest.h>
#include <vector>

#include "ice/stun/builder.h"
#include "ice/stun/rfc_vectors.h"

namespace floe::ice::stun {
namespace {

MessageView Parsed(Bytes bytes) {
  const auto message = MessageView::Parse(bytes);
  EXPECT_TRUE(message.has_value());
  return *message;
}

TEST(IntegrityTest, VerifiesTheShortTermVectorsOfRfc5769) {
  const Bytes key = AsBytes(vectors::kShortTermPassword);
  for (const vectors::Message& vector :
       {vectors::kSampleRequest, vectors::kSampleIpv4Response, vectors::kSampleIpv6Response}) {
    EXPECT_TRUE(VerifyIntegrity(Parsed(vector), key));
    EXPECT_TRUE(VerifyFingerprint(Parsed(vector)));
  }
}

TEST(IntegrityTest, VerifiesTheLongTermVectorOfRfc5769) {
  const auto key =
      LongTermKey(vectors::kLongTermUsername, vectors::kLongTermRealm, vectors::kLongTermPassword);
  EXPECT_TRUE(VerifyIntegrity(Parsed(vectors::kSampleLongTermRequest), key.bytes()));
  EXPECT_FALSE(VerifyFingerprint(Parsed(vectors::kSampleLongTermRequest))) << "it has none";
}

TEST(IntegrityTest, VerifiesTheSha256VectorOfRfc8489) {
  const auto key = LongTermKeySha256(vectors::kLongTermUsername, vectors::kLongTermRealm,
                                     vectors::kLongTermPassword);
  EXPECT_TRUE(VerifyIntegritySha256(Parsed(vectors::kSampleSha256Request), key.bytes()));
  EXPECT_FALSE(VerifyIntegrity(Parsed(vectors::kSampleSha256Request), key.bytes()));
}

TEST(IntegrityTest, NoticesEveryFlippedByte) {
  const Bytes key = AsBytes(vectors::kShortTermPassword);
  const std::size_t integrity_end = vectors::kSampleRequest.size() - 8;
  for (std::size_t i = 0; i < integrity_end; ++i) {
    std::vector<std::uint8_t> forged = vectors::kSampleRequest;
    forged[i] ^= 1U;
    const auto message = MessageView::Parse(forged);
    if (message) {
      EXPECT_FALSE(VerifyIntegrity(*message, key)) << "byte " << i;
      EXPECT_FALSE(VerifyFingerprint(*message)) << "byte " << i;
    }
  }
}

TEST(IntegrityTest, RefusesAnotherKey) {
  EXPECT_FALSE(VerifyIntegrity(Parsed(vectors::kSampleRequest), AsBytes("another")));
  EXPECT_FALSE(VerifyIntegrity(Parsed(vectors::kSampleRequest), Bytes{}));
}

TEST(IntegrityTest, RefusesAMessageWithoutIntegrity) {
  const auto bytes = Builder(Class::kRequest, Method::kBinding, TransactionId{}).Take();
  EXPECT_FALSE(VerifyIntegrity(Parsed(bytes), AsBytes("key")));
  EXPECT_FALSE(VerifyIntegritySha256(Parsed(bytes), AsBytes("key")));
}

TEST(IntegrityTest, RefusesATruncatedTag) {
  const Builder plain(Class::kRequest, Method::kBinding, TransactionId{});
  const auto head = Builder(plain).Take();
  const auto sha1 = ComputeIntegrity(head, AsBytes("key"));
  const auto sha256 = ComputeIntegritySha256(head, AsBytes("key"));

  const auto short_sha1 =
      Builder(plain).Add(AttributeType::kMessageIntegrity, Bytes(sha1).first(16)).Take();
  const auto short_sha256 =
      Builder(plain).Add(AttributeType::kMessageIntegritySha256, Bytes(sha256).first(16)).Take();
  const auto empty = Builder(plain).AddFlag(AttributeType::kMessageIntegrity).Take();

  EXPECT_FALSE(VerifyIntegrity(Parsed(short_sha1), AsBytes("key")));
  EXPECT_FALSE(VerifyIntegritySha256(Parsed(short_sha256), AsBytes("key")));
  EXPECT_FALSE(VerifyIntegrity(Parsed(empty), AsBytes("key")));
}

TEST(IntegrityTest, ToleratesAttributesBehindIntegrity) {
  const auto bytes = Builder(Class::kRequest, Method::kBinding, TransactionId{})
                         .AddIntegrity(AsBytes("key"))
                         .AddText(AttributeType::kRealm, "ignored")
                         .Take();
  EXPECT_TRUE(VerifyIntegrity(Parsed(bytes), AsBytes("key")));
}

TEST(IntegrityTest, RefusesAFingerprintThatIsNotLast) {
  const auto bytes = Builder(Class::kRequest, Method::kBinding, TransactionId{})
                         .AddFingerprint()
                         .AddText(AttributeType::kRealm, "behind")
                         .Take();
  EXPECT_FALSE(VerifyFingerprint(Parsed(bytes)));
}

}  // namespace
}  // namespace floe::ice::stun
