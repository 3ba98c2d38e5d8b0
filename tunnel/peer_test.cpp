// The timers, rekeys and crossings of a peer, between two tunnels in virtual time.

#include "tunnel/peer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/tunnel_pair.h"
#include "tunnel/constants.h"

namespace floe::tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::TunnelPair;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kA = TunnelPair::kA;
constexpr auto kB = TunnelPair::kB;
constexpr PeerId kPeer = TunnelPair::kPeer;

/// A packet each way every `interval`; then time for the last to arrive.
void Converse(TunnelPair& pair, Duration duration, Duration interval) {
  for (Duration passed{0}; passed < duration; passed += interval) {
    pair.Send(kA, "a");
    pair.Send(kB, "b");
    pair.RunFor(interval);
  }
  pair.RunFor(seconds(1));
}

/// The receiver index of a side's last transport message: names the session it sends on.
std::uint32_t SendingIndex(const TunnelPair& pair, TunnelPair::Side side) {
  return LoadLe<std::uint32_t>(pair.LastSent(side, 4), 4);
}

TEST(PeerTest, RekeysForFiveMinutesWithoutLosingAPacket) {
  TunnelPair pair({.latency = milliseconds(60)});
  pair.Connect();

  Converse(pair, minutes(5), milliseconds(40));  // Some are always on their way.

  EXPECT_EQ(pair.received(kA).size(), 7500U);
  EXPECT_EQ(pair.received(kB).size(), 7500U);
  EXPECT_EQ(pair.CountSent(kA, 1), 3U);  // At 0 and then every 120 s.
  EXPECT_EQ(pair.CountSent(kB, 1), 0U);  // The initiator alone rekeys by time.
  EXPECT_EQ(pair.CountEvents<SessionExpired>(kA), 0U);
}

TEST(PeerTest, AnInitiatorThatOnlyReceivesRekeysBeforeTheSessionEnds) {
  TunnelPair pair;
  pair.Connect();

  // A answers with keepalives each 10 s at most; these are sent, so they ask for a rekey too.
  pair.loses = [](const auto& sent) { return sent.is_keepalive(); };
  for (int i = 0; i < 200; ++i) {
    pair.Send(kB);
    pair.RunFor(seconds(1));
  }

  EXPECT_EQ(pair.received(kA).size(), 200U);
  EXPECT_EQ(pair.CountEvents<SessionExpired>(kA), 0U);
}

TEST(PeerTest, AnIdleSessionExpiresAndIsErased) {
  TunnelPair pair;
  pair.Connect();
  const std::size_t sent = pair.sent().size();
  pair.RunFor(seconds(179));
  EXPECT_TRUE(pair.a().Stats(kPeer).has_session);

  pair.RunFor(seconds(2));
  EXPECT_FALSE(pair.a().Stats(kPeer).has_session);
  EXPECT_EQ(pair.CountEvents<SessionExpired>(kA), 1U);
  EXPECT_EQ(pair.CountEvents<SessionExpired>(kB), 1U);

  pair.RunFor(minutes(10));
  EXPECT_EQ(pair.a().NextTimeout(), std::nullopt);
  EXPECT_EQ(pair.b().NextTimeout(), std::nullopt);
  EXPECT_EQ(pair.sent().size(), sent);  // An idle link is silent.
}

TEST(PeerTest, KeysAreErasedAsSoonAsTheSessionIsTooOld) {
  TunnelPair pair;
  pair.Connect();
  pair.Send(kA);
  const auto message = pair.LastSent(kA, 4);
  pair.RunFor(seconds(178));
  pair.Inject(kB, message);
  EXPECT_EQ(pair.b().counters().unknown_index, 0U);

  pair.RunFor(seconds(5));
  pair.Inject(kB, message);
  EXPECT_EQ(pair.b().counters().unknown_index, 1U);
}

