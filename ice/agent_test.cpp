#include "ice/agent.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <optional>
#include <vector>

#include "ice/stun/builder.h"
#include "ice/test_pairing.h"

namespace floe::ice {
namespace {

TEST(AgentTest, ConnectsTwoHostsInOneRoundTripAndAHalf) {
  Pairing pairing;
  pairing.Add(pairing.a(), Host("192.0.1.1:1000"));
  pairing.Add(pairing.b(), Host("192.0.2.1:1000"));
  pairing.ExchangeCredentials();
  const TimePoint start = pairing.now();

  ASSERT_TRUE(pairing.RunUntil([&] { return BothConnected(pairing); }));

  EXPECT_LE(pairing.now() - start, milliseconds(40));
  EXPECT_EQ(pairing.a().path()->remote, Address("192.0.2.1:1000"));
  EXPECT_EQ(pairing.a().path()->tier(), PathTier::kLan);
  EXPECT_EQ(pairing.a().state(), State::kConnected);
}

TEST(AgentTest, AnswersChecksBeforeItKnowsThePeersCredentials) {
  Pairing pairing;
  pairing.a().AddLocalCandidate(pairing.now(), Host("192.0.1.1:1000"));
  pairing.b().AddLocalCandidate(pairing.now(), Host("192.0.2.1:1000"));
  ASSERT_TRUE(pairing.a().AddRemoteCandidate(pairing.now(), Host("192.0.2.1:1000")));
  ASSERT_TRUE(pairing.a().SetRemoteCredentials(pairing.now(), pairing.b().local_credentials()));

  ASSERT_TRUE(pairing.RunUntil([&] { return pairing.a().path().has_value(); }, seconds(1)));
  EXPECT_FALSE(pairing.b().path().has_value());

  ASSERT_TRUE(pairing.b().SetRemoteCredentials(pairing.now(), pairing.a().local_credentials()));
  EXPECT_TRUE(pairing.RunUntil([&] { return BothConnected(pairing); }, seconds(1)));
}

TEST(AgentTest, AnAnswerThatTakesThreeSecondsCounts) {
  Pairing pairing;
  pairing.delay = milliseconds(1500);
  pairing.Add(pairing.a(), Host("192.0.1.1:1000"));
  pairing.Add(pairing.b(), Host("192.0.2.1:1000"));
  pairing.ExchangeCredentials();

  EXPECT_TRUE(pairing.RunUntil([&] { return BothConnected(pairing); }, seconds(4)));
}

TEST(AgentTest, MakesCredentialsThatCannotBeGuessed) {
  test::FakeRandom random;
  const Credentials first = MakeCredentials(random);
  const Credentials second = MakeCredentials(random);

  // RFC 8445 section 5.3: 24 and 128 bits at least, of which a character holds 6.
  EXPECT_EQ(first.ufrag.size(), 8U);
  EXPECT_EQ(first.password.size(), 32U);
  EXPECT_NE(first.ufrag, second.ufrag);
  EXPECT_NE(first.password, second.password);
}

TEST(AgentTest, TransactionIdsCannotBeGuessed) {
  Pairing pairing;
  std::vector<std::vector<std::uint8_t>> ids;
  pairing.on_send = [&](const Transmit& transmit) {
    const auto message = stun::MessageView::Parse(transmit.payload);
    if (message->message_class() == stun::Class::kRequest && transmit.local.ip.bytes[2] == 1) {
      const auto id = message->transaction_id();
      ids.emplace_back(id.begin() + 4, id.end());  // Behind the tag of the agent.
    }
  };
  pairing.drop = [](const auto&, const auto&) { return true; };
  pairing.Add(pairing.a(), Host("192.0.1.1:1000"));
  pairing.Add(pairing.b(), Host("192.0.2.1:1000"));
  pairing.ExchangeCredentials();
  pairing.Run(seconds(1));

  ASSERT_GE(ids.size(), 3U);
  for (std::size_t i = 1; i < ids.size(); ++i) {
    std::size_t same = 0;
    for (std::size_t k = 0; k < ids[i].size(); ++k) {
      same += ids[i][k] == ids[i - 1][k] ? 1U : 0U;
    }
    EXPECT_LT(same, ids[i].size() / 2) << "one id tells the next";
  }
}

TEST(AgentTest, LearnsFromChecksThatComeThroughARelay) {
  Pairing pairing;
  pairing.Add(pairing.a(), Relay("192.0.1.9:5000"));
  pairing.b().AddLocalCandidate(pairing.now(), Host("192.0.2.1:1000"));  // A is not told of it.
  pairing.ExchangeCredentials();

  ASSERT_TRUE(pairing.RunUntil([&] { return BothConnected(pairing); }, seconds(1)));

  EXPECT_EQ(pairing.a().path()->remote, Address("192.0.2.1:1000"));
  EXPECT_EQ(pairing.a().path()->remote_type, CandidateType::kPeerReflexive);
}

TEST(AgentTest, LearnsPeerReflexiveCandidatesAndReplacesThemWhenSignalled) {
  Pairing pairing;
  const SocketAddress outside = Address("192.0.1.99:5555");
  pairing.translate = [&](const SocketAddress& from) {
    return from == Address("192.0.1.1:1000") ? outside : from;
  };
  pairing.a().AddLocalCandidate(pairing.now(), Host("192.0.1.1:1000"));
  pairing.Add(pairing.b(), Host("192.0.2.1:1000"));
  pairing.ExchangeCredentials();
  pairing.is_as = [](const SocketAddress& base) { return base.ip.bytes[2] == 1; };
  // What B sends to the outside address arrives at A's base.
  ASSERT_TRUE(pairing.RunUntil([&] { return !pairing.b().pairs().empty(); }, seconds(1)));
  EXPECT_EQ(pairing.b().pairs().front().remote->type, CandidateType::kPeerReflexive);

  Candidate signalled = Host("192.0.1.99:5555");
  signalled.type = CandidateType::kServerReflexive;
  const PairState before = pairing.b().pairs().front().state;
  ASSERT_TRUE(pairing.b().AddRemoteCandidate(pairing.now(), signalled));
  EXPECT_EQ(pairing.b().pairs().front().remote->type, CandidateType::kServerReflexive);
  EXPECT_EQ(pairing.b().pairs().front().state, before);
}

TEST(AgentTest, NeverConnectsWithAWrongPassword) {
  Pairing pairing;
  pairing.Add(pairing.a(), Host("192.0.1.1:1000"));
  pairing.Add(pairing.b(), Host("192.0.2.1:1000"));
  Credentials wrong = pairing.b().local_credentials();
  wrong.password[0] = wrong.password[0] == 'x' ? 'y' : 'x';
  ASSERT_TRUE(pairing.a().SetRemoteCredentials(pairing.now(), wrong));
  ASSERT_TRUE(pairing.b().SetRemoteCredentials(pairing.now(), pairing.a().local_credentials()));

  pairing.Run(seconds(60));

  EXPECT_EQ(pairing.a().state(), State::kFailed);
  EXPECT_GT(pairing.b().counters().unauthenticated, 0U);
}

class RoleConflictTest : public ::testing::TestWithParam<Role> {};

TEST_P(RoleConflictTest, EndsWithOneOfEach) {
  Pairing pairing({.role = GetParam()}, {.role = GetParam()});
  pairing.Add(pairing.a(), Host("192.0.1.1:1000"));
  pairing.Add(pairing.b(), Host("192.0.2.1:1000"));
  pairing.ExchangeCredentials();

  ASSERT_TRUE(pairing.RunUntil([&] { return BothConnected(pairing); }, seconds(5)));
  pairing.Run(seconds(1));
  EXPECT_NE(pairing.a().role(), pairing.b().role());
}

INSTANTIATE_TEST_SUITE_P(Both, RoleConflictTest,
                         ::testing::Values(Role::kControlling, Role::kControlled));

TEST(AgentTest, PrefersTheDirectPathAndBothAgree) {
  Pairing pairing;
  AddDirectAndRelay(pairing);

  pairing.Run(seconds(2));

  ASSERT_TRUE(BothConnected(pairing));
  EXPECT_EQ(pairing.a().path()->local, Address("192.0.1.1:1000"));
  EXPECT_EQ(pairing.b().path()->remote, Address("192.0.1.1:1000"));
}

TEST(AgentTest, FallsBackToTheRelayWithinFourSecondsAndReturnsWithinTwentyFive) {
  Pairing pairing;
  AddDirectAndRelay(pairing);
  pairing.Run(seconds(30));
  ASSERT_EQ(pairing.a().path()->local, Address("192.0.1.1:1000"));

  const auto is_direct = [](const SocketAddress& address) {
    return address == Address("192.0.1.1:1000");
  };
  pairing.drop = [&](const auto& from, const auto& to) { return is_direct(from) || is_direct(to); };
  const auto on_relay = [&] {
    pairing.a().NoteDataSent(pairing.now());
    pairing.b().NoteDataSent(pairing.now());
    return BothConnected(pairing) && !IsDirect(pairing.a().path()->tier()) &&
           !IsDirect(pairing.b().path()->tier());
  };
  const TimePoint blocked = pairing.now();
  ASSERT_TRUE(pairing.RunUntil(on_relay, seconds(30)));
  EXPECT_LE(pairing.now() - blocked, seconds(9));  // 4 s but for a probe that was not due at once.

  pairing.Run(seconds(60));
  ASSERT_TRUE(on_relay()) << "it must stay there while the direct path is blocked";
  pairing.drop = [](const auto&, const auto&) { return false; };
  EXPECT_TRUE(pairing.RunUntil(
      [&] {
        return BothConnected(pairing) && IsDirect(pairing.a().path()->tier()) &&
               IsDirect(pairing.b().path()->tier());
      },
      seconds(25)));
}

TEST(AgentTest, SeveralPathsThatDieTogetherCostNoMoreTimeThanOne) {
  Pairing pairing;
  for (const char* address : {"192.0.1.1:1000", "192.0.1.2:1000"}) {
    pairing.Add(pairing.a(), Host(address));
  }
  AddDirectAndRelay(pairing);  // The first of them is known.
  const auto on_relay = [&] {
    pairing.a().NoteDataSent(pairing.now());
    return pairing.a().path() && !IsDirect(pairing.a().path()->tier());
  };
  ASSERT_FALSE(pairing.RunUntil(on_relay, seconds(20)));
  const auto valid = std::ranges::count_if(pairing.a().pairs(), &Pair::valid);
  ASSERT_EQ(valid, 3);

  const SocketAddress relay = Address("192.0.1.200:3478");
  pairing.drop = [&](const auto& from, const auto& to) { return from != relay && to != relay; };
  const SocketAddress in_use = pairing.a().path()->local;
  std::optional<TimePoint> first_lost;
  pairing.on_send = [&](const Transmit& transmit) {
    if (transmit.local == in_use) {
      first_lost = first_lost.value_or(pairing.now());
    }
  };

  ASSERT_TRUE(pairing.RunUntil(on_relay, seconds(30)));
  EXPECT_LE(pairing.now() - *first_lost, seconds(2));
}

TEST(AgentTest, WhoHasLostItsPathDoesNotWaitBehindAThousandThatBegin) {
  Pacer pacer;
  Pairing pairing({.role = Role::kControlling, .pacer = &pacer});
  pairing.Add(pairing.a(), Host("192.0.1.1:1000"));
  pairing.Add(pairing.b(), Host("192.0.2.1:1000"));
  pairing.ExchangeCredentials();
  ASSERT_TRUE(pairing.RunUntil([&] { return BothConnected(pairing); }));
  for (int i = 0; i < 1000; ++i) {
    static_cast<void>(pacer.Reserve(pairing.now()));
  }

  pairing.a().RemoveLocalBase(pairing.now(), Address("192.0.1.1:1000"));
  pairing.Add(pairing.a(), Host("192.0.1.2:1000"));

  EXPECT_TRUE(pairing.RunUntil([&] { return pairing.a().path().has_value(); }, milliseconds(100)));
}

TEST(AgentTest, LosesConsentAfterThirtySecondsAndFailsAfterItsPatience) {
  Pairing pairing;
  pairing.Add(pairing.a(), Host("192.0.1.1:1000"));
  pairing.Add(pairing.b(), Host("192.0.2.1:1000"));
  pairing.ExchangeCredentials();
  ASSERT_TRUE(pairing.RunUntil([&] { return BothConnected(pairing); }));

  pairing.drop = [](const auto&, const auto&) { return true; };
  const TimePoint cut = pairing.now();
  ASSERT_TRUE(pairing.RunUntil([&] { return !pairing.a().path().has_value(); }));
  EXPECT_LE(pairing.now() - cut, seconds(32));
  EXPECT_EQ(pairing.a().state(), State::kDisconnected);

  pairing.Run(seconds(45));
  EXPECT_EQ(pairing.a().state(), State::kFailed);
  EXPECT_EQ(pairing.a().NextTimeout(), std::nullopt);
}

TEST(AgentTest, ComesBackOnTheSamePathWithinItsPatience) {
  Pairing pairing;
  pairing.Add(pairing.a(), Host("192.0.1.1:1000"));
  pairing.Add(pairing.b(), Host("192.0.2.1:1000"));
  pairing.ExchangeCredentials();
  ASSERT_TRUE(pairing.RunUntil([&] { return BothConnected(pairing); }));
  pairing.drop = [](const auto&, const auto&) { return true; };
  pairing.Run(seconds(40));

  pairing.drop = [](const auto&, const auto&) { return false; };

  EXPECT_TRUE(pairing.RunUntil([&] { return BothConnected(pairing); }, seconds(25)));
  EXPECT_EQ(pairing.a().state(), State::kConnected);
}

TEST(AgentTest, WithoutRenominationOnePairIsNominatedAndThatIsAll) {
  AgentConfig strict{.role = Role::kControlling, .pace = Pace::kStandard, .renomination = false};
  AgentConfig other{.pace = Pace::kStandard, .renomination = false};
  Pairing pairing(strict, other);
  AddDirectAndRelay(pairing);

  pairing.Run(seconds(10));

  ASSERT_TRUE(BothConnected(pairing));
  EXPECT_EQ(pairing.a().path()->tier(), PathTier::kLan);
  EXPECT_EQ(pairing.b().path()->tier(), PathTier::kLan);
}

TEST(AgentTest, SleepsUntilItsNominationIsAnswered) {
  Pairing pairing({.role = Role::kControlling, .pace = Pace::kStandard, .renomination = false},
                  {.pace = Pace::kStandard, .renomination = false});
  pairing.drop = [](const auto& from, const auto& to) {  // What would be better never answers.
    return from == Address("192.0.1.1:1000") || to == Address("192.0.1.1:1000");
  };
  AddDirectAndRelay(pairing);

  // It fails by itself if an agent wants to be woken again and again at the same time.
  ASSERT_TRUE(pairing.RunUntil([&] { return pairing.a().nominated() != nullptr; }, seconds(5)));

  EXPECT_EQ(pairing.a().nominated()->tier(), PathTier::kOneRelay);
}

TEST(AgentTest, SurvivesLossOfEveryThirdDatagram) {
  Pairing pairing;
  int count = 0;
  pairing.drop = [&](const auto&, const auto&) { return ++count % 3 == 0; };
  AddDirectAndRelay(pairing);

  ASSERT_TRUE(pairing.RunUntil([&] { return BothConnected(pairing); }, seconds(3)));
  pairing.Run(seconds(120));
  EXPECT_TRUE(BothConnected(pairing));
  EXPECT_EQ(pairing.a().path()->remote, Address("192.0.2.1:1000"));
}

TEST(AgentTest, ARemovedAddressMovesTheDataAtOnce) {
  Pairing pairing;
  AddDirectAndRelay(pairing);
  pairing.Run(seconds(2));

  pairing.a().RemoveLocalBase(pairing.now(), Address("192.0.1.1:1000"));

  ASSERT_TRUE(pairing.a().path().has_value());
  EXPECT_EQ(pairing.a().path()->local, Address("192.0.1.200:3478"));
}

TEST(AgentTest, IsQuietWhenIdle) {
  Pairing pairing;
  AddDirectAndRelay(pairing);
  pairing.Run(seconds(30));
  pairing.sent = 0;

  pairing.Run(seconds(60));

  // Two ends, each a consent check in 5 s and one of the spare path in 12, and the answers.
  EXPECT_LE(pairing.sent, 2U * 2U * (60 / 4 + 60 / 12 + 2));
}

TEST(AgentTest, RefusesCandidatesAndCredentialsItMustNotUse) {
  Pairing pairing;
  EXPECT_FALSE(pairing.a().AddRemoteCandidate(pairing.now(), Host("127.0.0.1:80")));
  EXPECT_FALSE(pairing.a().SetRemoteCredentials(pairing.now(), {.ufrag = "abc", .password = ""}));
  EXPECT_FALSE(pairing.a().SetRemoteCredentials(
      pairing.now(), {.ufrag = "abcd", .password = "with space, and long enough"}));
  for (int i = 0; i < 32; ++i) {
    EXPECT_TRUE(pairing.a().AddRemoteCandidate(pairing.now(),
                                               Host("192.0.2.1:" + std::to_string(1000 + i))));
  }
  EXPECT_FALSE(pairing.a().AddRemoteCandidate(pairing.now(), Host("192.0.2.2:1")));
}

TEST(AgentTest, ForgedRequestsAreNeitherAnsweredNorBelieved) {
  Pairing pairing;
  pairing.Add(pairing.a(), Host("192.0.1.1:1000"));
  floe::test::FakeRandom random(7);
  stun::Builder builder(stun::Class::kRequest, stun::Method::kBinding,
                        stun::NewTransactionId(random));
  builder.AddText(stun::AttributeType::kUsername, pairing.a().local_credentials().ufrag + ":x")
      .AddU32(stun::AttributeType::kPriority, 1)
      .AddU64(stun::AttributeType::kIceControlled, 1)
      .AddIntegrity(AsBytes("not the password of anybody"))
      .AddFingerprint();
  const auto bytes = builder.Take();

  EXPECT_TRUE(pairing.a().HandleMessage(pairing.now(), Address("192.0.1.1:1000"),
                                        Address("192.0.2.66:6666"),
                                        *stun::MessageView::Parse(bytes)));

  EXPECT_FALSE(pairing.a().PollTransmit().has_value());
  EXPECT_TRUE(pairing.a().pairs().empty());
  EXPECT_EQ(pairing.a().counters().unauthenticated, 1U);
}

TEST(AgentTest, HasItsWholePatienceFromWhenThePeerIsKnown) {
  Pairing pairing;
  pairing.a().AddLocalCandidate(pairing.now(), Host("192.0.1.1:1000"));
  pairing.Run(seconds(60));

  ASSERT_TRUE(pairing.a().SetRemoteCredentials(pairing.now(), pairing.b().local_credentials()));
  pairing.Run(seconds(30));
  EXPECT_EQ(pairing.a().state(), State::kChecking);

  pairing.Run(seconds(10));
  EXPECT_EQ(pairing.a().state(), State::kFailed);
}

TEST(AgentTest, FailedAddressesOfThePeerMakeRoomForOthers) {
  Pairing pairing;
  AddDirectAndRelay(pairing);
  pairing.Run(seconds(5));
  pairing.drop = [](const auto&, const SocketAddress& to) { return to.ip.bytes[2] == 3; };
  for (int i = 0; i < 100; ++i) {
    const Candidate moved = Host("192.0.3." + std::to_string(i) + ":1000");
    ASSERT_TRUE(pairing.a().AddRemoteCandidate(pairing.now(), moved)) << i;
    pairing.Run(seconds(60));
  }

  EXPECT_EQ(pairing.a().path()->remote, Address("192.0.2.1:1000")) << "what works stays";
}

TEST(AgentTest, AnOldAnswerDoesNotSettleANewNomination) {
  Pairing pairing;
  AddDirectAndRelay(pairing);
  pairing.Run(seconds(2));
  // Nominated again and again while nothing gets through to the peer.
  bool blocked = true;
  pairing.drop = [&](const SocketAddress& from, const SocketAddress&) {
    return blocked && from.ip.bytes[2] == 1;
  };
  for (int i = 0; i < 20; ++i) {
    pairing.a().NoteDataSent(pairing.now());
    pairing.Run(seconds(1));
  }
  blocked = false;
  pairing.Run(seconds(40));

  ASSERT_TRUE(BothConnected(pairing));
  EXPECT_EQ(pairing.a().path()->local, pairing.b().path()->remote);
  EXPECT_EQ(pairing.a().path()->remote, pairing.b().path()->local);
}

TEST(AgentTest, AnAddressSaidTwiceToBeUnreachableFreesTheNextOfItsFoundationAtOnce) {
  Pairing pairing({.role = Role::kControlling, .pace = Pace::kStandard});
  pairing.a().AddLocalCandidate(pairing.now(), Host("192.0.1.1:1000"));
  ASSERT_TRUE(pairing.a().AddRemoteCandidate(pairing.now(), Host("192.0.2.1:1000")));
  ASSERT_TRUE(pairing.a().AddRemoteCandidate(pairing.now(), Host("192.0.2.1:2000", 1)));
  ASSERT_TRUE(pairing.a().SetRemoteCredentials(pairing.now(), pairing.b().local_credentials()));
  pairing.drop = [](const auto&, const auto&) { return true; };
  pairing.Run(milliseconds(100));  // The second is frozen, and no check is due.
  ASSERT_EQ(pairing.a().pairs()[1].state, PairState::kFrozen);

  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(pairing.a().pairs()[0].state, PairState::kInProgress);
    pairing.a().HandleUnreachable(pairing.now(), Address("192.0.1.1:1000"),
                                  Address("192.0.2.1:1000"));
  }
  pairing.Run(milliseconds(10));

