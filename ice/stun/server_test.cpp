#include "ice/stun/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "ice/stun/integrity.h"

namespace floe::ice::stun {
namespace {

using ::testing::ElementsAre;

constexpr TransactionId kId = {9, 8, 7};
const SocketAddress kClient = *ParseSocketAddress("203.0.113.9:4444");

Builder Request() {
  return {Class::kRequest, Method::kBinding, kId};
}

std::optional<std::vector<std::uint8_t>> Answer(Bytes request,
                                                const SocketAddress& source = kClient) {
  const auto message = MessageView::Parse(request);
  EXPECT_TRUE(message.has_value());
  return AnswerBinding(*message, source);
}

TEST(StunServerTest, TellsTheClientItsAddress) {
  const auto bytes = Answer(Request().Take());
  ASSERT_TRUE(bytes.has_value());
  const auto response = MessageView::Parse(*bytes);
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->message_class(), Class::kSuccess);
  EXPECT_EQ(response->transaction_id(), kId);
  EXPECT_EQ(FindMappedAddress(*response), kClient);
  EXPECT_EQ(bytes->size(), 32U) << "a header and one address, nothing else";
}

TEST(StunServerTest, ReportsAMappedIpv4AddressAsIpv4) {
  const auto bytes = Answer(Request().Take(), *ParseSocketAddress("[::ffff:203.0.113.9]:4444"));
  ASSERT_TRUE(bytes.has_value());
  EXPECT_EQ(FindMappedAddress(*MessageView::Parse(*bytes)), kClient);
}

TEST(StunServerTest, AnswersAFingerprintWithAFingerprint) {
  const auto bytes = Answer(Request().AddFingerprint().Take());
  ASSERT_TRUE(bytes.has_value());
  EXPECT_TRUE(VerifyFingerprint(*MessageView::Parse(*bytes)));
}

TEST(StunServerTest, DropsAWrongFingerprint) {
  EXPECT_FALSE(Answer(Request().AddU32(AttributeType::kFingerprint, 1).Take()).has_value());
}

TEST(StunServerTest, NamesUnknownRequiredAttributes) {
  const auto request = Request().AddU32(AttributeType::kChangeRequest, 2).Take();
  const auto bytes = Answer(request);
  ASSERT_TRUE(bytes.has_value());
  const auto response = MessageView::Parse(*bytes);
  EXPECT_EQ(FindError(*response)->code, ErrorCode::kUnknownAttribute);
  EXPECT_THAT(FindUnknownAttributes(*response), ElementsAre(AttributeType::kChangeRequest));
}

TEST(StunServerTest, IgnoresUnknownOptionalAttributes) {
  const auto bytes = Answer(Request().AddText(AttributeType::kSoftware, "x").Take());
  ASSERT_TRUE(bytes.has_value());
  EXPECT_EQ(MessageView::Parse(*bytes)->message_class(), Class::kSuccess);
}

TEST(StunServerTest, AnswersNothingButBindingRequests) {
  for (const Class message_class : {Class::kIndication, Class::kSuccess, Class::kError}) {
    EXPECT_FALSE(Answer(Builder(message_class, Method::kBinding, kId).Take()).has_value());
  }
  EXPECT_FALSE(Answer(Builder(Class::kRequest, Method::kAllocate, kId).Take()).has_value());
}

}  // namespace
}  // namespace floe::ice::stun
