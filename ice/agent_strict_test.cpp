// The agent at the standard pace: checks, states and consent to the letter.

#include <map>

#include "ice/test_peer.h"

namespace floe::ice {
namespace {

using stun::AttributeType;

class StrictChecksTest : public WithPeerTest {};

// RFC 8489 section 6.2.1: RTO 500 ms, Rc 7, Rm 16.
TEST_F(StrictChecksTest, RepeatOneRequestSevenTimesAndFailAfterThirtyNineSecondsAndAHalf) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  const TimePoint start = now_;

  Pass(milliseconds(39'499));

  const auto requests = Requests();
  std::vector<Duration> times;
  for (const Sent& request : requests) {
    times.push_back(request.when - start);
    EXPECT_EQ(request.transmit.payload, requests.front().transmit.payload);
  }
  const std::vector<Duration> schedule{
      milliseconds(0),    milliseconds(500),    milliseconds(1500),  milliseconds(3500),
      milliseconds(7500), milliseconds(15'500), milliseconds(31'500)};
  EXPECT_EQ(times, schedule);
  EXPECT_EQ(pair().state, PairState::kInProgress);
  Pass(milliseconds(1));
  EXPECT_EQ(pair().state, PairState::kFailed);
  Pass(seconds(600));
  EXPECT_TRUE(Requests().empty()) << "what has failed needs a restart";
}

TEST_F(StrictChecksTest, StartEveryFiftyMilliseconds) {
  Make(Role::kControlling);
  for (int i = 1; i <= 3; ++i) {
    AddRemote(Host("192.0.2." + std::to_string(i) + ":1000"));
  }
  Introduce();
  const TimePoint start = now_;

  Pass(milliseconds(400));

  const auto requests = Requests();
  ASSERT_EQ(requests.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(requests[i].when - start, i * milliseconds(50));
  }
}

TEST_F(StrictChecksTest, ABrokenFamilyHoldsUpNothing) {
  Make(Role::kControlling);
  agent().AddLocalCandidate(now_, Host("[2001:db8::1]:1000"));
  AddRemote(Host("[2001:db8::2]:1000"));
  AddRemote(Host("192.0.2.1:1000"));
  Candidate reflexive = Host("203.0.113.1:1000");
  reflexive.type = CandidateType::kServerReflexive;
  reflexive.priority = ComputePriority(CandidateType::kServerReflexive, 65535);
  AddRemote(reflexive);
  Introduce();
  const TimePoint start = now_;

  Pass(milliseconds(400));

  const auto requests = Requests();
  const auto found = std::ranges::find_if(
      requests, [&](const Sent& request) { return request.transmit.remote == reflexive.address; });
  ASSERT_NE(found, requests.end());
  EXPECT_EQ(found->when - start, milliseconds(50)) << "as it would be without IPv6";
}

TEST_F(StrictChecksTest, StartAsOftenAsTheOwnerSays) {
  Make(Role::kControlling,
       {.pace = Pace::kStandard, .renomination = false, .ta = milliseconds(20)});
  AddRemote(Host("192.0.2.1:1000"));
  AddRemote(Host("192.0.2.2:1000"));
  Introduce();
  const TimePoint start = now_;

  Pass(milliseconds(100));

  const auto requests = Requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[1].when - start, milliseconds(20));
}

TEST_F(StrictChecksTest, WaitForTheirPlaceAmongThoseOfOtherAgents) {
  Pacer pacer;
  while (pacer.TimeOf(pacer.Reserve(now_)) < now_ + milliseconds(100)) {
  }
  Make(Role::kControlling, {.pace = Pace::kStandard, .renomination = false, .pacer = &pacer});
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  const TimePoint start = now_;

  Pass(milliseconds(200));

  const auto requests = Requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].when - start, milliseconds(105));
}

// RFC 8445 section 14.3.
TEST_F(StrictChecksTest, RepeatLaterTheMoreChecksThereAre) {
  Make(Role::kControlling);
  for (int i = 1; i <= 20; ++i) {
    AddRemote(Host("192.0.2." + std::to_string(i) + ":1000"));
  }
  Introduce();
  const TimePoint start = now_;

  Pass(milliseconds(1000));

  std::map<stun::TransactionId, std::vector<Duration>> sends;
  for (const Sent& request : Requests()) {
    sends[request.id()].push_back(request.when - start);
  }
  EXPECT_EQ(sends.size(), 20U);
  const std::vector<Duration> first{Duration{0}, milliseconds(1000)};  // 20 x 50 ms
  EXPECT_TRUE(std::ranges::any_of(sends, [&](const auto& entry) { return entry.second == first; }));
}

