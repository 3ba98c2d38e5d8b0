// Who nominates, what is nominated, and what happens when both think it is they.

#include "ice/test_peer.h"

namespace floe::ice {
namespace {

using stun::AttributeType;

// RFC 8445 section 7.3.1.1, with the tie-breakers put in by hand. Zero is one like any other.
struct Conflict {
  Role role;
  std::uint64_t ours;
  std::uint64_t theirs;
  Role after;
  bool refused;
};

class RoleConflictRulesTest : public WithPeerTest,
                              public ::testing::WithParamInterface<Conflict> {};

TEST_P(RoleConflictRulesTest, AreThoseOfTheRfc) {
  const Conflict& conflict = GetParam();
  Make(conflict.role, {.pace = Pace::kStandard, .renomination = false}, conflict.ours);

  Send({.tie_breaker = conflict.theirs, .role = conflict.role});

  EXPECT_EQ(agent().role(), conflict.after);
  const auto answers = Answers();
  ASSERT_EQ(answers.size(), 1U);
  const auto error = stun::FindError(answers[0].message());
  EXPECT_EQ(error.has_value(), conflict.refused);
  if (error) {
    EXPECT_EQ(error->code, stun::ErrorCode::kRoleConflict);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, RoleConflictRulesTest,
    ::testing::Values(Conflict{Role::kControlling, 5, 4, Role::kControlling, true},
                      Conflict{Role::kControlling, 5, 5, Role::kControlling, true},
                      Conflict{Role::kControlling, 5, 6, Role::kControlled, false},
                      Conflict{Role::kControlled, 5, 4, Role::kControlling, false},
                      Conflict{Role::kControlled, 5, 5, Role::kControlling, false},
                      Conflict{Role::kControlled, 5, 6, Role::kControlled, true},
                      Conflict{Role::kControlling, 0, 0, Role::kControlling, true},
                      Conflict{Role::kControlling, 0, 1, Role::kControlled, false},
                      Conflict{Role::kControlled, 0, 0, Role::kControlling, false},
                      Conflict{Role::kControlled, 0, 1, Role::kControlled, true},
                      Conflict{Role::kControlling, 1, 0, Role::kControlling, true},
                      Conflict{Role::kControlled, 1, 0, Role::kControlling, false}));

class RolesTest : public WithPeerTest {
 protected:
  /// The pair with this remote address.
  const Pair& PairTo(const SocketAddress& remote) {
    return *std::ranges::find_if(agent().pairs(),
                                 [&](const Pair& pair) { return pair.remote->address == remote; });
  }

  /// The first of these requests that goes there.
  static const Sent& To(const std::vector<Sent>& requests, const SocketAddress& remote) {
    return *std::ranges::find_if(requests,
                                 [&](const Sent& sent) { return sent.transmit.remote == remote; });
  }
};

// RFC 8445 section 7.2.5.1.
TEST_F(RolesTest, ARefusedRoleIsGivenUpWithItsTieBreakerAndThePairsAreRankedAgain) {
  Make(Role::kControlling, {.pace = Pace::kStandard, .renomination = false}, 0);
  AddRemote(Relay("192.0.2.1:1000"));
  Introduce();
  Pass(milliseconds(60));
  const Sent first = Requests().at(0);
  EXPECT_EQ(stun::FindU64(first.message(), AttributeType::kIceControlling), 0U);
  const std::uint64_t before = pair().priority;

  Refuse(first, 487);

  EXPECT_EQ(agent().role(), Role::kControlled);
  EXPECT_EQ(pair().state, PairState::kWaiting);
  EXPECT_NE(pair().priority, before);
  Pass(milliseconds(60));
  const Sent second = Requests().at(0);
  const auto tie_breaker = stun::FindU64(second.message(), AttributeType::kIceControlled);
  ASSERT_TRUE(tie_breaker.has_value());
  EXPECT_NE(tie_breaker, 0U);
}

TEST_F(RolesTest, ARefusalOfARoleWeNoLongerHaveSwitchesNothing) {
  Make(Role::kControlled);
  AddRemote(Host("192.0.2.1:1000"));
  AddRemote(Host("192.0.2.2:1000"));
  Introduce();
  Pass(milliseconds(120));
  const auto requests = Requests();
  ASSERT_EQ(requests.size(), 2U);

  Refuse(requests[0], 487);
  Refuse(requests[1], 487);

  EXPECT_EQ(agent().role(), Role::kControlling);
  EXPECT_EQ(PairTo(requests[1].transmit.remote).state, PairState::kWaiting) << "asked again";
}

TEST_F(RolesTest, ALitePeerIsControlledAndNeverAsks) {
  Make(Role::kControlled);
  AddRemote(Host("192.0.2.1:1000"));
  agent().SetRemoteLite(now_);
  Introduce();
  Pass(milliseconds(60));
  const Sent check = Requests().at(0);
  EXPECT_TRUE(check.has(AttributeType::kIceControlling));
  EXPECT_FALSE(check.has(AttributeType::kUseCandidate));

  Answer(check);
  Pass(milliseconds(60));
  const Sent nomination = Requests().at(0);
  EXPECT_TRUE(nomination.has(AttributeType::kUseCandidate));
  Answer(nomination);

  EXPECT_NE(agent().nominated(), nullptr);
  Pass(seconds(6));
  EXPECT_EQ(Requests().size(), 1U) << "consent";
}

// RFC 8445 section 8.1.1.
TEST_F(RolesTest, NominatesAtOnceWhenNothingBetterIsLeft) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  AddRemote(Relay("192.0.2.200:3478"));
  Introduce();
  Pass(milliseconds(120));
  const auto checks = Requests();
  Answer(To(checks, kTheirs), Address("203.0.113.7:1"));  // A relay is left, and no better.

  Pass(milliseconds(60));

  const auto nominations = Requests();
  ASSERT_EQ(nominations.size(), 1U);
  EXPECT_TRUE(nominations[0].has(AttributeType::kUseCandidate));
  EXPECT_NE(nominations[0].id(), To(checks, kTheirs).id());
  EXPECT_EQ(agent().nominated(), nullptr);
  Answer(nominations[0]);
  EXPECT_EQ(agent().nominated(), &PairTo(kTheirs));
  EXPECT_EQ(Count<Nominated>(), 0U) << "not yet drained";
  static_cast<void>(Requests());
  EXPECT_EQ(Count<Nominated>(), 1U);
}

TEST_F(RolesTest, WaitsHalfASecondForABetterPairAndCarriesDataMeanwhile) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  AddRemote(Relay("192.0.2.200:3478"));
  Introduce();
  Pass(milliseconds(120));
  const auto checks = Requests();
  for (const Sent& check : checks) {
    EXPECT_FALSE(check.has(AttributeType::kUseCandidate));
  }
  Answer(To(checks, Address("192.0.2.200:3478")));
  EXPECT_TRUE(agent().path().has_value());

