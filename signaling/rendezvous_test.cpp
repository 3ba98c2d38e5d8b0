// Client against Hub, over streams in memory and in virtual time.

#include <chrono>
#include <gtest/gtest.h>
#include <string>

#include "tests/support/signaling_world.h"

namespace floe::signaling {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::SignalingWorld;

using Network = SignalingWorld::Network;
using Node = SignalingWorld::Node;
using Result = Answered::Result;

TEST(RendezvousTest, LogsInInTheRoundTripsItTakes) {
  SignalingWorld world;
  Node& node = world.AddNode();
  node.client->Start(world.now);

  world.Run(6 * SignalingWorld::kOneWay);  // Connect, upgrade with challenge, hello with welcome.

  ASSERT_EQ(node.All<LoggedIn>().size(), 1U);
  const Welcome& welcome = node.All<LoggedIn>()[0]->welcome;
  EXPECT_EQ(node.client->state(), Client::State::kLoggedIn);
  EXPECT_EQ(ToString(welcome.you), "203.0.113.7:4711");
  EXPECT_EQ(welcome.stun.size(), 1U);
  ASSERT_EQ(welcome.turn.size(), 1U);
  EXPECT_EQ(welcome.turn[0].password.text(), "secret");
  EXPECT_TRUE(world.hub.IsOnline(node.public_key));
}

TEST(RendezvousTest, MeasuresTheRoundTrip) {
  SignalingWorld world;
  const Node& node = world.AddOnlineNode();

  EXPECT_EQ(node.client->rtt(), 2 * SignalingWorld::kOneWay);
}

TEST(RendezvousTest, CarriesABox) {
  SignalingWorld world;
  const Node& a = world.AddOnlineNode();
  const Node& b = world.AddOnlineNode();

  const std::uint64_t id = a.client->Send(world.now, b.public_key, "Zm9v");
  world.Run(seconds(1));

  ASSERT_EQ(b.All<Received>().size(), 1U);
  EXPECT_EQ(b.All<Received>()[0]->from, a.public_key);
  EXPECT_EQ(b.All<Received>()[0]->box, "Zm9v");
  ASSERT_EQ(a.All<Answered>().size(), 1U);
  EXPECT_EQ(a.All<Answered>()[0]->id, id);
  EXPECT_EQ(a.All<Answered>()[0]->to, b.public_key);
  EXPECT_EQ(a.All<Answered>()[0]->result, Result::kDelivered);
}

TEST(RendezvousTest, CarriesBoxesInOrder) {
  SignalingWorld world;
  const Node& a = world.AddOnlineNode();
  const Node& b = world.AddOnlineNode();

  for (const char* box : {"AAAA", "BBBB", "CCCC"}) {
    a.client->Send(world.now, b.public_key, box);
  }
  world.Run(seconds(1));

  std::string all;
  for (const Received* received : b.All<Received>()) {
    all += received->box;
  }
  EXPECT_EQ(all, "AAAABBBBCCCC");
}

TEST(RendezvousTest, CarriesALargestBoxAndRefusesALargerOne) {
  SignalingWorld world;
  const Node& a = world.AddOnlineNode();
  const Node& b = world.AddOnlineNode();

  a.client->Send(world.now, b.public_key, std::string(kMaxBoxSize, 'a'));
  a.client->Send(world.now, b.public_key, std::string(kMaxBoxSize + 4, 'a'));
  world.Run(seconds(1));

  ASSERT_EQ(a.All<Answered>().size(), 2U);
  EXPECT_EQ(a.All<Answered>()[0]->result, Result::kTooLarge) << "at once";
  EXPECT_EQ(a.All<Answered>()[1]->result, Result::kDelivered);
  EXPECT_EQ(b.All<Received>().size(), 1U);
}

TEST(RendezvousTest, AnswersOfflineAtOnce) {
  SignalingWorld world;
  const Node& a = world.AddOnlineNode();
  const Node& b = world.AddNode();

  a.client->Send(world.now, b.public_key, "Zm9v");
  world.Run(2 * SignalingWorld::kOneWay);

  ASSERT_EQ(a.All<Answered>().size(), 1U);
  EXPECT_EQ(a.All<Answered>()[0]->result, Result::kOffline);
}

TEST(RendezvousTest, SendsRightBehindTheHello) {
  SignalingWorld world;
  const Node& b = world.AddOnlineNode();
  Node& a = world.AddNode();
  a.client->Start(world.now);
  a.client->Send(world.now, b.public_key, "Zm9v");

  // Connect 2, upgrade and challenge 2, hello with the message 1, delivery 1.
  world.Run(6 * SignalingWorld::kOneWay);

  EXPECT_EQ(b.All<Received>().size(), 1U);
  EXPECT_EQ(a.All<LoggedIn>().size(), 1U);
  ASSERT_EQ(a.All<Answered>().size(), 1U);
  EXPECT_EQ(a.All<Answered>()[0]->result, Result::kDelivered);
}

TEST(RendezvousTest, LimitsTheRateOfMessages) {
  SignalingWorld world;
  const Node& a = world.AddOnlineNode();
  const Node& b = world.AddOnlineNode();

  for (int i = 0; i < 100; ++i) {
    a.client->Send(world.now, b.public_key, "Zm9v");
  }
  world.Run(seconds(1));

  EXPECT_EQ(b.All<Received>().size(), 60U);
  EXPECT_EQ(world.hub.counters().limited, 40U);
  const auto answers = a.All<Answered>();
  ASSERT_EQ(answers.size(), 100U);
  EXPECT_EQ(answers[59]->result, Result::kDelivered);
  EXPECT_EQ(answers[60]->result, Result::kLimited);
  EXPECT_EQ(a.client->state(), Client::State::kLoggedIn);
}

TEST(RendezvousTest, StaysLoggedInForADay) {
  SignalingWorld world;
  const Node& node = world.AddOnlineNode();

  world.Run(std::chrono::hours(24));

  EXPECT_EQ(node.connects.size(), 1U);
  EXPECT_TRUE(node.All<LoggedOut>().empty());
  EXPECT_EQ(world.hub.counters().logins, 1U);
}

TEST(RendezvousTest, RenewsCredentialsBeforeTheyRunOut) {
  SignalingWorld world;
  const Node& node = world.AddOnlineNode();

  world.Run(minutes(29));
  EXPECT_TRUE(node.All<Renewed>().empty());
  world.Run(minutes(2));

  ASSERT_EQ(node.All<Renewed>().size(), 1U);
  EXPECT_TRUE(node.All<Renewed>()[0]->welcome.turn[0].username.ends_with("/2"));
  EXPECT_EQ(node.All<LoggedIn>().size(), 1U);
}

TEST(RendezvousTest, BothEndsNoticeADeadConnection) {
  SignalingWorld world;
  Node& node = world.AddOnlineNode();
  node.network = Network::kBlackHole;

  // The client pings after 25 s of its latest ping and waits 10 s; the server 30 s and 10 s.
  world.Run(seconds(36));
  EXPECT_EQ(node.All<LoggedOut>().size(), 1U);
  world.Run(seconds(6));
  EXPECT_FALSE(world.hub.IsOnline(node.public_key));
  EXPECT_EQ(world.hub.connections(), 0U);

  node.network = Network::kUp;
  world.Run(seconds(45));
  EXPECT_EQ(node.client->state(), Client::State::kLoggedIn);
}

TEST(RendezvousTest, BacksOffWhileTheServerRefuses) {
  SignalingWorld world;
  Node& node = world.AddNode();
  node.network = Network::kRefuses;
  node.client->Start(world.now);

  world.Run(minutes(10));

  EXPECT_GT(node.connects.size(), 20U) << "a mean of 15 s between attempts";
  EXPECT_LT(node.connects.size(), 80U);
  for (std::size_t i = 1; i < node.connects.size(); ++i) {
    EXPECT_LE(node.connects[i] - node.connects[i - 1], seconds(31));
  }
  for (const LoggedOut* out : node.All<LoggedOut>()) {
    EXPECT_EQ(out->reason, "connection refused");
    EXPECT_TRUE(out->retry_at.has_value());
  }
}

TEST(RendezvousTest, GivesUpAConnectionThatDoesNotLogIn) {
  SignalingWorld world;
  Node& node = world.AddNode();
  node.network = Network::kBlackHole;
  node.client->Start(world.now);

  world.Run(seconds(10));

  ASSERT_EQ(node.All<LoggedOut>().size(), 1U);
  EXPECT_EQ(node.All<LoggedOut>()[0]->reason, "the login took too long");
}

TEST(RendezvousTest, LeavesADeadConnectionThreeSecondsAfterANetworkChange) {
  SignalingWorld world;
  Node& node = world.AddOnlineNode();
  node.network = Network::kBlackHole;
  world.Run(milliseconds(100));

  node.client->HandleNetworkChange(world.now);
  world.Run(milliseconds(2990));
  EXPECT_EQ(node.connects.size(), 1U);
  node.network = Network::kUp;
  world.Run(milliseconds(200));

  EXPECT_EQ(node.connects.size(), 2U) << "at once, without a delay";
  EXPECT_EQ(node.client->state(), Client::State::kLoggedIn);
}

TEST(RendezvousTest, KeepsALivingConnectionThroughANetworkChange) {
  SignalingWorld world;
  const Node& node = world.AddOnlineNode();

  node.client->HandleNetworkChange(world.now);
  world.Run(minutes(5));

  EXPECT_EQ(node.connects.size(), 1U);
}

TEST(RendezvousTest, DoesNotWaitOutTheDelayWhenTheNetworkChanges) {
  SignalingWorld world;
  Node& node = world.AddNode();
  node.network = Network::kRefuses;
  node.client->Start(world.now);
  while (node.client->state() != Client::State::kWaiting ||
         *node.client->NextTimeout() < world.now + seconds(5)) {
    world.Run(milliseconds(100));
  }

  node.network = Network::kUp;
  node.client->HandleNetworkChange(world.now);
  world.Run(milliseconds(100));

  EXPECT_EQ(node.client->state(), Client::State::kLoggedIn);
}

TEST(RendezvousTest, TheNewestLoginOfANodeWins) {
  SignalingWorld world;
  const Node& older = world.AddOnlineNode();
  Node& newer = world.AddNode(older.key.Clone());
  const Node& other = world.AddOnlineNode();

  newer.client->Start(world.now);
  world.Run(6 * SignalingWorld::kOneWay);
  other.client->Send(world.now, newer.public_key, "Zm9v");
  world.Run(2 * SignalingWorld::kOneWay);

  ASSERT_EQ(older.All<LoggedOut>().size(), 1U);
  EXPECT_EQ(older.All<LoggedOut>()[0]->reason, "refused by the server: replaced by a newer login");
  EXPECT_EQ(newer.All<Received>().size(), 1U);
  EXPECT_EQ(world.hub.online(), 2U);
  EXPECT_EQ(world.hub.counters().replaced, 1U);
}

TEST(RendezvousTest, AnswersEveryMessageWhenTheConnectionIsLost) {
  SignalingWorld world;
  Node& a = world.AddOnlineNode();
  const Node& b = world.AddOnlineNode();
  a.network = Network::kBlackHole;

  a.client->Send(world.now, b.public_key, "Zm9v");
  a.client->Send(world.now, b.public_key, "Zm9v");
  world.Run(seconds(40));

  ASSERT_EQ(a.All<Answered>().size(), 2U);
  EXPECT_EQ(a.All<Answered>()[0]->result, Result::kNotConnected);
  EXPECT_EQ(a.All<Answered>()[1]->result, Result::kNotConnected);
}

TEST(RendezvousTest, StopsAndStartsAgain) {
  SignalingWorld world;
  const Node& node = world.AddOnlineNode();

  node.client->Stop(world.now);
  world.Run(minutes(1));
  EXPECT_EQ(world.hub.connections(), 0U);
  EXPECT_EQ(node.client->NextTimeout(), std::nullopt);
  ASSERT_EQ(node.All<LoggedOut>().size(), 1U);
  EXPECT_EQ(node.All<LoggedOut>()[0]->retry_at, std::nullopt);

  node.client->Start(world.now);
  world.Run(seconds(1));
  EXPECT_EQ(node.client->state(), Client::State::kLoggedIn);
}

}  // namespace
}  // namespace floe::signaling
