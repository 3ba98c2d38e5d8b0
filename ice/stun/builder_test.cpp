#include "ice/stun/builder.h"

#include <gtest/gtest.h>
#include <vector>

#include "ice/stun/integrity.h"
#include "ice/stun/rfc_vectors.h"
#include "tests/support/fake_random.h"

namespace floe::ice::stun {
namespace {

TransactionId IdOf(Bytes vector) {
  return MessageView::Parse(vector)->transaction_id();
}

/// Puts what the short-term vectors of RFC 5769 end in behind `message`, after setting its padding
/// to the spaces they have there.
std::vector<std::uint8_t> Finished(std::vector<std::uint8_t> message,
                                   std::initializer_list<std::size_t> padding) {
  for (const std::size_t offset : padding) {
    EXPECT_EQ(message[offset], 0);
    message[offset] = ' ';
  }
  const auto append = [&message](AttributeType type, Bytes value) {
    const std::size_t start = message.size();
    message.resize(start + kAttributeHeaderSize);
    StoreBe(MutableBytes(message), start, static_cast<std::uint16_t>(type));
    StoreBe(MutableBytes(message), start + 2, static_cast<std::uint16_t>(value.size()));
    message.insert(message.end(), value.begin(), value.end());
    StoreBe(MutableBytes(message), 2, static_cast<std::uint16_t>(message.size() - kHeaderSize));
  };
  append(AttributeType::kMessageIntegrity,
         ComputeIntegrity(message, AsBytes(vectors::kShortTermPassword)));
  std::array<std::uint8_t, 4> fingerprint{};
  StoreBe(MutableBytes(fingerprint), 0, ComputeFingerprint(message));
  append(AttributeType::kFingerprint, fingerprint);
  return message;
}

TEST(BuilderTest, RebuildsTheSampleRequestOfRfc5769) {
  auto message = Builder(Class::kRequest, Method::kBinding, IdOf(vectors::kSampleRequest))
                     .AddText(AttributeType::kSoftware, "STUN test client")
                     .AddU32(AttributeType::kPriority, 0x6e0001ff)
                     .AddU64(AttributeType::kIceControlled, 0x932ff9b151263b36)
                     .AddText(AttributeType::kUsername, "evtj:h6vY")
                     .Take();
  const std::size_t end = message.size();
  EXPECT_EQ(Finished(std::move(message), {end - 3, end - 2, end - 1}), vectors::kSampleRequest);
}

TEST(BuilderTest, RebuildsTheSampleResponsesOfRfc5769) {
  const auto rebuild = [](const vectors::Message& vector, const char* address) {
    return Finished(Builder(Class::kSuccess, Method::kBinding, IdOf(vector))
                        .AddText(AttributeType::kSoftware, "test vector")
                        .AddAddress(AttributeType::kXorMappedAddress, *ParseSocketAddress(address))
                        .Take(),
                    {35});
  };
  EXPECT_EQ(rebuild(vectors::kSampleIpv4Response, "192.0.2.1:32853"), vectors::kSampleIpv4Response);
  EXPECT_EQ(rebuild(vectors::kSampleIpv6Response, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
            vectors::kSampleIpv6Response);
}

TEST(BuilderTest, RebuildsTheLongTermRequestOfRfc5769) {
  const auto key =
      LongTermKey(vectors::kLongTermUsername, vectors::kLongTermRealm, vectors::kLongTermPassword);
  EXPECT_EQ(Builder(Class::kRequest, Method::kBinding, IdOf(vectors::kSampleLongTermRequest))
                .AddText(AttributeType::kUsername, vectors::kLongTermUsername)
                .AddText(AttributeType::kNonce, "f//499k954d6OL34oL9FSTvy64sA")
                .AddText(AttributeType::kRealm, vectors::kLongTermRealm)
                .AddIntegrity(key.bytes())
                .Take(),
            vectors::kSampleLongTermRequest);
}

TEST(BuilderTest, RebuildsTheSha256RequestOfRfc8489) {
  const auto key = LongTermKeySha256(vectors::kLongTermUsername, vectors::kLongTermRealm,
                                     vectors::kLongTermPassword);
  const auto sample = MessageView::Parse(vectors::kSampleSha256Request);
  EXPECT_EQ(Builder(Class::kRequest, Method::kBinding, sample->transaction_id())
                .Add(AttributeType::kUserhash, *sample->Find(AttributeType::kUserhash))
                .AddText(AttributeType::kNonce, "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA")
                .AddText(AttributeType::kRealm, vectors::kLongTermRealm)
                .AddU32(AttributeType::kPasswordAlgorithm, 0x0002'0000)
                .AddIntegritySha256(key.bytes())
                .Take(),
            vectors::kSampleSha256Request);
}

TEST(BuilderTest, WeavesEveryClassAndMethodSoThatTheViewReadsThem) {
  for (const Class message_class :
       {Class::kRequest, Class::kIndication, Class::kSuccess, Class::kError}) {
    for (std::uint16_t method = 0; method <= 0xFFF; ++method) {
      const auto bytes = Builder(message_class, Method{method}, TransactionId{}).Take();
      const auto message = MessageView::Parse(bytes);
      ASSERT_TRUE(message.has_value());
      ASSERT_EQ(message->message_class(), message_class);
      ASSERT_EQ(message->method(), Method{method});
    }
  }
}

TEST(BuilderTest, SealsWithIntegrityThenFingerprint) {
  const auto bytes = Builder(Class::kRequest, Method::kBinding, TransactionId{})
                         .AddText(AttributeType::kUsername, "a:b")
                         .AddIntegrity(AsBytes("password"))
                         .AddFingerprint()
                         .Take();
  const auto message = MessageView::Parse(bytes);
  ASSERT_TRUE(message.has_value());
  EXPECT_TRUE(VerifyIntegrity(*message, AsBytes("password")));
  EXPECT_TRUE(VerifyFingerprint(*message));
}

TEST(BuilderTest, TransactionIdsDiffer) {
  test::FakeRandom random;
  EXPECT_NE(NewTransactionId(random), NewTransactionId(random));
}

}  // namespace
}  // namespace floe::ice::stun