  Pass(milliseconds(300));
  for (const Sent& request : Requests()) {
    EXPECT_FALSE(request.has(AttributeType::kUseCandidate));
  }
  Pass(milliseconds(300));
  const auto later = Requests();
  EXPECT_TRUE(std::ranges::any_of(
      later, [](const Sent& request) { return request.has(AttributeType::kUseCandidate); }));
}

TEST_F(RolesTest, OnePairIsNominatedAndNothingElseIsCheckedAfterwards) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  AddRemote(Relay("192.0.2.200:3478"));
  Introduce();
  Pass(milliseconds(60));
  Answer(Requests().at(0));
  Pass(milliseconds(60));
  Answer(To(Requests(), kTheirs));
  ASSERT_NE(agent().nominated(), nullptr);

  Pass(seconds(3));
  EXPECT_TRUE(Requests().empty());
  AddRemote(Host("192.0.2.2:1000"));
  Pass(seconds(3));
  for (const Sent& request : Requests()) {
    EXPECT_EQ(request.transmit.remote, kTheirs);
    EXPECT_FALSE(request.has(AttributeType::kUseCandidate));
  }
}

TEST_F(RolesTest, ANominationIsRepeatedUntilItIsAnswered) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  Pass(milliseconds(10));
  Answer(Requests().at(0));

  Pass(seconds(4));

  const auto nominations = Requests();
  ASSERT_GE(nominations.size(), 3U);
  for (const Sent& nomination : nominations) {
    EXPECT_EQ(nomination.transmit.payload, nominations[0].transmit.payload);
  }
  Answer(nominations[0]);
  EXPECT_NE(agent().nominated(), nullptr);
}

