#include "ice/turn/credentials.h"

#include <gtest/gtest.h>

#include "ice/stun/builder.h"
#include "ice/stun/hmac.h"

namespace floe::ice::turn {
namespace {

using stun::AttributeType;
using stun::Builder;
using stun::Class;
using stun::Method;
using Message = std::vector<std::uint8_t>;

Builder Challenge(std::string_view nonce) {
  Builder builder(Class::kError, Method::kAllocate, {});
  builder.AddErrorCode(stun::ErrorCode::kUnauthenticated)
      .AddText(AttributeType::kRealm, "realm")
      .AddText(AttributeType::kNonce, nonce);
  return builder;
}

bool Learn(Credentials& credentials, Builder& challenge) {
  const Message bytes = challenge.Take();
  return credentials.Learn(*stun::MessageView::Parse(bytes));
}

bool Learn(Credentials& credentials, Builder&& challenge) {
  return Learn(credentials, challenge);
}

Message Sealed(const Credentials& credentials) {
  Builder builder(Class::kRequest, Method::kRefresh, {});
  credentials.Seal(builder);
  return builder.Take();
}

Credentials Alice() {
  return {"alice", SecretString("wonderland")};
}

TEST(CredentialsTest, SealsWithMd5UnlessMoreIsOffered) {
  Credentials credentials = Alice();
  ASSERT_FALSE(credentials.ready());
  ASSERT_TRUE(Learn(credentials, Challenge("nonce")));
  ASSERT_TRUE(credentials.ready());

  const Message bytes = Sealed(credentials);
  const auto message = stun::MessageView::Parse(bytes);
  EXPECT_EQ(AsText(*message->Find(AttributeType::kUsername)), "alice");
  EXPECT_EQ(AsText(*message->Find(AttributeType::kRealm)), "realm");
  EXPECT_EQ(AsText(*message->Find(AttributeType::kNonce)), "nonce");
  EXPECT_TRUE(message->Find(AttributeType::kMessageIntegrity).has_value());
  EXPECT_FALSE(message->Find(AttributeType::kMessageIntegritySha256).has_value());
  EXPECT_TRUE(credentials.Verify(*message));
}

TEST(CredentialsTest, HidesTheNameWhereTheServerCan) {
  // The nonce of RFC 8489 appendix B.1, and the same bit counted from the other side.
  for (const std::string_view nonce :
       {"obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA", "obMatJos2QAAAx"}) {
    Credentials credentials = Alice();
    ASSERT_TRUE(Learn(credentials, Challenge(nonce)));
    const Message bytes = Sealed(credentials);
    const auto message = stun::MessageView::Parse(bytes);
    EXPECT_FALSE(message->Find(AttributeType::kUsername).has_value());
    const auto hash = message->Find(AttributeType::kUserhash);
    ASSERT_TRUE(hash.has_value());
    const auto wanted = stun::UserHash("alice", "realm");
    EXPECT_EQ(AsText(*hash), AsText(wanted));
    EXPECT_TRUE(credentials.Verify(*message));
  }
}

TEST(CredentialsTest, SealsWithSha256WhereItIsOffered) {
  Credentials credentials = Alice();
  ASSERT_TRUE(
      Learn(credentials, Challenge("obMatJos2gAAAnonce")
                             .AddU64(AttributeType::kPasswordAlgorithms, 0x0001'0000'0002'0000)));

  const Message bytes = Sealed(credentials);
  const auto message = stun::MessageView::Parse(bytes);
  EXPECT_FALSE(message->Find(AttributeType::kMessageIntegrity).has_value());
  EXPECT_TRUE(message->Find(AttributeType::kMessageIntegritySha256).has_value());
  EXPECT_EQ(message->Find(AttributeType::kPasswordAlgorithms)->size(), 8U) << "the list, sent back";
  EXPECT_TRUE(credentials.Verify(*message));
}

TEST(CredentialsTest, RefusesAChallengeThatLostItsAlgorithms) {
  for (const char* nonce : {"obMatJos2gAAAnonce", "obMatJos2AAABnonce"}) {
    Credentials credentials = Alice();
    EXPECT_FALSE(Learn(credentials, Challenge(nonce))) << nonce;
    EXPECT_FALSE(credentials.ready());
  }
}

TEST(CredentialsTest, TakesACookieThatAnnouncesNothing) {
  Credentials credentials = Alice();
  EXPECT_TRUE(Learn(credentials, Challenge("obMatJos2AAAAnonce")));
}

TEST(CredentialsTest, RefusesAChallengeWithoutRealmOrNonce) {
  Credentials credentials = Alice();
  EXPECT_FALSE(
      Learn(credentials,
            Builder(Class::kError, Method::kAllocate, {}).AddText(AttributeType::kRealm, "realm")));
  EXPECT_FALSE(
      Learn(credentials,
            Builder(Class::kError, Method::kAllocate, {}).AddText(AttributeType::kNonce, "nonce")));
  EXPECT_FALSE(Learn(credentials, Challenge(std::string(764, 'x'))));
  EXPECT_FALSE(credentials.ready());
}

TEST(CredentialsTest, KeepsTheRealmWhenAStaleNonceNamesNone) {
  Credentials credentials = Alice();
  ASSERT_TRUE(Learn(credentials, Challenge("old")));
  ASSERT_TRUE(
      Learn(credentials,
            Builder(Class::kError, Method::kRefresh, {}).AddText(AttributeType::kNonce, "fresh")));
  const Message bytes = Sealed(credentials);
  const auto message = stun::MessageView::Parse(bytes);
  EXPECT_EQ(AsText(*message->Find(AttributeType::kRealm)), "realm");
  EXPECT_EQ(AsText(*message->Find(AttributeType::kNonce)), "fresh");
}

TEST(CredentialsTest, BelievesNobodyElse) {
  Credentials alice = Alice();
  Credentials mallory("alice", SecretString("guess"));
  ASSERT_TRUE(Learn(alice, Challenge("nonce")));
  ASSERT_TRUE(Learn(mallory, Challenge("nonce")));
  EXPECT_FALSE(alice.Verify(*stun::MessageView::Parse(Sealed(mallory))));
}

TEST(IntegrityKeyTest, FindsSha256InAnyPlaceOfTheList) {
  using List = std::vector<std::uint8_t>;
  EXPECT_TRUE(ListsSha256(List{0, 2, 0, 0}));
  EXPECT_TRUE(ListsSha256(List{0, 1, 0, 0, 0, 2, 0, 0}));
  EXPECT_TRUE(ListsSha256(List{0, 9, 0, 3, 1, 2, 3, 0, 0, 2, 0, 0})) << "parameters are padded";
  EXPECT_FALSE(ListsSha256(List{0, 1, 0, 0}));
  EXPECT_FALSE(ListsSha256(List{0, 9, 0xFF, 0xFF, 0, 2, 0, 0})) << "those are parameters";
  EXPECT_FALSE(ListsSha256(List{0, 2, 0}));
  EXPECT_FALSE(ListsSha256({}));
}

}  // namespace
}  // namespace floe::ice::turn
