#include "signaling/negotiation.h"

#include <gtest/gtest.h>
#include <optional>
#include <ostream>
#include <string_view>
#include <vector>

namespace floe::signaling {

void PrintTo(Negotiation::Verdict verdict, std::ostream* out) {
  *out << ToString(verdict);
}

namespace {

using Verdict = Negotiation::Verdict;

constexpr PublicKey kLow{{1}};
constexpr PublicKey kHigh{{2}};

Message From(Negotiation& sender, MessageKind kind) {
  return {.kind = kind,
          .session = sender.session(),
          .generation = sender.generation(),
          .seq = sender.NextSeq()};
}

Message Offer(Negotiation& sender, std::uint64_t unix_ms) {
  sender.StartOffer(unix_ms);
  return From(sender, MessageKind::kOffer);
}

Message Restart(Negotiation& sender) {
  EXPECT_TRUE(sender.StartRestart());
  return From(sender, MessageKind::kOffer);
}

Message Answer(Negotiation& sender) {
  return From(sender, MessageKind::kAnswer);
}

Message Candidate(Negotiation& sender) {
  return From(sender, MessageKind::kCandidate);
}

Message Stale(const Negotiation& sender) {
  return {.kind = MessageKind::kStale, .session = sender.newest_session()};
}

/// Two peers; the offer of `low_` wins when two cross.
class NegotiationTest : public ::testing::Test {
 protected:
  void Settle(Negotiation& offerer, Negotiation& answerer, std::uint64_t unix_ms) {
    ASSERT_EQ(answerer.Judge(Offer(offerer, unix_ms)), Verdict::kAnswerOffer);
    ASSERT_EQ(offerer.Judge(Answer(answerer)), Verdict::kTakeAnswer);
  }

  void ExpectSettledOn(std::uint64_t session, std::uint32_t generation,
                       const Negotiation& offerer) const {
    for (const Negotiation* side : {&low_, &high_}) {
      EXPECT_EQ(side->session(), session);
      EXPECT_EQ(side->generation(), generation);
      EXPECT_FALSE(side->offer_outstanding());
      EXPECT_EQ(side->is_offerer(), side == &offerer);
    }
  }