// RFC 8445 section 7.3.1.4.
TEST_F(StrictChecksTest, ATriggeredCheckReplacesTheOneUnderWayWhichMayStillSucceed) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  Pass(milliseconds(60));
  const auto first = Requests();
  ASSERT_EQ(first.size(), 1U);

  Send({});
  Pass(seconds(2));
  const auto second = Requests();
  ASSERT_FALSE(second.empty());
  for (const Sent& request : second) {
    EXPECT_NE(request.id(), first[0].id()) << "the first is not repeated";
  }

  Answer(first[0]);
  EXPECT_TRUE(pair().valid);
}

TEST_F(StrictChecksTest, AnAnswerToACheckThatWasReplacedCannotFailThePair) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  Pass(milliseconds(60));
  const auto first = Requests();
  Send({});
  Pass(milliseconds(60));

  Refuse(first.at(0), 400);

  EXPECT_EQ(pair().state, PairState::kInProgress);
}

TEST_F(StrictChecksTest, ARequestForAFailedPairMakesItWaitAgain) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  Pass(milliseconds(60));
  Refuse(Requests().at(0), 400);
  ASSERT_EQ(pair().state, PairState::kFailed);

  Send({});

  EXPECT_EQ(pair().state, PairState::kWaiting);
}

TEST_F(StrictChecksTest, ARequestForAPairThatSucceededTriggersNothing) {
  Make(Role::kControlled);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  Pass(milliseconds(60));
  Answer(Requests().at(0));

  Send({});
  Pass(milliseconds(500));

  EXPECT_TRUE(Requests().empty());
  EXPECT_EQ(pair().state, PairState::kSucceeded);
}

// RFC 8445 section 7.2.5.2.1.
TEST_F(StrictChecksTest, AnAnswerFromElsewhereFailsThePair) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  Pass(milliseconds(60));

  Answer(Requests().at(0), std::nullopt, Address("192.0.2.1:1001"));

  EXPECT_EQ(pair().state, PairState::kFailed);
  EXPECT_FALSE(agent().path().has_value());
}

TEST_F(StrictChecksTest, AnAnswerOverAnotherTransportFailsThePair) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  Pass(milliseconds(60));
  SocketAddress tcp = kTheirs;
  tcp.transport = Transport::kTcp;

  Answer(Requests().at(0), std::nullopt, tcp);

  EXPECT_EQ(pair().state, PairState::kFailed);
}

// RFC 8489 section 6.3.3.
TEST_F(StrictChecksTest, AnAnswerThatMustBeUnderstoodAndIsNotFailsThePair) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  Pass(milliseconds(60));
  const Sent request = Requests().at(0);
  stun::Builder builder(stun::Class::kSuccess, stun::Method::kBinding, request.id());
  builder.AddAddress(AttributeType::kXorMappedAddress, kOurs).AddU32(AttributeType{0x7777}, 1);

  Finish(request, builder, std::nullopt);

  EXPECT_EQ(pair().state, PairState::kFailed);
}

TEST_F(StrictChecksTest, AnAnswerWithoutAnAddressFailsThePair) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  Pass(milliseconds(60));
  const Sent request = Requests().at(0);
  stun::Builder builder(stun::Class::kSuccess, stun::Method::kBinding, request.id());

  Finish(request, builder, std::nullopt);

  EXPECT_EQ(pair().state, PairState::kFailed);
  EXPECT_EQ(agent().counters().malformed, 1U);
}

TEST_F(StrictChecksTest, AnErrorThatMayBeForgedDoesNothing) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  Pass(milliseconds(60));
  const Sent request = Requests().at(0);
  stun::Builder builder(stun::Class::kError, stun::Method::kBinding, request.id());
  builder.AddErrorCode(stun::ErrorCode::kRoleConflict).AddFingerprint();
  const auto bytes = builder.Take();

  agent().HandleMessage(now_, kOurs, kTheirs, *stun::MessageView::Parse(bytes));

  EXPECT_EQ(pair().state, PairState::kInProgress);
  EXPECT_EQ(agent().role(), Role::kControlling);
  EXPECT_EQ(agent().counters().unauthenticated, 1U);
}

