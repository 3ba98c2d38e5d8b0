// What a TURN client does with answers the server did not make.

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "ice/stun/hmac.h"
#include "ice/turn/channel_data.h"
#include "ice/turn/client.h"
#include "ice/turn/test_network.h"

namespace floe::ice::turn {
namespace {

using std::chrono::seconds;
using stun::AttributeType;
using stun::Builder;
using stun::Class;
using stun::ErrorCode;
using stun::Method;
using stun::TransactionId;
using test::FakeRandom;
using test::kPeer;
using test::MakeClientConfig;
using Verdict = Client::Verdict;

constexpr TimePoint kNow = TimePoint{} + std::chrono::hours(1);

/// A client alone with somebody who sees its requests: the worst forger there is.
class ForgeryTest : public testing::Test {
 protected:
  /// The id of the one request the client has just sent.
  TransactionId SentId() {
    const auto bytes = client.PollTransmit();
    EXPECT_TRUE(bytes.has_value());
    return stun::MessageView::Parse(*bytes)->transaction_id();
  }

  Verdict Give(Builder& builder) { return client.HandleDatagram(kNow, builder.Take()).verdict; }

  Verdict Give(Builder&& builder) { return Give(builder); }

  /// Challenges the client; returns the id of its authenticated Allocate.
  TransactionId Challenge() {
    Give(Builder(Class::kError, Method::kAllocate, SentId())
             .AddErrorCode(ErrorCode::kUnauthenticated)
             .AddText(AttributeType::kRealm, "floe")
             .AddText(AttributeType::kNonce, "nonce"));
    return SentId();
  }

  static Builder Success(Method method, const TransactionId& id) {
    Builder builder(Class::kSuccess, method, id);
    if (method == Method::kAllocate) {
      builder
          .AddAddress(AttributeType::kXorRelayedAddress, *ParseSocketAddress("198.51.100.1:50000"))
          .AddAddress(AttributeType::kXorMappedAddress, test::kAlice);
    }
    return std::move(builder.AddU32(AttributeType::kLifetime, 600));
  }

  void Allocate() {
    Give(Success(Method::kAllocate, Challenge()).AddIntegrity(key.bytes()));
    EXPECT_TRUE(client.ready());
    EXPECT_TRUE(client.PollEvent().has_value());
  }