  EXPECT_EQ(pairing.a().pairs()[1].state, PairState::kInProgress);
}

TEST(AgentTest, AnAddressDoesNotWaitForTheFailureOfTheOneItReplaces) {
  Pairing pairing;
  pairing.drop = [](const auto&, const SocketAddress& to) { return to.port == 1000; };
  pairing.a().AddLocalCandidate(pairing.now(), Host("192.0.1.1:1001"));
  ASSERT_TRUE(pairing.a().AddRemoteCandidate(pairing.now(), Host("192.0.2.1:1000")));
  pairing.Add(pairing.b(), Host("192.0.2.1:2000", 1));  // Of the same foundation.
  pairing.ExchangeCredentials();

  EXPECT_TRUE(pairing.RunUntil([&] { return pairing.a().path().has_value(); }, milliseconds(100)));
}

TEST(AgentTest, WhatComesFromAKnownRelayIsNoDirectPath) {
  Pairing pairing;
  pairing.a().AddLocalCandidate(pairing.now(), Relay("192.0.1.200:5000"));
  pairing.Add(pairing.b(), Host("192.0.2.1:1000"));
  pairing.b().AddLocalCandidate(pairing.now(), Relay("192.0.1.200:6000"));
  pairing.is_as = [](const SocketAddress& base) { return base == Address("192.0.1.200:5000"); };
  pairing.ExchangeCredentials();

  ASSERT_TRUE(pairing.RunUntil([&] { return BothConnected(pairing); }, seconds(2)));

  EXPECT_EQ(pairing.b().path()->remote, Address("192.0.1.200:5000"));
  EXPECT_FALSE(IsDirect(pairing.b().path()->tier()));
}

}  // namespace
}  // namespace floe::ice