  Negotiation low_{kLow, kHigh};
  Negotiation high_{kHigh, kLow};
};

TEST_F(NegotiationTest, StartsWithNothing) {
  EXPECT_EQ(low_.session(), 0U);
  EXPECT_FALSE(low_.offer_outstanding());
  EXPECT_FALSE(low_.is_offerer());
  EXPECT_FALSE(low_.StartRestart());
}

TEST_F(NegotiationTest, SettlesOnAnOfferThatIsAnswered) {
  const Message offer = Offer(high_, 1000);
  EXPECT_TRUE(high_.offer_outstanding());

  EXPECT_EQ(low_.Judge(offer), Verdict::kAnswerOffer);
  EXPECT_EQ(high_.Judge(Answer(low_)), Verdict::kTakeAnswer);

  ExpectSettledOn(1000, 0, high_);
}

TEST_F(NegotiationTest, NumbersSessionsByTheClockUnlessItIsBehind) {
  EXPECT_EQ(low_.StartOffer(1000), 1000U);
  EXPECT_EQ(low_.StartOffer(1000), 1001U);
  EXPECT_EQ(low_.StartOffer(5), 1002U);
  EXPECT_EQ(low_.Judge(Offer(high_, 7000)), Verdict::kKeepOffer);
  EXPECT_EQ(low_.StartOffer(2000), 7001U);
}

TEST_F(NegotiationTest, LowerKeyWinsWhenOffersCross) {
  for (const std::uint64_t low_ms : {1000U, 2000U, 3000U}) {  // Below, equal to and above 2000.
    low_ = Negotiation(kLow, kHigh);
    high_ = Negotiation(kHigh, kLow);
    const Message of_low = Offer(low_, low_ms);
    const Message of_high = Offer(high_, 2000);

    EXPECT_EQ(low_.Judge(of_high), Verdict::kKeepOffer);
    EXPECT_EQ(high_.Judge(of_low), Verdict::kAnswerOffer);
    EXPECT_EQ(low_.Judge(Answer(high_)), Verdict::kTakeAnswer);

    ExpectSettledOn(low_ms, 0, low_);
  }
}

TEST_F(NegotiationTest, RestartsGenerationByGeneration) {
  Settle(high_, low_, 1000);

  EXPECT_EQ(high_.Judge(Restart(low_)), Verdict::kAnswerOffer);
  EXPECT_EQ(low_.Judge(Answer(high_)), Verdict::kTakeAnswer);
  ExpectSettledOn(1000, 1, low_);
  EXPECT_EQ(low_.Judge(Restart(high_)), Verdict::kAnswerOffer);
  EXPECT_EQ(high_.Judge(Answer(low_)), Verdict::kTakeAnswer);
  ExpectSettledOn(1000, 2, high_);
}

TEST_F(NegotiationTest, LowerKeyWinsWhenRestartsCross) {
  Settle(high_, low_, 1000);
  const Message of_low = Restart(low_);
  const Message of_high = Restart(high_);

  EXPECT_EQ(low_.Judge(of_high), Verdict::kKeepOffer);
  EXPECT_EQ(high_.Judge(of_low), Verdict::kAnswerOffer);
  EXPECT_EQ(low_.Judge(Answer(high_)), Verdict::kTakeAnswer);

  ExpectSettledOn(1000, 1, low_);
}

TEST_F(NegotiationTest, TakesARestartOfASessionItHasForgotten) {
  Settle(low_, high_, 1000);
  high_ = Negotiation(kHigh, kLow);

  EXPECT_EQ(high_.Judge(Restart(low_)), Verdict::kAnswerOffer);
  EXPECT_EQ(low_.Judge(Answer(high_)), Verdict::kTakeAnswer);

  ExpectSettledOn(1000, 1, low_);
}

TEST_F(NegotiationTest, IgnoresDuplicates) {
  const Message offer = Offer(low_, 1000);
  ASSERT_EQ(high_.Judge(offer), Verdict::kAnswerOffer);
  const Message answer = Answer(high_);
  ASSERT_EQ(low_.Judge(answer), Verdict::kTakeAnswer);

  EXPECT_EQ(high_.Judge(offer), Verdict::kIgnore);
  EXPECT_EQ(low_.Judge(answer), Verdict::kIgnore);
  ExpectSettledOn(1000, 0, low_);
}

TEST_F(NegotiationTest, AnswersAgainWhenTheAnswerWasLost) {
  Message offer = Offer(low_, 1000);
  ASSERT_EQ(high_.Judge(offer), Verdict::kAnswerOffer);
  static_cast<void>(Answer(high_));  // Lost.
  ASSERT_EQ(low_.Judge(Offer(high_, 2000)), Verdict::kKeepOffer);

  offer.seq = low_.NextSeq();
  EXPECT_EQ(high_.Judge(offer), Verdict::kAnswerOffer);
  EXPECT_FALSE(high_.offer_outstanding());
  EXPECT_EQ(low_.Judge(Answer(high_)), Verdict::kTakeAnswer);
  ExpectSettledOn(1000, 0, low_);
}

TEST_F(NegotiationTest, TellsTheSenderOfAStaleOfferWhatToBeat) {
  Settle(low_, high_, 9000);
  low_ = Negotiation(kLow, kHigh);  // Starts again with a clock that is behind.

  ASSERT_EQ(high_.Judge(Offer(low_, 1000)), Verdict::kReplyStale);
  EXPECT_EQ(low_.Judge(Stale(high_)), Verdict::kOfferAgain);
  EXPECT_EQ(low_.StartOffer(1001), 9001U);
  EXPECT_EQ(high_.Judge(From(low_, MessageKind::kOffer)), Verdict::kAnswerOffer);
  EXPECT_EQ(low_.Judge(Answer(high_)), Verdict::kTakeAnswer);

  ExpectSettledOn(9001, 0, low_);
}

TEST_F(NegotiationTest, RefusesAnOldOfferOfASettledSession) {
  const Message old = Offer(low_, 1000);
  Settle(low_, high_, 2000);
  const Message restart = Restart(low_);
  ASSERT_EQ(high_.Judge(restart), Verdict::kAnswerOffer);
  ASSERT_EQ(low_.Judge(Answer(high_)), Verdict::kTakeAnswer);

  EXPECT_EQ(high_.Judge(old), Verdict::kReplyStale);
  EXPECT_EQ(high_.Judge(restart), Verdict::kReplyStale);
  EXPECT_EQ(low_.Judge(Stale(high_)), Verdict::kIgnore);
  ExpectSettledOn(2000, 1, low_);
}

TEST_F(NegotiationTest, KeepsRefusingAnOfferThatLost) {
  const Message lost = Offer(high_, 2000);
  const Message won = Offer(low_, 1000);
  ASSERT_EQ(low_.Judge(lost), Verdict::kKeepOffer);
  ASSERT_EQ(high_.Judge(won), Verdict::kAnswerOffer);
  ASSERT_EQ(low_.Judge(Answer(high_)), Verdict::kTakeAnswer);
  ASSERT_EQ(low_.Judge(Restart(high_)), Verdict::kAnswerOffer);
  ASSERT_EQ(high_.Judge(Answer(low_)), Verdict::kTakeAnswer);

  EXPECT_EQ(low_.Judge(lost), Verdict::kReplyStale);  // Though its number is above the settled one.
  ExpectSettledOn(1000, 1, high_);
}

TEST_F(NegotiationTest, KeepsRefusingARestartThatLost) {
  Settle(low_, high_, 1000);
  ASSERT_TRUE(high_.StartRestart());
  const Message lost = Restart(high_);  // Generation 2.
  const Message won = Restart(low_);    // Generation 1.
  ASSERT_EQ(low_.Judge(lost), Verdict::kKeepOffer);
  ASSERT_EQ(high_.Judge(won), Verdict::kAnswerOffer);
  ASSERT_EQ(low_.Judge(Answer(high_)), Verdict::kTakeAnswer);
  const Message next = Restart(high_);
  ASSERT_EQ(low_.Judge(next), Verdict::kAnswerOffer);

  EXPECT_EQ(next.generation, 3U);
  EXPECT_EQ(low_.Judge(lost), Verdict::kReplyStale);
}

TEST_F(NegotiationTest, TakesAnswersToTheWaitingOfferOnly) {
  const Message offer = Offer(low_, 1000);
  ASSERT_EQ(high_.Judge(offer), Verdict::kAnswerOffer);
  const Message late = Answer(high_);
  const std::uint64_t session = low_.StartOffer(1000);

  EXPECT_EQ(low_.Judge(late), Verdict::kIgnore);
  Message wrong = late;
  wrong.session = session;
  wrong.generation = 1;
  EXPECT_EQ(low_.Judge(wrong), Verdict::kIgnore);
  EXPECT_TRUE(low_.offer_outstanding());
  EXPECT_EQ(high_.Judge(late), Verdict::kIgnore);
}

TEST_F(NegotiationTest, TakesEachCandidateOnce) {
  Settle(low_, high_, 1000);
  const Message first = Candidate(low_);
  Message end = From(low_, MessageKind::kEndOfCandidates);

  EXPECT_EQ(high_.Judge(first), Verdict::kTakeCandidates);
  EXPECT_EQ(high_.Judge(first), Verdict::kIgnore);
  EXPECT_EQ(high_.Judge(end), Verdict::kTakeCandidates);
  EXPECT_EQ(high_.Judge(end), Verdict::kIgnore);
  EXPECT_EQ(low_.Judge(Candidate(high_)), Verdict::kTakeCandidates);
}

TEST_F(NegotiationTest, KeepsEarlyCandidatesForTheirOffer) {
  Settle(low_, high_, 1000);
  const Message restart = Restart(low_);
  const Message candidate = Candidate(low_);

  EXPECT_EQ(high_.Judge(candidate), Verdict::kEarly);
  EXPECT_EQ(high_.Judge(restart), Verdict::kAnswerOffer);
  EXPECT_EQ(high_.Judge(candidate), Verdict::kTakeCandidates);
}

TEST_F(NegotiationTest, IgnoresCandidatesOfWhatIsOver) {
  Settle(low_, high_, 1000);
  const Message of_session = Candidate(low_);
  Settle(low_, high_, 2000);
  const Message of_generation = Candidate(low_);
  ASSERT_EQ(high_.Judge(Restart(low_)), Verdict::kAnswerOffer);

  EXPECT_EQ(high_.Judge(of_session), Verdict::kIgnore);
  EXPECT_EQ(high_.Judge(of_generation), Verdict::kIgnore);
}

TEST_F(NegotiationTest, IgnoresCandidatesOfAnOfferThatLost) {
  const Message lost = Offer(high_, 1000);
  const Message candidate = Candidate(high_);
  const Message won = Offer(low_, 1000);  // The same number.
  ASSERT_EQ(low_.Judge(lost), Verdict::kKeepOffer);

  EXPECT_EQ(low_.Judge(candidate), Verdict::kIgnore);
  ASSERT_EQ(high_.Judge(won), Verdict::kAnswerOffer);
  ASSERT_EQ(low_.Judge(Answer(high_)), Verdict::kTakeAnswer);
  EXPECT_EQ(low_.Judge(candidate), Verdict::kIgnore);
  EXPECT_EQ(low_.Judge(Candidate(high_)), Verdict::kTakeCandidates);
}

TEST_F(NegotiationTest, GoesBackToTheSettledEpochWhenAnOfferIsWithdrawn) {
  Settle(high_, low_, 1000);
  low_.StartOffer(2000);
  ASSERT_EQ(low_.session(), 2000U);

  low_.WithdrawOffer();

  ExpectSettledOn(1000, 0, high_);
  EXPECT_EQ(low_.Judge(Candidate(high_)), Verdict::kTakeCandidates);
  EXPECT_EQ(high_.Judge(Candidate(low_)), Verdict::kTakeCandidates);
  EXPECT_EQ(low_.StartOffer(0), 2001U);
}

TEST_F(NegotiationTest, StillWaitsForAnEarlierOfferWhenTheLaterOneIsWithdrawn) {
  const Message in_flight = Offer(low_, 1000);
  ASSERT_TRUE(low_.StartRestart());

  low_.WithdrawOffer();

  EXPECT_TRUE(low_.offer_outstanding());
  EXPECT_EQ(low_.Judge(Offer(high_, 500)), Verdict::kKeepOffer);
  EXPECT_EQ(high_.Judge(in_flight), Verdict::kAnswerOffer);
  EXPECT_EQ(low_.Judge(Answer(high_)), Verdict::kTakeAnswer);
  ExpectSettledOn(1000, 0, low_);
}

TEST_F(NegotiationTest, NeverUsesAGenerationTwice) {
  Settle(high_, low_, 1000);

  EXPECT_EQ(low_.StartRestart(), 1U);
  low_.WithdrawOffer();
  EXPECT_EQ(low_.StartRestart(), 2U);
}

TEST_F(NegotiationTest, NeedsASessionWhenGenerationsAreUsedUp) {
  Settle(low_, high_, 1000);
  Message last = From(low_, MessageKind::kOffer);
  last.generation = 4'294'967'295;
  ASSERT_EQ(high_.Judge(last), Verdict::kAnswerOffer);

  EXPECT_FALSE(high_.StartRestart());
  EXPECT_FALSE(high_.offer_outstanding());
}

TEST_F(NegotiationTest, IgnoresStaleRepliesToOlderOffers) {
  const Message old = {.kind = MessageKind::kStale, .session = 1500};
  EXPECT_EQ(low_.Judge(old), Verdict::kIgnore);
  low_.StartOffer(2000);

  EXPECT_EQ(low_.Judge(old), Verdict::kIgnore);
  EXPECT_TRUE(low_.offer_outstanding());
}

TEST_F(NegotiationTest, IgnoresSessionsThatCannotBe) {
  for (const std::uint64_t session : {std::uint64_t{0}, kMaxSession + 1, ~std::uint64_t{0}}) {
    for (const MessageKind kind : {MessageKind::kOffer, MessageKind::kAnswer,
                                   MessageKind::kCandidate, MessageKind::kStale}) {
      EXPECT_EQ(low_.Judge({.kind = kind, .session = session, .seq = 1}), Verdict::kIgnore);
    }
  }
  EXPECT_EQ(low_.newest_session(), 0U);
}

}  // namespace
}  // namespace floe::signaling
