#include "ice/turn/authenticator.h"

#include <chrono>
#include <gtest/gtest.h>

#include "ice/stun/attributes.h"
#include "ice/turn/credentials.h"
#include "tests/support/fake_random.h"

namespace floe::ice::turn {
namespace {

using floe::test::FakeRandom;
using std::chrono::hours;
using std::chrono::seconds;
using stun::AttributeType;
using stun::Builder;
using stun::Class;
using stun::ErrorCode;
using stun::Method;

const SocketAddress kClient = *ParseSocketAddress("203.0.113.1:1000");
constexpr TimePoint kNow = TimePoint{} + hours(10);

AuthConfig Config() {
  AuthConfig config;
  config.realm = "floe";
  config.shared_secret = SecretString("north");
  config.users.push_back({.name = "alice", .password = SecretString("wonderland")});
  config.epoch_offset = seconds(1'700'000'000);
  return config;
}

class AuthenticatorTest : public testing::Test {
 protected:
  /// A request sealed with these credentials and a nonce issued at `issued`.
  std::vector<std::uint8_t> Request(const std::string& username, std::string_view password,
                                    TimePoint issued = kNow,
                                    const SocketAddress& client = kClient) {
    Credentials credentials(username, SecretString(std::string(password)));
    Builder challenge(Class::kError, Method::kAllocate, {});
    authenticator.AddChallenge(challenge, issued, client);
    const auto bytes = challenge.Take();
    EXPECT_TRUE(credentials.Learn(*stun::MessageView::Parse(bytes)));
    Builder request(Class::kRequest, Method::kAllocate, {});
    credentials.Seal(request);
    return request.Take();
  }

  Result<Identity, ErrorCode> Check(Bytes request, TimePoint now = kNow,
                                    std::string_view known_username = {}) {
    return authenticator.Check(now, *stun::MessageView::Parse(request), kClient, known_username);
  }

  ErrorCode Refusal(Bytes request, TimePoint now = kNow, std::string_view known_username = {}) {
    const auto identity = Check(request, now, known_username);
    return identity ? ErrorCode{} : identity.error();
  }

  FakeRandom random;
  Authenticator authenticator{Config(), random};
};

TEST_F(AuthenticatorTest, KnowsItsUsers) {
  const auto identity = Check(Request("alice", "wonderland"));
  ASSERT_TRUE(identity.has_value());
  EXPECT_EQ(identity->username, "alice");
  EXPECT_EQ(identity->user, "alice");
  EXPECT_EQ(Refusal(Request("alice", "guess")), ErrorCode::kUnauthenticated);
  EXPECT_EQ(Refusal(Request("carol", "wonderland")), ErrorCode::kUnauthenticated);
}

TEST_F(AuthenticatorTest, MakesTheRestPasswordsOthersMake) {
  // printf %s 1700040000:n1 | openssl dgst -sha1 -hmac north -binary | base64
  EXPECT_EQ(RestPassword(SecretString("north"), "1700040000:n1").text(),
            "BvIoL+e6phIJruMW0946yw4rVOQ=");
  EXPECT_EQ(RestUsername(seconds(1'700'040'000), "n1"), "1700040000:n1");
}

TEST_F(AuthenticatorTest, AcceptsRestCredentialsUntilTheyExpire) {
  // `kNow` is 1700036000 since 1970.
  const std::string username = RestUsername(seconds(1'700'036'060), "node");
  const SecretString password = RestPassword(SecretString("north"), username);

  const auto identity = Check(Request(username, password.text()));
  ASSERT_TRUE(identity.has_value());
  EXPECT_EQ(identity->user, "node") << "quotas are for the name, whatever the expiry";

  const auto later = Request(username, password.text());
  EXPECT_TRUE(Check(later, kNow + seconds(59)).has_value());
  EXPECT_EQ(Refusal(later, kNow + seconds(60)), ErrorCode::kUnauthenticated);
  EXPECT_TRUE(Check(later, kNow + seconds(60), username).has_value()) << "it has an allocation";
}

TEST_F(AuthenticatorTest, RefusesRestCredentialsOfAnotherSecretOrForm) {
  const std::string username = RestUsername(seconds(1'800'000'000), "node");
  EXPECT_EQ(Refusal(Request(username, RestPassword(SecretString("south"), username).text())),
            ErrorCode::kUnauthenticated);
  for (const std::string odd :
       {"node", ":node", "-5:node", "18000000000000000000000:n", "1800000000x:n"}) {
    EXPECT_EQ(Refusal(Request(odd, RestPassword(SecretString("north"), odd).text())),
              ErrorCode::kUnauthenticated)
        << odd;
  }
}

TEST_F(AuthenticatorTest, ChallengesWhoBringsNothing) {
  EXPECT_EQ(Refusal(Builder(Class::kRequest, Method::kAllocate, {}).Take()),
            ErrorCode::kUnauthenticated);
}

TEST_F(AuthenticatorTest, RefusesHalfOfWhatItNeeds) {
  for (const AttributeType missing :
       {AttributeType::kUsername, AttributeType::kRealm, AttributeType::kNonce}) {
    Builder request(Class::kRequest, Method::kAllocate, {});
    for (const AttributeType type :
         {AttributeType::kUsername, AttributeType::kRealm, AttributeType::kNonce}) {
      if (type != missing) {
        request.AddText(type, "x");
      }
    }
    EXPECT_EQ(Refusal(request.AddIntegrity(AsBytes("x")).Take()), ErrorCode::kBadRequest);
  }
}

TEST_F(AuthenticatorTest, TiresOfANonce) {
  const auto request = Request("alice", "wonderland");
  EXPECT_TRUE(Check(request, kNow + hours(1)).has_value());
  EXPECT_EQ(Refusal(request, kNow + hours(1) + seconds(1)), ErrorCode::kStaleNonce);
}

TEST_F(AuthenticatorTest, TakesNoNonceOfAnotherAddressOrServer) {
  SocketAddress other = kClient;
  other.port += 1;
  EXPECT_EQ(Refusal(Request("alice", "wonderland", kNow, other)), ErrorCode::kStaleNonce);
  other = kClient;
  other.ip.bytes[3] ^= 1;
  EXPECT_EQ(Refusal(Request("alice", "wonderland", kNow, other)), ErrorCode::kStaleNonce);

  const auto before = Request("alice", "wonderland");
  authenticator = Authenticator(Config(), random);
  EXPECT_EQ(Refusal(before), ErrorCode::kStaleNonce);
}

TEST_F(AuthenticatorTest, TakesNoNonceItCannotHaveMade) {
  for (const std::string_view nonce : {"", "x", "AAAAAAAAAAAAAAAA", "!!!!!!!!!!!!!!!!"}) {
    const auto request = Builder(Class::kRequest, Method::kAllocate, {})
                             .AddText(AttributeType::kUsername, "alice")
                             .AddText(AttributeType::kRealm, "floe")
                             .AddText(AttributeType::kNonce, nonce)
                             .AddIntegrity(AsBytes("x"))
                             .Take();
    EXPECT_EQ(Refusal(request), ErrorCode::kStaleNonce) << nonce;
  }
}

TEST_F(AuthenticatorTest, AgreesOnSha256WhereItIsOffered) {
  AuthConfig config = Config();
  config.offer_sha256 = true;
  authenticator = Authenticator(std::move(config), random);

  const auto request = Request("alice", "wonderland");
  const auto identity = Check(request);
  ASSERT_TRUE(identity.has_value());
  EXPECT_EQ(identity->key.algorithm(), PasswordAlgorithm::kSha256);
  EXPECT_EQ(Refusal(Request("alice", "guess")), ErrorCode::kUnauthenticated);
}

TEST_F(AuthenticatorTest, RefusesSha256WhereItIsNotOffered) {
  const auto request = Builder(Class::kRequest, Method::kAllocate, {})
                           .AddText(AttributeType::kUsername, "alice")
                           .AddText(AttributeType::kRealm, "floe")
                           .AddText(AttributeType::kNonce, "nonce")
                           .AddIntegritySha256(AsBytes("x"))
                           .Take();
  EXPECT_EQ(Refusal(request), ErrorCode::kBadRequest);
}

TEST_F(AuthenticatorTest, KeepsAChallengeShort) {
  // What anybody can have sent to an address that is not his.
  Builder challenge(Class::kError, Method::kAllocate, {});
  challenge.AddErrorCode(ErrorCode::kUnauthenticated);
  authenticator.AddChallenge(challenge, kNow, kClient);
  EXPECT_LE(challenge.Take().size(), 60U);
}

}  // namespace
}  // namespace floe::ice::turn
