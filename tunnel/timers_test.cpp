#include "tunnel/timers.h"

#include <chrono>
#include <gtest/gtest.h>

namespace floe::tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Expiry = Timers::Expiry;

constexpr TimePoint kStart{std::chrono::hours(1)};

TEST(TimersTest, AskForNothingAtFirst) {
  Timers timers(kStart, Duration{0});

  EXPECT_EQ(timers.NextTimeout(), std::nullopt);
  EXPECT_EQ(timers.PollExpired(kStart + std::chrono::hours(1)), std::nullopt);
}

TEST(TimersTest, RetryAfterRekeyTimeoutAndJitter) {
  Timers timers(kStart, Duration{0});
  timers.BeginAttempts(kStart);
  timers.HandleInitiationSent(kStart, milliseconds(100));

  EXPECT_EQ(timers.NextTimeout(), kStart + milliseconds(5100));
  EXPECT_EQ(timers.PollExpired(kStart + milliseconds(5099)), std::nullopt);
  EXPECT_EQ(timers.PollExpired(kStart + milliseconds(5100)), Expiry::kRetryHandshake);
  EXPECT_FALSE(timers.handshake_pending());
}

TEST(TimersTest, GiveUpAfterRekeyAttemptTimeAndArmTheErasure) {
  Timers timers(kStart, Duration{0});
  timers.BeginAttempts(kStart);
  timers.HandleInitiationSent(kStart + seconds(85), Duration{0});

  EXPECT_EQ(timers.PollExpired(kStart + seconds(90)), Expiry::kGiveUp);
  EXPECT_EQ(timers.NextTimeout(), kStart + seconds(90 + 540));
}

TEST(TimersTest, ACompletedHandshakeIsNotRetried) {
  Timers timers(kStart, Duration{0});
  timers.BeginAttempts(kStart);
  timers.HandleInitiationSent(kStart, Duration{0});
  timers.HandleHandshakeCompleted();

  EXPECT_EQ(timers.PollExpired(kStart + kRekeyTimeout + kMaxJitter), std::nullopt);
}

TEST(TimersTest, InitiationsAreForgottenWhenNoResponseIsAccepted) {
  Timers timers(kStart, Duration{0});
  timers.BeginAttempts(kStart);
  timers.HandleInitiationSent(kStart, Duration{0});
  timers.HandleHandshakeCompleted();

  EXPECT_EQ(timers.NextTimeout(), kStart + kResponseDeadline);
  EXPECT_EQ(timers.PollExpired(kStart + kResponseDeadline), Expiry::kForgetInitiations);
  EXPECT_EQ(timers.NextTimeout(), std::nullopt);
}

TEST(TimersTest, AnswerDataWithAKeepaliveUnlessSomethingIsSent) {
  Timers timers(kStart, Duration{0});
  timers.HandleDataReceived(kStart);
  EXPECT_EQ(timers.NextTimeout(), kStart + seconds(10));

  timers.HandleAuthenticatedSent(kStart + seconds(9));
  EXPECT_EQ(timers.NextTimeout(), std::nullopt);

  timers.HandleDataReceived(kStart + seconds(9));
  EXPECT_FALSE(timers.wants_another_keepalive());
  timers.HandleDataReceived(kStart + seconds(12));
  EXPECT_TRUE(timers.wants_another_keepalive());
  EXPECT_EQ(timers.PollExpired(kStart + seconds(19)), Expiry::kKeepalive);
}

TEST(TimersTest, SuspectASessionThatDoesNotAnswerData) {
  Timers timers(kStart, Duration{0});
  timers.HandleDataSent(kStart);
  timers.HandleDataSent(kStart + seconds(14));  // Does not put it off.
  EXPECT_EQ(timers.PollExpired(kStart + seconds(15)), Expiry::kNewHandshake);

  timers.HandleDataSent(kStart + seconds(20));
  timers.HandleAuthenticatedReceived(kStart + seconds(21));
  EXPECT_EQ(timers.NextTimeout(), std::nullopt);
}

TEST(TimersTest, PersistentKeepaliveIsPutOffByTrafficEitherWay) {
  Timers timers(kStart, seconds(25));
  EXPECT_EQ(timers.NextTimeout(), kStart + seconds(25));

  timers.HandleAuthenticatedSent(kStart + seconds(10));
  EXPECT_EQ(timers.NextTimeout(), kStart + seconds(35));
  timers.HandleAuthenticatedReceived(kStart + seconds(20));
  EXPECT_EQ(timers.PollExpired(kStart + seconds(45)), Expiry::kPersistentKeepalive);
  EXPECT_EQ(timers.NextTimeout(), kStart + seconds(70));
}

TEST(TimersTest, TellOfTheEndOfASessionAndOfItsKeys) {
  Timers timers(kStart, Duration{0});
  timers.HandleSessionDerived(kStart);
  timers.SetSessionExpiry(kStart + kRejectAfterTime);

  EXPECT_EQ(timers.PollExpired(kStart + seconds(180)), Expiry::kSessionExpired);
  EXPECT_EQ(timers.PollExpired(kStart + seconds(539)), std::nullopt);
  EXPECT_EQ(timers.PollExpired(kStart + seconds(540)), Expiry::kEraseKeys);
  EXPECT_EQ(timers.PollExpired(kStart + seconds(540)), std::nullopt);
}

}  // namespace
}  // namespace floe::tunnel