TEST_F(RolesTest, ARefusedNominationTakesTheNextPair) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  AddRemote(Relay("192.0.2.200:3478"));
  Introduce();
  Pass(milliseconds(60));
  const auto checks = Requests();
  Answer(To(checks, Address("192.0.2.200:3478")));
  Answer(To(checks, kTheirs));
  Pass(milliseconds(60));

  Refuse(To(Requests(), kTheirs), 400);
  Pass(milliseconds(60));

  EXPECT_EQ(PairTo(kTheirs).state, PairState::kFailed);
  const auto next = Requests();
  ASSERT_EQ(next.size(), 1U);
  EXPECT_TRUE(next[0].has(AttributeType::kUseCandidate));
  EXPECT_EQ(next[0].transmit.remote, Address("192.0.2.200:3478"));
}

TEST_F(RolesTest, FollowsANominationThatCameBeforeThePairWasValid) {
  Make(Role::kControlled);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();

  Send({.use_candidate = true});
  EXPECT_EQ(agent().nominated(), nullptr);
  Pass(milliseconds(60));
  Answer(Requests().at(0));

  EXPECT_NE(agent().nominated(), nullptr);
}

// RFC 5245 section 8.1.1.2: all are nominated, and the highest priority wins, whatever the order.
TEST_F(RolesTest, OfAnAggressivePeersPairsTheHighestPriorityWins) {
  for (const bool relay_first : {true, false}) {
    Make(Role::kControlled);
    const SocketAddress relay = Address("192.0.2.200:3478");
    AddRemote(Host("192.0.2.1:1000"));
    AddRemote(Relay("192.0.2.200:3478"));
    Introduce();
    const std::array order{relay_first ? relay : kTheirs, relay_first ? kTheirs : relay};
    for (const SocketAddress& from : order) {
      Send({.use_candidate = true, .from = from});
    }
    Pass(milliseconds(120));
    const auto checks = Requests();

    for (const SocketAddress& from : order) {
      Answer(To(checks, from));
    }

    EXPECT_EQ(agent().nominated(), &PairTo(kTheirs));
    EXPECT_EQ(agent().path()->remote, kTheirs);
  }
}

TEST_F(RolesTest, AnAggressivePeersBetterPairIsFollowedLater) {
  Make(Role::kControlled);
  const SocketAddress relay = Address("192.0.2.200:3478");
  AddRemote(Host("192.0.2.1:1000"));
  AddRemote(Relay("192.0.2.200:3478"));
  Introduce();
  Send({.use_candidate = true, .from = relay});
  Pass(milliseconds(60));
  Answer(To(Requests(), relay));
  ASSERT_EQ(agent().nominated(), &PairTo(relay));

  Pass(seconds(2));
  Send({.use_candidate = true});
  Pass(milliseconds(60));
  Answer(To(Requests(), kTheirs));

  EXPECT_EQ(agent().nominated(), &PairTo(kTheirs));
}