// RFC 8445 section 7.2.5.3.1: the valid pair has the address that the peer sees.
TEST_F(StrictChecksTest, AnAddressThatNobodyToldUsIsAPeerReflexiveCandidateOfOurs) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  Pass(milliseconds(60));
  const Sent request = Requests().at(0);
  const std::uint32_t told = *stun::FindU32(request.message(), AttributeType::kPriority);

  Answer(request, Address("203.0.113.7:4444"));

  ASSERT_NE(agent().selected(), nullptr);
  const Candidate local = agent().LocalCandidateOf(*agent().selected());
  EXPECT_EQ(local.type, CandidateType::kPeerReflexive);
  EXPECT_EQ(local.address, Address("203.0.113.7:4444"));
  EXPECT_EQ(local.base, kOurs);
  EXPECT_EQ(local.priority, told);
  EXPECT_EQ(told >> 24U, 110U);
}

TEST_F(StrictChecksTest, AnAddressThatAServerToldUsIsThatCandidate) {
  Make(Role::kControlling);
  Candidate reflexive = Host("203.0.113.7:4444");
  reflexive.type = CandidateType::kServerReflexive;
  reflexive.base = kOurs;
  agent().AddLocalCandidate(now_, reflexive);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  Pass(milliseconds(60));

  Answer(Requests().at(0), Address("203.0.113.7:4444"));

  EXPECT_EQ(agent().LocalCandidateOf(*agent().selected()), reflexive);
}

// RFC 8445 section 7.3.1.3: what is learned from a check is paired with where it came alone.
TEST_F(StrictChecksTest, ALearnedCandidateIsPairedWhereItsCheckCame) {
  Make(Role::kControlled);
  agent().AddLocalCandidate(now_, Host("192.0.1.2:1000"));
  Introduce();

  Send({.from = Address("192.0.2.9:9999")});

  ASSERT_EQ(agent().pairs().size(), 1U);
  EXPECT_EQ(pair().local->base, kOurs);
  EXPECT_EQ(pair().remote->priority, ComputePriority(CandidateType::kPeerReflexive, 1));

  AddRemote(Host("192.0.2.9:9999"));
  EXPECT_EQ(agent().pairs().size(), 2U) << "once it is told of, it is as any other";
}

TEST_F(StrictChecksTest, EarlyRequestsAreAnsweredAndTheirNumberIsBounded) {
  Make(Role::kControlled);

  for (std::uint16_t port = 1000; port < 1500; ++port) {
    SocketAddress from = kTheirs;
    from.port = port;
    Send({.from = from});
  }

  EXPECT_EQ(Answers().size(), 500U);
  EXPECT_LE(agent().pairs().size(), 100U);
  Introduce();
  Pass(milliseconds(60));
  EXPECT_EQ(Requests().at(0).transmit.remote.port, 1000) << "the first that asked";
}

// RFC 8445 section 7.2.5.2.2.
TEST_F(StrictChecksTest, ThePairInUseOutlivesWhateverTheNetworkSays) {
  Make(Role::kControlled);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  Pass(milliseconds(60));
  Answer(Requests().at(0));

  for (int i = 0; i < 10; ++i) {
    agent().HandleUnreachable(now_, kOurs, kTheirs);
  }

  EXPECT_TRUE(agent().path().has_value());
}

// RFC 8445 section 19.5.1: sixty-four at first, and four in a second.
TEST_F(StrictChecksTest, AStrangerIsNotFlooded) {
  Make(Role::kControlling);
  for (int i = 0; i < 32; ++i) {
    Candidate candidate = Host("192.0.2.1:" + std::to_string(1000 + i));
    candidate.foundation = std::to_string(i);
    AddRemote(candidate);
  }
  for (int i = 2; i <= 4; ++i) {
    agent().AddLocalCandidate(now_, Host("192.0.1." + std::to_string(i) + ":1000"));
  }
  Introduce();

  Pass(seconds(10));

  EXPECT_LE(Requests().size(), 64U + 4U * 10U);
  EXPECT_GT(agent().counters().withheld, 0U);
}