TEST(PeerTest, AnExpiredSessionIsReplacedWhenThereIsSomethingToSend) {
  TunnelPair pair;
  pair.Connect();
  pair.RunFor(seconds(200));

  pair.Send(kB, "back again");
  pair.RunFor(seconds(1));

  EXPECT_THAT(pair.received(kA), ElementsAre("back again"));
}

TEST(PeerTest, DataIsAnsweredByAKeepaliveAfterTenSeconds) {
  TunnelPair pair;
  pair.Connect();
  pair.Send(kA);

  pair.RunFor(milliseconds(10'019));
  EXPECT_EQ(pair.CountKeepalives(kB), 0U);
  pair.RunFor(milliseconds(1));
  EXPECT_EQ(pair.CountKeepalives(kB), 1U);
  pair.RunFor(seconds(60));
  EXPECT_EQ(pair.CountKeepalives(kB), 1U);
  EXPECT_EQ(pair.CountKeepalives(kA), 1U);  // A keepalive is not answered: this is Connect's.
}

TEST(PeerTest, PersistentKeepaliveKeepsAnIdleLinkAlive) {
  TunnelPair pair({.keepalive_a = seconds(25)});
  pair.Connect();

  pair.RunFor(minutes(10));

  EXPECT_TRUE(pair.a().Stats(kPeer).has_session);
  EXPECT_TRUE(pair.b().Stats(kPeer).has_session);
  EXPECT_EQ(pair.CountEvents<SessionExpired>(kA), 0U);
  EXPECT_NEAR(static_cast<double>(pair.CountKeepalives(kA)), 600.0 / 25, 5);
}

TEST(PeerTest, RetriesWithJitterForNinetySecondsThenGivesUp) {
  TunnelPair pair;
  pair.loses = [](const auto&) { return true; };
  const TimePoint start = pair.now();
  pair.Send(kA);
  pair.RunFor(minutes(5));

  ASSERT_GE(pair.CountSent(kA, 1), 17U);
  for (std::size_t i = 1; i < pair.sent().size(); ++i) {
    const Duration gap = pair.sent()[i].at - pair.sent()[i - 1].at;
    EXPECT_GE(gap, kRekeyTimeout);
    EXPECT_LE(gap, kRekeyTimeout + kMaxJitter);
  }
  EXPECT_LT(pair.sent().back().at - start, kRekeyAttemptTime);
  EXPECT_EQ(pair.CountEvents<HandshakeGaveUp>(kA), 1U);
  EXPECT_EQ(pair.a().counters().undeliverable_packet, 1U);
}

TEST(PeerTest, GoesOnTryingWhileThereIsSomethingToSend) {
  TunnelPair pair;
  pair.loses = [](const auto&) { return true; };
  for (int i = 0; i < 150; ++i) {
    pair.Send(kA);
    pair.RunFor(seconds(1));
  }
  EXPECT_EQ(pair.CountEvents<HandshakeGaveUp>(kA), 0U);

  pair.loses = [](const auto&) { return false; };
  pair.RunFor(seconds(7));
  EXPECT_FALSE(pair.received(kB).empty());
}

TEST(PeerTest, ALostInitiationIsSentAgain) {
  TunnelPair pair;
  int losses = 1;
  pair.loses = [&](const auto&) { return losses-- > 0; };

  pair.Send(kA, "late");
  pair.RunFor(seconds(6));

  EXPECT_THAT(pair.received(kB), ElementsAre("late"));
}

TEST(PeerTest, APeerThatRestartedIsFoundByTheOtherEndsSilence) {
  TunnelPair pair;
  pair.Connect();
  pair.Send(kA);
  pair.RunFor(seconds(30));

  pair.Restart(kB);
  pair.Send(kA, "lost");
  pair.RunFor(milliseconds(15'700));
  pair.Send(kA, "found");
  pair.RunFor(seconds(1));

  EXPECT_EQ(pair.b().counters().unknown_index, 1U);
  EXPECT_EQ(pair.received(kB).back(), "found");
}

TEST(PeerTest, APeerThatRestartedConnectsAtOnceItself) {
  TunnelPair pair;
  pair.Connect();
  pair.RunFor(seconds(30));

  pair.Restart(kB);
  pair.Send(kB, "I am back");
  pair.RunFor(milliseconds(100));
  pair.Send(kA, "so you are");
  pair.RunFor(milliseconds(100));

  EXPECT_THAT(pair.received(kA), ElementsAre("I am back"));
  EXPECT_THAT(pair.received(kB), ElementsAre("so you are"));
}

TEST(PeerTest, ARestartedInitiatorReplacesTheSessionOfTheResponder) {
  TunnelPair pair;
  pair.Connect();
  pair.RunFor(seconds(30));

  pair.Restart(kA);
  pair.Start(kA);
  pair.RunFor(milliseconds(100));
  pair.Send(kB, "to the new one");
  pair.RunFor(milliseconds(100));

  EXPECT_THAT(pair.received(kA), ElementsAre("to the new one"));
}

// Every way in which two initiations and their answers can overtake each other, by delaying each of
// the first six messages or not: all data arrives, and both ends end on the same session.
TEST(PeerTest, InitiationsThatCrossLoseNothingAndSettleOnOneSession) {
  for (unsigned delays = 0; delays < 64; ++delays) {
    TunnelPair pair({.seed = delays + 1});
    pair.latency = [&](const auto&) -> Duration {
      const std::size_t number = pair.sent().size() - 1;
      const bool delayed = number < 6 && ((delays >> number) & 1U) != 0;
      return milliseconds(delayed ? 45 : 20);
    };
    pair.Send(kA, "from a");
    pair.Send(kB, "from b");
    pair.RunFor(seconds(1));
    // The last word on which session is used is spoken with the next packets.
    Converse(pair, seconds(1), milliseconds(100));

    EXPECT_EQ(pair.received(kA).size(), 11U) << delays;
    EXPECT_EQ(pair.received(kB).size(), 11U) << delays;
    EXPECT_EQ(pair.received(kA).front(), "from b");
    EXPECT_EQ(pair.CountSent(kA, 1) + pair.CountSent(kB, 1), 2U) << delays;
    EXPECT_EQ(SendingIndex(pair, kA), LoadLe<std::uint32_t>(pair.LastSent(kB, 2), 4)) << delays;
    EXPECT_EQ(SendingIndex(pair, kB), LoadLe<std::uint32_t>(pair.LastSent(kA, 1), 4)) << delays;
  }
}

TEST(PeerTest, RekeysWithoutLossAfterACrossing) {
  TunnelPair pair({.latency = milliseconds(60)});
  pair.Start(kA);
  pair.Start(kB);
  pair.RunFor(seconds(1));

  Converse(pair, minutes(3), milliseconds(40));

  EXPECT_EQ(pair.received(kA).size(), 4500U);
  EXPECT_EQ(pair.received(kB).size(), 4500U);
  EXPECT_EQ(pair.CountSent(kA, 1), 2U);  // A's session won, so A rekeys.
  EXPECT_EQ(pair.CountSent(kB, 1), 1U);
}

TEST(PeerTest, StartHandshakeSendsAFreshInitiationOnEachPath) {
  TunnelPair pair;
  pair.loses = [](const auto&) { return true; };
  pair.Start(kA);
  const auto first = pair.LastSent(kA, 1);
  pair.Start(kA);
  const auto second = pair.LastSent(kA, 1);
  EXPECT_NE(first, second);

  // Even at the same time, each alone would be accepted, and in this order both.
  EXPECT_TRUE(pair.Inject(kB, first).has_value());
  pair.RunFor(kInitiationInterval);
  EXPECT_TRUE(pair.Inject(kB, second).has_value());
}

TEST(PeerTest, TakesTheResponseToAnyInitiationInFlight) {
  TunnelPair pair;
  // The first goes over the slow path. The second arrives right behind it, and too soon to be
  // answered; so the response to the first is all there will be.
  pair.latency = [&](const auto& sent) -> Duration {
    return milliseconds(sent.type() == 1 && pair.sent().size() == 1 ? 40 : 15);
  };
  pair.Start(kA);
  pair.RunFor(milliseconds(30));
  pair.Start(kA);
  pair.RunFor(milliseconds(100));

  EXPECT_EQ(pair.b().counters().flooded_initiation, 1U);
  EXPECT_TRUE(pair.a().Stats(kPeer).has_session);
  EXPECT_TRUE(pair.b().Stats(kPeer).has_session);
}

// What two agents do that find several paths at about the same time.
TEST(PeerTest, LosesNothingWhenBothEndsStartOnSeveralPaths) {
  for (const auto gap : {milliseconds(5), milliseconds(25), milliseconds(60)}) {
    TunnelPair pair({.latency = milliseconds(50)});
    for (int path = 0; path < 3; ++path) {
      pair.Start(kA);
      pair.Start(kB);
      pair.Send(kA, "queued");
      pair.RunFor(gap);
    }
    Converse(pair, seconds(1), milliseconds(5));

    EXPECT_EQ(pair.received(kB).size(), 203U) << gap.count();
    EXPECT_EQ(pair.received(kA).size(), 200U) << gap.count();
    EXPECT_EQ(SendingIndex(pair, kA), LoadLe<std::uint32_t>(pair.LastSent(kB, 2), 4));
  }
}

TEST(PeerTest, AnOldSessionIsNotPreferredToThatOfAPeerThatRestarted) {
  for (const auto side : {kA, kB}) {
    TunnelPair pair;
    pair.Start(side);
    pair.RunFor(seconds(2));
    pair.Restart(TunnelPair::Other(side));
    pair.Start(TunnelPair::Other(side));
    pair.RunFor(milliseconds(100));

    pair.Send(side, "to the one that is there");
    pair.RunFor(milliseconds(100));

    EXPECT_EQ(pair.received(TunnelPair::Other(side)).size(), 1U);
  }
}

TEST(PeerTest, RemembersOnlyAFewInitiations) {
  TunnelPair pair;
  pair.loses = [](const auto&) { return true; };
  pair.Start(kA);
  pair.Inject(kB, pair.LastSent(kA, 1));
  for (std::size_t i = 0; i < kMaxInitiationsInFlight; ++i) {
    pair.Start(kA);
  }

  EXPECT_EQ(pair.Inject(kA, pair.LastSent(kB, 2)), std::nullopt);
  EXPECT_EQ(pair.a().counters().unknown_index, 1U);
}

TEST(PeerTest, RefusesAResponseThatComesTooLate) {
  TunnelPair pair;
  pair.loses = [](const auto&) { return true; };
  pair.Start(kA);
  pair.Inject(kB, pair.LastSent(kA, 1));
  pair.RunFor(kResponseDeadline + milliseconds(1));

  EXPECT_EQ(pair.Inject(kA, pair.LastSent(kB, 2)), std::nullopt);
  EXPECT_EQ(pair.a().counters().late_response, 1U);
}

TEST(PeerTest, StartHandshakeShowsThePathWhenThereIsASession) {
  TunnelPair pair;
  pair.Connect();
  const std::size_t keepalives = pair.CountKeepalives(kA);

  pair.Start(kA);

  EXPECT_EQ(pair.CountKeepalives(kA), keepalives + 1);
  EXPECT_EQ(pair.CountSent(kA, 1), 1U);
}

TEST(PeerTest, AKeepaliveWithoutASessionAsksForOneAtMostEveryFiveSeconds) {
  TunnelPair pair;
  pair.loses = [](const auto&) { return true; };
  for (int i = 0; i < 4; ++i) {
    pair.Keepalive(kA);
    pair.RunFor(seconds(1));
  }

  EXPECT_EQ(pair.CountSent(kA, 1), 1U);
}

}  // namespace
}  // namespace floe::tunnel
