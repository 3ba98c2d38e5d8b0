#include "tunnel/session_slots.h"

#include <gtest/gtest.h>
#include <utility>

#include "tests/support/fake_random.h"
#include "tunnel/peer.h"

namespace floe::tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Role = Session::Role;
using Winner = SessionSlots::CrossingWinner;

constexpr TimePoint kStart{std::chrono::hours(1)};

class SessionSlotsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Session> Make(Role role, Duration after) {
    return std::make_unique<Session>(kStart + after, role, indices_.Allocate(random_, owner()), 0,
                                     TransportKeys{});
  }

  /// Adds a session of ours; it stays known to the test whatever the slots do with it.
  Session* Initiate(SessionSlots& slots, Duration after) {
    auto session = Make(Role::kInitiator, after);
    Session* const borrowed = session.get();
    slots.AddInitiated(std::move(session));
    return borrowed;
  }

  Session* Respond(SessionSlots& slots, Duration after) {
    auto session = Make(Role::kResponder, after);
    Session* const borrowed = session.get();
    slots.AddResponded(std::move(session));
    return borrowed;
  }

  // Never looked into: only its address goes into the table.
  Peer& owner() { return *reinterpret_cast<Peer*>(&storage_); }

  test::FakeRandom random_;
  IndexTable indices_;
  alignas(Peer) char storage_ = 0;
};

TEST_F(SessionSlotsTest, AnInitiatedSessionIsCurrentAtOnce) {
  SessionSlots slots(Winner::kUs);
  Session* const session = Initiate(slots, seconds(0));

  EXPECT_EQ(slots.current(), session);
  EXPECT_FALSE(slots.HandleReceived(kStart, *session));
}

TEST_F(SessionSlotsTest, ARespondedSessionIsCurrentOnceItHasReceived) {
  SessionSlots slots(Winner::kUs);
  Session* const session = Respond(slots, seconds(0));
  EXPECT_EQ(slots.current(), nullptr);
  EXPECT_EQ(slots.Find(session->local_index()), session);

  EXPECT_TRUE(slots.HandleReceived(kStart, *session));
  EXPECT_EQ(slots.current(), session);
  EXPECT_FALSE(slots.HandleReceived(kStart, *session));
}

TEST_F(SessionSlotsTest, AReplacedSessionGoesOnReceiving) {
  SessionSlots slots(Winner::kUs);
  Session* const first = Initiate(slots, seconds(0));
  const std::uint32_t index = first->local_index();
  Session* const second = Initiate(slots, seconds(120));

  EXPECT_EQ(slots.current(), second);
  EXPECT_EQ(slots.Find(index), first);

  Initiate(slots, seconds(240));
  EXPECT_EQ(slots.Find(index), nullptr);  // Expired in the meantime.
}

TEST_F(SessionSlotsTest, OfACrossingTheWinnersSessionIsUsed) {
  for (const auto winner : {Winner::kUs, Winner::kPeer}) {
    SessionSlots slots(winner);
    Session* const theirs = Respond(slots, milliseconds(0));
    Session* const ours = Initiate(slots, milliseconds(50));
    EXPECT_EQ(slots.current(), ours);

    EXPECT_TRUE(slots.HandleReceived(kStart, *theirs));
    EXPECT_EQ(slots.current(), winner == Winner::kUs ? ours : theirs);
    EXPECT_EQ(slots.Find(ours->local_index()), ours);
    EXPECT_EQ(slots.Find(theirs->local_index()), theirs);
  }
}

TEST_F(SessionSlotsTest, TheOrderInACrossingDoesNotMatter) {
  for (const auto winner : {Winner::kUs, Winner::kPeer}) {
    SessionSlots slots(winner);
    Session* const ours = Initiate(slots, milliseconds(0));
    Session* const theirs = Respond(slots, milliseconds(50));

    EXPECT_TRUE(slots.HandleReceived(kStart, *theirs));
    EXPECT_EQ(slots.current(), winner == Winner::kUs ? ours : theirs);
    EXPECT_EQ(slots.Find(ours->local_index()), ours);
  }
}

TEST_F(SessionSlotsTest, ALaterSessionOfThePeerIsNoCrossing) {
  SessionSlots slots(Winner::kUs);
  Initiate(slots, seconds(0));
  Session* const theirs = Respond(slots, seconds(1));

  EXPECT_TRUE(slots.HandleReceived(kStart, *theirs));
  EXPECT_EQ(slots.current(), theirs);
}

TEST_F(SessionSlotsTest, OfTwoOfThePeerTheLaterIsUsedInWhateverOrderTheyAreConfirmed) {
  SessionSlots slots(Winner::kUs);
  Session* const first = Respond(slots, milliseconds(0));
  Session* const second = Respond(slots, milliseconds(30));

  EXPECT_TRUE(slots.HandleReceived(kStart, *second));
  EXPECT_TRUE(slots.HandleReceived(kStart, *first));
  EXPECT_EQ(slots.current(), second);
}

TEST_F(SessionSlotsTest, AResponseThatWasNeverUsedIsForgotten) {
  SessionSlots slots(Winner::kUs);
  const std::uint32_t index = Respond(slots, seconds(0))->local_index();
  Initiate(slots, seconds(5));

  EXPECT_EQ(slots.Find(index), nullptr);
}

TEST_F(SessionSlotsTest, HoldsABoundedNumber) {
  SessionSlots slots(Winner::kUs);
  for (int i = 0; i < 100; ++i) {
    Respond(slots, milliseconds(20 * i));
  }
  EXPECT_LE(indices_.size(), 2 * kMaxInitiationsInFlight + 2);

  slots.Clear();
  EXPECT_EQ(indices_.size(), 0U);
}

TEST_F(SessionSlotsTest, FollowsAPeerThatWasStartedAgainWithinTheWindowOfACrossing) {
  SessionSlots slots(Winner::kUs);
  Session* const ours = Initiate(slots, seconds(0));
  Session* const theirs = Respond(slots, milliseconds(500));
  EXPECT_TRUE(slots.HandleReceived(kStart + milliseconds(500), *theirs));
  EXPECT_EQ(slots.current(), ours);  // It might be a crossing, which ours wins.

  EXPECT_FALSE(slots.HandleReceived(kStart + milliseconds(900), *theirs));
  EXPECT_EQ(slots.current(), ours);
  EXPECT_FALSE(slots.HandleReceived(kStart + seconds(1), *theirs));
  EXPECT_EQ(slots.current(), theirs);
  EXPECT_EQ(slots.Find(ours->local_index()), ours);
}

}  // namespace
}  // namespace floe::tunnel