  FakeRandom random;
  Client client{kNow, MakeClientConfig(), random};
  Secret<16> key = stun::LongTermKey("alice", "floe", "wonderland");
};

TEST_F(ForgeryTest, BelievesNoSuccessBeforeItHasProvedItself) {
  // Without a key nothing can be verified, and TURN without authentication is not spoken.
  EXPECT_EQ(Give(Success(Method::kAllocate, SentId())), Verdict::kConsumed);
  EXPECT_FALSE(client.ready());
}

TEST_F(ForgeryTest, BelievesNoSuccessWithoutIntegrity) {
  const TransactionId id = Challenge();
  EXPECT_EQ(Give(Success(Method::kAllocate, id)), Verdict::kConsumed);
  EXPECT_EQ(Give(Success(Method::kAllocate, id).AddIntegrity(AsBytes("guess"))),
            Verdict::kConsumed);
  EXPECT_EQ(client.state(), ClientState::kAllocating);

  Give(Success(Method::kAllocate, id).AddIntegrity(key.bytes()));
  EXPECT_TRUE(client.ready()) << "the forgeries have not used the request up";
}

TEST_F(ForgeryTest, BelievesNoErrorWithoutIntegrityOnceItHasProvedItself) {
  const TransactionId id = Challenge();
  for (const ErrorCode code :
       {ErrorCode::kBadRequest, ErrorCode::kForbidden, ErrorCode::kAllocationMismatch,
        ErrorCode::kAllocationQuotaReached, ErrorCode::kTryAlternate}) {
    EXPECT_EQ(Give(Builder(Class::kError, Method::kAllocate, id).AddErrorCode(code)),
              Verdict::kConsumed);
  }
  EXPECT_EQ(client.state(), ClientState::kAllocating);
}

TEST_F(ForgeryTest, BelievesNoAddressBehindTheIntegrity) {
  Give(Builder(Class::kSuccess, Method::kAllocate, Challenge())
           .AddU32(AttributeType::kLifetime, 600)
           .AddIntegrity(key.bytes())
           .AddAddress(AttributeType::kXorRelayedAddress, kPeer)
           .AddAddress(AttributeType::kXorMappedAddress, kPeer));
  EXPECT_EQ(client.state(), ClientState::kLost) << "the server's own words say too little";
}

TEST_F(ForgeryTest, LeavesUnknownTransactionsToOthers) {
  // Another agent on the same socket may have asked the same server for a Binding.
  const TransactionId other = {1, 2, 3};
  EXPECT_EQ(Give(Builder(Class::kSuccess, Method::kBinding, other)), Verdict::kNotMine);
  EXPECT_EQ(Give(Builder(Class::kError, Method::kAllocate, other)), Verdict::kNotMine);
  EXPECT_EQ(Give(Builder(Class::kRequest, Method::kBinding, other)), Verdict::kNotMine);
  EXPECT_EQ(Give(Builder(Class::kIndication, Method::kBinding, other)), Verdict::kNotMine);
  EXPECT_EQ(client.HandleDatagram(kNow, AsBytes("no STUN at all")).verdict, Verdict::kNotMine);
  EXPECT_EQ(client.HandleDatagram(kNow, {}).verdict, Verdict::kNotMine);
}

TEST_F(ForgeryTest, RefusesTheAnswerToAnotherMethod) {
  const TransactionId id = Challenge();
  Give(Success(Method::kRefresh, id).AddIntegrity(key.bytes()));
  EXPECT_EQ(client.state(), ClientState::kAllocating);
}

TEST_F(ForgeryTest, FailsARequestWhoseAnswerItCannotUnderstand) {
  Give(Success(Method::kAllocate, Challenge())
           .AddFlag(AttributeType{0x7FED})
           .AddIntegrity(key.bytes()));
  EXPECT_EQ(std::get<Lost>(*client.PollEvent()).code, 420);
}

TEST_F(ForgeryTest, FollowsNoChallengeWithoutANonce) {
  const TransactionId id = SentId();
  Give(Builder(Class::kError, Method::kAllocate, id).AddErrorCode(ErrorCode::kUnauthenticated));
  EXPECT_FALSE(client.PollTransmit().has_value());
  EXPECT_EQ(client.state(), ClientState::kAllocating) << "the real one may still come";
}

TEST_F(ForgeryTest, ReportsTheAlternateServer) {
  const SocketAddress alternate = *ParseSocketAddress("198.51.100.77:3478");
  Give(Builder(Class::kError, Method::kAllocate, SentId())
           .AddErrorCode(ErrorCode::kTryAlternate)
           .AddPlainAddress(AttributeType::kAlternateServer, alternate));
  const auto lost = std::get<Lost>(*client.PollEvent());
  EXPECT_EQ(lost.code, 300);
  EXPECT_EQ(lost.alternate, alternate);
}

TEST_F(ForgeryTest, RefusesAnAllocationOfNoTimeOrOtherFamily) {
  Give(Builder(Class::kSuccess, Method::kAllocate, Challenge())
           .AddAddress(AttributeType::kXorRelayedAddress, *ParseSocketAddress("[2001:db8::1]:9"))
           .AddAddress(AttributeType::kXorMappedAddress, test::kAlice)
           .AddU32(AttributeType::kLifetime, 600)
           .AddIntegrity(key.bytes()));
  EXPECT_EQ(client.state(), ClientState::kLost);
}

TEST_F(ForgeryTest, DropsDataOfPeersNobodyAskedFor) {
  Allocate();
  EXPECT_EQ(Give(Builder(Class::kIndication, Method::kData, {})
                     .AddAddress(AttributeType::kXorPeerAddress, kPeer)
                     .AddText(AttributeType::kData, "x")),
            Verdict::kConsumed);
  EXPECT_EQ(client.HandleDatagram(kNow, MakeChannelData(0x4000, AsBytes("x"))).verdict,
            Verdict::kConsumed);
  EXPECT_EQ(client.dropped(), 2U);
}

TEST_F(ForgeryTest, DropsIndicationsThatLackAPart) {
  Allocate();
  client.Permit(kNow, kPeer.ip);
  EXPECT_EQ(Give(Builder(Class::kIndication, Method::kData, {})
                     .AddAddress(AttributeType::kXorPeerAddress, kPeer)),
            Verdict::kConsumed)
      << "an ICMP report, for one";
  EXPECT_EQ(Give(Builder(Class::kIndication, Method::kData, {}).AddText(AttributeType::kData, "x")),
            Verdict::kConsumed);
  EXPECT_EQ(Give(Builder(Class::kIndication, Method::kData, {})
                     .AddAddress(AttributeType::kXorPeerAddress, kPeer)
                     .AddText(AttributeType::kData, "x")),
            Verdict::kData);
}

TEST_F(ForgeryTest, DropsShortChannelData) {
  Allocate();
  auto message = MakeChannelData(0x4000, AsBytes("hello"));
  message.pop_back();
  EXPECT_EQ(client.HandleDatagram(kNow, message).verdict, Verdict::kConsumed);
}

TEST_F(ForgeryTest, DropsDataBeforeItHasAnAllocation) {
  client.Permit(kNow, kPeer.ip);
  EXPECT_EQ(Give(Builder(Class::kIndication, Method::kData, {})
                     .AddAddress(AttributeType::kXorPeerAddress, kPeer)
                     .AddText(AttributeType::kData, "x")),
            Verdict::kConsumed);
}

TEST_F(ForgeryTest, TakesFourHundredOnABindForTheEndOfTheAllocation) {
  Allocate();
  client.BindChannel(kNow, kPeer);
  Give(Builder(Class::kError, Method::kChannelBind, SentId())
           .AddErrorCode(ErrorCode::kBadRequest)
           .AddIntegrity(key.bytes()));
  EXPECT_EQ(std::get<Lost>(*client.PollEvent()).code, 400);
}

TEST_F(ForgeryTest, WaitsAMinuteWhenTheServerHasNoCapacityForAPermission) {
  Allocate();
  client.Permit(kNow, kPeer.ip);
  Give(Builder(Class::kError, Method::kCreatePermission, SentId())
           .AddErrorCode(ErrorCode::kInsufficientCapacity)
           .AddIntegrity(key.bytes()));
  client.HandleTimeout(kNow + seconds(59));
  while (const auto bytes = client.PollTransmit()) {
    EXPECT_NE(stun::MessageView::Parse(*bytes)->method(), Method::kCreatePermission);
  }
  client.HandleTimeout(kNow + seconds(60));
  bool asked = false;
  while (const auto bytes = client.PollTransmit()) {
    asked = asked || stun::MessageView::Parse(*bytes)->method() == Method::kCreatePermission;
  }
  EXPECT_TRUE(asked);
}

}  // namespace
}  // namespace floe::ice::turn
