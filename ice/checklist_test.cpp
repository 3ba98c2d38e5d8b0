#include "ice/checklist.h"

#include <gtest/gtest.h>
#include <string>
#include <string_view>

namespace floe::ice {
namespace {

Candidate Make(std::string_view address, CandidateType type = CandidateType::kHost,
               std::uint16_t preference = 65535) {
  const SocketAddress parsed = *ParseSocketAddress(address);
  return {.type = type,
          .address = parsed,
          .base = parsed,
          .priority = ComputePriority(type, preference),
          .foundation = ComputeFoundation(type, parsed.ip, std::nullopt)};
}

void FailAll(Checklist& list) {
  for (Pair& pair : list.pairs()) {
    pair.state = PairState::kFailed;
  }
}

TEST(ChecklistTest, PairsEachLocalWithEachRemoteOfItsFamilyAndScope) {
  Checklist list(100);
  list.AddLocal(Make("192.0.2.1:1"), Role::kControlling);
  list.AddLocal(Make("[2001:db8::1]:1"), Role::kControlling);
  list.AddLocal(Make("[fe80::1]:1"), Role::kControlling);

  list.AddRemote(Make("192.0.2.9:1"), Role::kControlling);
  list.AddRemote(Make("[2001:db8::9]:1"), Role::kControlling);
  list.AddRemote(Make("[fe80::9]:1"), Role::kControlling);

  EXPECT_EQ(list.pairs().size(), 3U);
}

TEST(ChecklistTest, IgnoresWhatItKnows) {
  Checklist list(100);
  list.AddLocal(Make("192.0.2.1:1"), Role::kControlling);
  list.AddLocal(Make("192.0.2.1:1"), Role::kControlling);
  list.AddRemote(Make("192.0.2.9:1"), Role::kControlling);
  list.AddRemote(Make("192.0.2.9:1"), Role::kControlling);

  EXPECT_EQ(list.pairs().size(), 1U);
  EXPECT_EQ(list.remote_count(), 1U);
}

// RFC 8445 section 6.1.2.3, with the numbers put in by hand.
TEST(ChecklistTest, ComputesThePriorityOfAPair) {
  Candidate local = Make("192.0.2.1:1");
  local.priority = 3;
  Candidate remote = Make("192.0.2.9:1");
  remote.priority = 2;
  Checklist controlling(100);
  controlling.AddLocal(local, Role::kControlling);
  controlling.AddRemote(remote, Role::kControlling);
  EXPECT_EQ(controlling.pairs().front().priority, (2ULL << 32U) + 2 * 3 + 1);

  controlling.Reprioritize(Role::kControlled);
  EXPECT_EQ(controlling.pairs().front().priority, (2ULL << 32U) + 2 * 3);
}

TEST(ChecklistTest, ChecksTriggeredPairsFirstThenTheHighestPriority) {
  Checklist list(100);
  list.AddLocal(Make("192.0.2.1:1"), Role::kControlling);
  list.AddRemote(Make("198.51.100.1:1", CandidateType::kRelayed), Role::kControlling);
  list.AddRemote(Make("198.51.100.2:1", CandidateType::kServerReflexive), Role::kControlling);
  list.AddRemote(Make("198.51.100.3:1"), Role::kControlling);
  list.Trigger(*list.Find(Make("192.0.2.1:1").base, Make("198.51.100.1:1").address));

  std::string order;
  while (Pair* pair = list.TakeNext()) {
    order += ToString(pair->remote->type);
    order += ' ';
    pair->state = PairState::kInProgress;
  }
  EXPECT_EQ(order, "relay host srflx ");
}

TEST(ChecklistTest, ChecksOnePairToEachTypeBeforeTheRest) {
  Checklist list(100);
  list.AddLocal(Make("192.0.2.1:1"), Role::kControlling);
  list.AddRemote(Make("198.51.100.1:1"), Role::kControlling);
  list.AddRemote(Make("198.51.100.2:1"), Role::kControlling);
  list.AddRemote(Make("198.51.100.3:1", CandidateType::kServerReflexive), Role::kControlling);
  list.AddRemote(Make("198.51.100.4:1", CandidateType::kRelayed), Role::kControlling);

  std::string order;
  while (Pair* pair = list.TakeNext()) {
    order += ToString(pair->remote->type);
    order += ' ';
    pair->state = PairState::kInProgress;
  }
  EXPECT_EQ(order, "host srflx relay host ");
}

// RFC 8445 section 6.1.2.6 and RFC 8838 section 10.
TEST(ChecklistTest, OnePairOfAFoundationWaitsAndTheOthersAreFrozen) {
  Checklist list(100);
  list.AddLocal(Make("192.0.2.1:1"), Role::kControlling);
  list.AddRemote(Make("198.51.100.3:1"), Role::kControlling);
  list.AddRemote(Make("198.51.100.3:2"), Role::kControlling);
  EXPECT_EQ(list.pairs()[0].state, PairState::kWaiting);
  EXPECT_EQ(list.pairs()[1].state, PairState::kFrozen);

  list.Unfreeze();
  EXPECT_EQ(list.pairs()[1].state, PairState::kFrozen) << "the first still waits";

  list.pairs()[0].state = PairState::kSucceeded;
  list.Unfreeze();
  EXPECT_EQ(list.pairs()[1].state, PairState::kWaiting);
}

// RFC 8445 section 7.2.5.3.3.
TEST(ChecklistTest, ASuccessFreesAllOfItsFoundationAndNoOther) {
  Checklist list(100);
  list.AddLocal(Make("192.0.2.1:1"), Role::kControlling);
  for (int port = 1; port <= 3; ++port) {
    list.AddRemote(Make("198.51.100.3:" + std::to_string(port)), Role::kControlling);
    list.AddRemote(Make("198.51.100.4:" + std::to_string(port)), Role::kControlling);
  }
  Pair& succeeded = *list.Find(Make("192.0.2.1:1").base, Make("198.51.100.3:1").address);
  succeeded.state = PairState::kSucceeded;

  list.UnfreezeFoundation(succeeded);

  for (const Pair& pair : list.pairs()) {
    const bool same = pair.remote->address.ip == succeeded.remote->address.ip;
    const bool first = pair.remote->address.port == 1;
    EXPECT_EQ(pair.state == PairState::kFrozen, !same && !first);
  }
  // RFC 8838 section 12: what comes later does not wait.
  list.AddRemote(Make("198.51.100.3:9"), Role::kControlling);
  EXPECT_EQ(list.Find(Make("192.0.2.1:1").base, Make("198.51.100.3:9").address)->state,
            PairState::kWaiting);
}

// RFC 8445 section 6.1.4.2.
TEST(ChecklistTest, AFailureFreesTheFirstThatItHeldUp) {
  Checklist list(100);
  list.AddLocal(Make("192.0.2.1:1"), Role::kControlling);
  for (int port = 1; port <= 3; ++port) {
    list.AddRemote(Make("198.51.100.3:" + std::to_string(port)), Role::kControlling);
  }
  list.pairs()[0].state = PairState::kFailed;

  list.Unfreeze();

  EXPECT_EQ(list.pairs()[1].state, PairState::kWaiting);
  EXPECT_EQ(list.pairs()[2].state, PairState::kFrozen);
}

// RFC 8445 section 8.1.2.
TEST(ChecklistTest, CancelsAllButWhatIsNominated) {
  Checklist list(100);
  list.AddLocal(Make("192.0.2.1:1"), Role::kControlling);
  for (int host = 1; host <= 4; ++host) {
    list.AddRemote(Make("198.51.100." + std::to_string(host) + ":1"), Role::kControlling);
  }
  list.pairs()[0].state = PairState::kSucceeded;
  list.pairs()[1].state = PairState::kInProgress;
  list.pairs()[1].wake = TimePoint{};
  list.Trigger(list.pairs()[2]);
  list.pairs()[3].peer_nominated = true;

  list.CancelAllBut(list.pairs()[0]);

  EXPECT_EQ(list.pairs()[0].state, PairState::kSucceeded);
  EXPECT_EQ(list.pairs()[1].state, PairState::kFrozen);
  EXPECT_EQ(list.pairs()[1].wake, std::nullopt);
  EXPECT_EQ(list.pairs()[2].state, PairState::kFrozen);
  EXPECT_EQ(list.pairs()[3].state, PairState::kWaiting) << "it may be the better one";
  EXPECT_EQ(list.TakeTriggered(), nullptr);
}

TEST(ChecklistTest, ALearnedCandidateIsPairedAsTheListIsMade) {
  for (const LearnedPairs learned : {LearnedPairs::kWithAll, LearnedPairs::kWhereItCame}) {
    Checklist list(100, learned);
    const bool all = learned == LearnedPairs::kWithAll;
    list.AddLocal(Make("192.0.2.1:1"), Role::kControlled);
    list.AddLocal(Make("192.0.2.2:1"), Role::kControlled);
    Candidate remote = Make("198.51.100.1:1", CandidateType::kPeerReflexive);
    remote.signalled = false;

    list.AddLearned(Make("192.0.2.1:1"), remote, Role::kControlled);
    EXPECT_EQ(list.pairs().size(), all ? 2U : 1U);
    list.AddLocal(Make("192.0.2.3:1"), Role::kControlled);
    EXPECT_EQ(list.pairs().size(), all ? 3U : 1U);

    list.ReplaceRemote(Make("198.51.100.1:1"), Role::kControlled);
    EXPECT_EQ(list.pairs().size(), 3U);
  }
}

TEST(ChecklistTest, UnfreezesAllForThoseWhoCanTakeIt) {
  Checklist list(100);
  list.AddLocal(Make("192.0.2.1:1"), Role::kControlling);
  list.AddRemote(Make("198.51.100.3:1"), Role::kControlling);
  list.AddRemote(Make("198.51.100.3:2"), Role::kControlling);

  list.UnfreezeAll();

  EXPECT_EQ(list.pairs()[0].state, PairState::kWaiting);
  EXPECT_EQ(list.pairs()[1].state, PairState::kWaiting);
}

TEST(ChecklistTest, RemovesABaseWithItsPairsAndTakesItBackLater) {
  Checklist list(100);
  list.AddLocal(Make("192.0.2.1:1"), Role::kControlling);
  list.AddLocal(Make("192.0.2.2:1"), Role::kControlling);
  list.AddRemote(Make("198.51.100.3:1"), Role::kControlling);
  list.Trigger(list.pairs().front());
  const PairId triggered = list.pairs().front().id;
  const SocketAddress base = list.pairs().front().local->base;

  EXPECT_EQ(list.RemoveLocal(base), std::vector<PairId>{triggered});
  EXPECT_EQ(list.pairs().size(), 1U);
  EXPECT_EQ(list.FindLocal(base), nullptr);
  EXPECT_NE(list.TakeNext(), nullptr) << "the other, though the triggered one is gone";

  list.AddLocal(Make(ToString(base)), Role::kControlling);
  EXPECT_EQ(list.pairs().size(), 2U);
}

TEST(ChecklistTest, AFullListDropsWhatHasFailedThenTheLowestPriorityAndNeverWhatWorks) {
  Checklist list(2);
  list.AddLocal(Make("192.0.2.1:1"), Role::kControlling);
  list.AddRemote(Make("198.51.100.1:1"), Role::kControlling);
  list.AddRemote(Make("198.51.100.2:1", CandidateType::kRelayed), Role::kControlling);
  list.pairs()[0].state = PairState::kFailed;
  list.pairs()[1].state = PairState::kSucceeded;
  list.pairs()[1].valid = true;

  list.AddRemote(Make("198.51.100.3:1", CandidateType::kServerReflexive), Role::kControlling);
  ASSERT_EQ(list.pairs().size(), 2U);
  EXPECT_EQ(list.pairs()[0].remote->type, CandidateType::kServerReflexive);
  EXPECT_TRUE(list.pairs()[1].valid);

  list.AddRemote(Make("198.51.100.4:1"), Role::kControlling);
  ASSERT_EQ(list.pairs().size(), 2U);
  EXPECT_EQ(list.pairs()[0].remote->type, CandidateType::kHost);
  EXPECT_TRUE(list.pairs()[1].valid);
}

TEST(ChecklistTest, PairsOverTcpHaveABoundOfTheirOwn) {
  const auto tcp = [](Candidate candidate, TcpType type) {
    candidate.address.transport = candidate.base.transport = Transport::kTcp;
    candidate.tcp_type = type;
    return candidate;
  };
  Checklist list(2);
  list.AddLocal(Make("192.0.2.1:1"), Role::kControlling);
  list.AddLocal(tcp(Make("192.0.2.1:9"), TcpType::kActive), Role::kControlling);
  list.AddRemote(Make("198.51.100.1:1"), Role::kControlling);
  list.AddRemote(Make("198.51.100.2:1"), Role::kControlling);
  for (int i = 0; i < 30; ++i) {
    list.AddRemote(tcp(Make("198.51.100.1:" + std::to_string(100 + i)), TcpType::kPassive),
                   Role::kControlling);
  }

  const auto over_udp = [](const Pair& pair) {
    return pair.local->base.transport == Transport::kUdp;
  };
  EXPECT_EQ(std::ranges::count_if(list.pairs(), over_udp), 2);
  EXPECT_EQ(list.pairs().size(), 2 + Checklist::kMaxTcpPairs);
}

TEST(ChecklistTest, ForgetsTheOldestRemoteOfWhichEverythingFailed) {
  Checklist list(100);
  list.AddLocal(Make("192.0.2.1:1"), Role::kControlling);
  list.AddLocal(Make("192.0.2.2:1"), Role::kControlling);
  list.AddRemote(Make("198.51.100.1:1"), Role::kControlling);
  list.AddRemote(Make("198.51.100.2:1"), Role::kControlling);
  EXPECT_FALSE(list.ForgetFailedRemote()) << "nothing has been tried";

  FailAll(list);
  list.Find(Make("192.0.2.2:1").base, Make("198.51.100.1:1").address)->state =
      PairState::kInProgress;
  ASSERT_TRUE(list.ForgetFailedRemote());
  EXPECT_EQ(list.FindRemote(Make("198.51.100.2:1").address), nullptr);
  EXPECT_NE(list.FindRemote(Make("198.51.100.1:1").address), nullptr);
  EXPECT_EQ(list.pairs().size(), 2U);
  EXPECT_FALSE(list.ForgetFailedRemote());
}

TEST(ChecklistTest, ASignalledDescriptionKeepsStateAndPriority) {
  Checklist list(100);
  list.AddLocal(Make("192.0.2.1:1"), Role::kControlling);
  list.AddRemote(Make("198.51.100.1:1", CandidateType::kPeerReflexive), Role::kControlling);
  list.pairs().front().state = PairState::kSucceeded;
  const std::uint64_t priority = list.pairs().front().priority;

  list.ReplaceRemote(Make("198.51.100.1:1", CandidateType::kServerReflexive), Role::kControlling);

  EXPECT_EQ(list.pairs().front().remote->type, CandidateType::kServerReflexive);
  EXPECT_EQ(list.pairs().front().state, PairState::kSucceeded);
  EXPECT_EQ(list.pairs().front().priority, priority);
}

}  // namespace
}  // namespace floe::ice