TEST_F(RolesTest, APeerThatLeavesAPairThatDoesNotAnswerIsFollowed) {
  Make(Role::kControlled);
  const SocketAddress relay = Address("192.0.2.200:3478");
  AddRemote(Host("192.0.2.1:1000"));
  AddRemote(Relay("192.0.2.200:3478"));
  Introduce();
  Send({.use_candidate = true});
  Pass(milliseconds(60));
  Answer(To(Requests(), kTheirs));
  ASSERT_EQ(agent().nominated(), &PairTo(kTheirs));
  Pass(seconds(13));  // Two consent checks at least.

  Send({.use_candidate = true, .from = relay});
  Pass(milliseconds(60));
  Answer(To(Requests(), relay));

  EXPECT_EQ(agent().nominated(), &PairTo(relay));
}

// Renomination: the highest number wins, and what is replayed changes nothing.
TEST_F(RolesTest, AReplayedNominationChangesNothing) {
  Make(Role::kControlled, {});
  const SocketAddress relay = Address("192.0.2.200:3478");
  AddRemote(Host("192.0.2.1:1000"));
  AddRemote(Relay("192.0.2.200:3478"));
  Introduce();
  Pass(milliseconds(20));
  const auto checks = Requests();
  Answer(To(checks, relay));
  Answer(To(checks, kTheirs));
  Send({.use_candidate = true, .nomination = 2, .from = relay});
  ASSERT_EQ(agent().nominated(), &PairTo(relay));

  Send({.use_candidate = true, .nomination = 1});
  EXPECT_EQ(agent().nominated(), &PairTo(relay));
  Send({.use_candidate = true, .nomination = 2});
  EXPECT_EQ(agent().nominated(), &PairTo(relay));
  Send({.use_candidate = true, .nomination = 3});
  EXPECT_EQ(agent().nominated(), &PairTo(kTheirs));
}

TEST(StrictPairingTest, TwoStrictAgentsConnectAndComplete) {
  const AgentConfig strict{.pace = Pace::kStandard, .renomination = false};
  AgentConfig controlling = strict;
  controlling.role = Role::kControlling;
  Pairing pairing(controlling, strict);
  AddDirectAndRelay(pairing);

  ASSERT_TRUE(pairing.RunUntil(
      [&] { return pairing.a().nominated() != nullptr && pairing.b().nominated() != nullptr; },
      seconds(1)));

  EXPECT_EQ(pairing.a().path()->local, pairing.b().path()->remote);
  EXPECT_EQ(pairing.a().path()->tier(), PathTier::kLan);
  pairing.Run(seconds(120));
  EXPECT_EQ(pairing.a().state(), State::kConnected);
  EXPECT_EQ(pairing.b().state(), State::kConnected);
}

TEST(StrictPairingTest, TwoStrictAgentsCompleteThroughLossInEveryCombinationOfRoles) {
  for (const Role a : {Role::kControlling, Role::kControlled}) {
    for (const Role b : {Role::kControlling, Role::kControlled}) {
      Pairing pairing({.role = a, .pace = Pace::kStandard, .renomination = false},
                      {.role = b, .pace = Pace::kStandard, .renomination = false});
      int count = 0;
      pairing.drop = [&](const auto&, const auto&) { return ++count % 4 == 1; };
      AddDirectAndRelay(pairing);

      EXPECT_TRUE(pairing.RunUntil(
          [&] { return pairing.a().nominated() != nullptr && pairing.b().nominated() != nullptr; },
          seconds(20)));
      EXPECT_EQ(pairing.a().path()->local, pairing.b().path()->remote);
    }
  }
}

TEST(StrictPairingTest, AStrictAgentAndAFastOneAgree) {
  Pairing pairing({.role = Role::kControlling, .pace = Pace::kStandard, .renomination = false},
                  {.renomination = false});
  AddDirectAndRelay(pairing);

  pairing.Run(seconds(5));

  ASSERT_TRUE(BothConnected(pairing));
  EXPECT_NE(pairing.a().nominated(), nullptr);
  EXPECT_NE(pairing.b().nominated(), nullptr);
  EXPECT_EQ(pairing.a().path()->local, pairing.b().path()->remote);
}

}  // namespace
}  // namespace floe::ice
