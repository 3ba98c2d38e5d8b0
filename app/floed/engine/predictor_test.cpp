#include "app/floed/engine/predictor.h"

#include <functional>
#include <gtest/gtest.h>
#include <string_view>
#include <vector>

#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "tests/support/fake_random.h"

namespace floe::engine {
namespace {

using std::chrono::seconds;

SocketAddress Address(std::string_view text) {
  return *ParseSocketAddress(text);
}

const SocketAddress kBase = Address("192.0.2.10:41820");
const SocketAddress kOutside = Address("203.0.113.1:5000");
const SocketAddress kPeer = Address("203.0.113.9:6000");
const std::vector<SocketAddress> kSockets = {Address("192.0.2.10:50001"),
                                             Address("192.0.2.10:50002")};

class PredictorTest : public ::testing::Test {
 protected:
  PredictorTest() {
    static_cast<void>(agent_.SetRemoteCredentials(now_, ice::MakeCredentials(random_)));
    predictor_.Update(now_, view_);
  }

  /// Two servers see us, at another port each if the NAT is hard.
  void LearnNat(bool hard) {
    gatherer_.SetLocalAddresses(now_, {kBase});
    gatherer_.SetServers(now_, {Address("198.51.100.1:3478"), Address("198.51.100.2:3478")}, {});
    while (const auto transmit = gatherer_.PollTransmit()) {
      SocketAddress seen = kOutside;
      seen.port = static_cast<std::uint16_t>(seen.port + (hard ? transmit->remote.ip.bytes[3] : 0));
      const auto question = ice::stun::MessageView::Parse(transmit->payload);
      ice::stun::Builder builder(ice::stun::Class::kSuccess, ice::stun::Method::kBinding,
                                 question->transaction_id());
      builder.AddAddress(ice::stun::AttributeType::kXorMappedAddress, seen);
      gatherer_.HandleDatagram(now_, kBase, transmit->remote, builder.Take());
    }
  }

  void Run(Duration time) {
    const TimePoint end = now_ + time;
    while (predictor_.NextTimeout() && *predictor_.NextTimeout() <= end) {
      now_ = std::max(now_, *predictor_.NextTimeout());
      predictor_.HandleTimeout(now_, view_);
      while (predictor_.PollTransmit()) {
        ++sent_;
      }
    }
    now_ = end;
  }

  void OpenPorts() {
    LearnNat(/*hard=*/true);
    predictor_.HandleMessage(now_, view_, kReadyOption, {kPeer});
    ASSERT_TRUE(predictor_.PollSocketWish());
    predictor_.SetSockets(now_, view_, kSockets);
  }

  /// A check of the peer, sealed with this password.
  std::vector<std::uint8_t> MakeCheck(std::string_view password) {
    ice::stun::Builder builder(ice::stun::Class::kRequest, ice::stun::Method::kBinding,
                               ice::stun::NewTransactionId(random_));
    builder.AddText(ice::stun::AttributeType::kUsername, agent_.local_credentials().ufrag + ":peer")
        .AddIntegrity(AsBytes(password))
        .AddFingerprint();
    return builder.Take();
  }

  Predictor::Verdict Receive(const std::vector<std::uint8_t>& check) {
    return predictor_.HandleStun(view_, kSockets[1], kPeer, *ice::stun::MessageView::Parse(check));
  }