class ConsentTest : public WithPeerTest {
 protected:
  /// Controlled, connected and nominated on the only pair.
  void Connect() {
    Make(Role::kControlled);
    AddRemote(Host("192.0.2.1:1000"));
    Introduce();
    Pass(milliseconds(60));
    Answer(Requests().at(0));
    Send({.use_candidate = true});
    static_cast<void>(Requests());
    ASSERT_NE(agent().nominated(), nullptr);
  }
};

// RFC 7675 section 5.1.
TEST_F(ConsentTest, IsAskedForEveryFourToSixSecondsAndNeverRepeated) {
  Connect();

  TimePoint last = now_;
  std::vector<stun::TransactionId> ids;
  for (int i = 0; i < 40; ++i) {
    Pass(seconds(6));
    for (const Sent& request : Requests()) {
      if (!ids.empty()) {
        EXPECT_GE(request.when - last, seconds(4));
        EXPECT_LE(request.when - last, seconds(6));
      }
      EXPECT_EQ(std::ranges::find(ids, request.id()), ids.end());
      last = request.when;
      ids.push_back(request.id());
      Answer(request);
    }
  }

  EXPECT_GT(ids.size(), 40U);
  EXPECT_EQ(agent().state(), State::kConnected);
}

TEST_F(ConsentTest, EndsThirtySecondsAfterTheLastAnswerAndOnlyARestartBringsItBack) {
  Connect();

  Pass(seconds(30) - milliseconds(100));
  EXPECT_TRUE(agent().path().has_value());
  const auto asked = Requests();
  EXPECT_LE(asked.size(), 8U);
  Pass(milliseconds(100));
  EXPECT_FALSE(agent().path().has_value());
  EXPECT_EQ(agent().state(), State::kDisconnected);

  Answer(asked.back());
  Send({.use_candidate = true});
  Pass(seconds(1));
  EXPECT_FALSE(agent().path().has_value());
  EXPECT_TRUE(Requests().empty());
  Pass(seconds(40));
  EXPECT_EQ(agent().state(), State::kFailed);
}

// RFC 7675 section 5.2.
TEST_F(ConsentTest, IsRevokedAtOnceByAnAuthenticRefusal) {
  Connect();
  Pass(seconds(6));

  Refuse(Requests().at(0), 403);

  EXPECT_FALSE(agent().path().has_value());
  EXPECT_EQ(agent().state(), State::kDisconnected);
}

TEST_F(ConsentTest, IsNotGivenByRequestsOrData) {
  Connect();

  for (int i = 0; i < 31; ++i) {
    Pass(seconds(1));
    Send({});
    agent().NoteDataReceived(now_, kOurs, kTheirs);
  }

  EXPECT_FALSE(agent().path().has_value());
}

class PatienceTest : public WithPeerTest {};

// RFC 8838 section 8, RFC 8863 section 4.
TEST_F(PatienceTest, NothingFailsBeforeBothEndsHaveToldAllCandidates) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  agent().SetLocalEndOfCandidates();

  Pass(seconds(120));
  EXPECT_EQ(agent().state(), State::kChecking);

  agent().SetRemoteEndOfCandidates();
  Pass(milliseconds(1));
  EXPECT_EQ(agent().state(), State::kFailed);
}

TEST_F(PatienceTest, NothingFailsBeforeItsPatienceIsOver) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  agent().SetLocalEndOfCandidates();
  agent().SetRemoteEndOfCandidates();
  Pass(milliseconds(60));
  Refuse(Requests().at(0), 400);

  Pass(seconds(39));
  EXPECT_EQ(agent().state(), State::kChecking) << "a learned candidate may still come";
  Pass(seconds(1));
  EXPECT_EQ(agent().state(), State::kFailed);
}

TEST_F(PatienceTest, APeerThatAsksForeverAndNeverAnswersIsGivenUp) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  agent().SetLocalEndOfCandidates();
  agent().SetRemoteEndOfCandidates();

  for (int i = 0; i < 9; ++i) {
    Pass(seconds(5));
    Send({});
  }

  EXPECT_EQ(agent().state(), State::kFailed);
}

TEST_F(PatienceTest, ALateCandidateStillConnects) {
  Make(Role::kControlling);
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  agent().SetLocalEndOfCandidates();
  Pass(seconds(100));
  static_cast<void>(Requests());

  AddRemote(Host("192.0.2.2:1000"));
  Pass(milliseconds(60));
  Answer(Requests().at(0));

  EXPECT_EQ(agent().state(), State::kConnected);
}

}  // namespace
}  // namespace floe::ice