  TimePoint now_ = TimePoint{} + seconds(1000);
  test::FakeRandom random_;
  ice::Gatherer gatherer_{random_};
  ice::Agent agent_{now_, {.local = ice::MakeCredentials(random_)}, random_};
  Predictor::View view_{.agent = &agent_, .agreed = true, .relayed = true};
  Predictor predictor_{gatherer_, random_};
  std::size_t sent_ = 0;
};

TEST_F(PredictorTest, BehindAnEasyNatThePeerIsToldAfterFiveSeconds) {
  LearnNat(/*hard=*/false);

  Run(Predictor::kRelayedFor - std::chrono::milliseconds(1));
  EXPECT_FALSE(predictor_.PollMessage());
  Run(std::chrono::milliseconds(1));

  const auto said = predictor_.PollMessage();
  ASSERT_TRUE(said);
  EXPECT_EQ(said->option, kReadyOption);
  EXPECT_EQ(said->addresses, std::vector{kOutside});
}

TEST_F(PredictorTest, OnlyWhoIsReadySearches) {
  LearnNat(/*hard=*/false);

  predictor_.HandleMessage(now_, view_, kOpenOption, {kPeer});
  EXPECT_EQ(predictor_.counters().attempts, 0U);
  Run(Predictor::kRelayedFor);
  predictor_.HandleMessage(now_, view_, kOpenOption, {kPeer});
  Run(seconds(15));

  EXPECT_EQ(sent_, ice::PortPrediction::kMaxPorts);
}

TEST_F(PredictorTest, AnEasyNatOpensNothing) {
  LearnNat(/*hard=*/false);

  predictor_.HandleMessage(now_, view_, kReadyOption, {kPeer});

  EXPECT_FALSE(predictor_.PollSocketWish());
}

TEST_F(PredictorTest, OpensTwiceAnHourHoweverOftenThePeerIsReady) {
  for (int i = 0; i < 60; ++i) {
    LearnNat(/*hard=*/true);
    predictor_.HandleMessage(now_, view_, kReadyOption, {kPeer});
    Run(seconds(50));
  }

  EXPECT_EQ(predictor_.counters().attempts, Predictor::kMaxAttempts);
}

TEST_F(PredictorTest, WhatIsSeenOfThePortsIsToldOnceAllAreOpen) {
  ASSERT_NO_FATAL_FAILURE(OpenPorts());

  Run(seconds(1));

  const auto said = predictor_.PollMessage();
  ASSERT_TRUE(said);
  EXPECT_EQ(said->option, kOpenOption);
  EXPECT_EQ(said->addresses.front().ip, kOutside.ip) << "no server has answered";
  EXPECT_EQ(sent_, kSockets.size() + 2);
}

TEST_F(PredictorTest, AnAuthenticCheckMakesItsSocketOursAndClosesTheOthers) {
  ASSERT_NO_FATAL_FAILURE(OpenPorts());

  EXPECT_EQ(Receive(MakeCheck("a password of somebody else")), Predictor::Verdict::kConsumed);
  EXPECT_FALSE(predictor_.PollSocketWish());
  EXPECT_EQ(Receive(MakeCheck(agent_.local_credentials().password)), Predictor::Verdict::kAdopt);

  const auto wish = predictor_.PollSocketWish();
  ASSERT_TRUE(wish);
  EXPECT_EQ(std::get<SocketsDone>(*wish).sockets, std::vector{kSockets[0]});
  EXPECT_FALSE(predictor_.has_sockets());
  EXPECT_EQ(Receive(MakeCheck(agent_.local_credentials().password)), Predictor::Verdict::kNotMine)
      << "from here on it is the agent's";

  view_.agent = nullptr;
  predictor_.Update(now_, view_);
  EXPECT_EQ(std::get<SocketsDone>(predictor_.PollSocketWish().value()).sockets,
            std::vector{kSockets[1]});
}

TEST_F(PredictorTest, ADirectPathEndsTheAttempt) {
  ASSERT_NO_FATAL_FAILURE(OpenPorts());

  view_.relayed = false;
  predictor_.Update(now_, view_);

  EXPECT_EQ(std::get<SocketsDone>(predictor_.PollSocketWish().value()).sockets, kSockets);
  EXPECT_FALSE(predictor_.NextTimeout());
}

TEST_F(PredictorTest, SocketsThatComeTooLateAreClosed) {
  LearnNat(/*hard=*/true);
  predictor_.HandleMessage(now_, view_, kReadyOption, {kPeer});
  ASSERT_TRUE(predictor_.PollSocketWish());
  Run(seconds(10));

  predictor_.SetSockets(now_, view_, kSockets);

  EXPECT_EQ(std::get<SocketsDone>(predictor_.PollSocketWish().value()).sockets, kSockets);
}

}  // namespace
}  // namespace floe::engine
