#include "tests/sim/host.h"

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>
#include <vector>

#include "tests/sim/reflector_node.h"
#include "tests/sim/scripted_node.h"
#include "tests/sim/simulation.h"

namespace floe::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;

constexpr TimePoint kStart = Simulation::kStart;

TEST(HostTest, WakesTheNodeWhenItWantsToBe) {
  ScriptedNode node;
  node.next_timeout = kStart + seconds(3);
  Simulation sim(1);
  sim.AddServer().Attach(node);

  sim.RunFor(seconds(10));

  EXPECT_THAT(node.timeouts, ElementsAre(kStart + seconds(3)));
}

TEST(HostTest, FollowsATimeoutThatMoves) {
  ScriptedNode node;
  node.next_timeout = kStart + seconds(5);
  Simulation sim(1);
  Host& host = sim.AddServer();
  host.Attach(node);

  node.next_timeout = kStart + seconds(2);
  host.Poke();
  sim.RunFor(seconds(3));
  node.next_timeout = kStart + seconds(8);
  host.Poke();
  node.next_timeout = kStart + seconds(9);
  host.Poke();
  sim.RunFor(seconds(10));

  EXPECT_THAT(node.timeouts, ElementsAre(kStart + seconds(2), kStart + seconds(9)));
}

TEST(HostTest, DoesNotWakeANodeThatWantsNothingAnyMore) {
  ScriptedNode node;
  node.next_timeout = kStart + seconds(5);
  Simulation sim(1);
  Host& host = sim.AddServer();
  host.Attach(node);

  node.next_timeout.reset();
  host.Poke();
  sim.RunFor(seconds(10));

  EXPECT_TRUE(node.timeouts.empty());
}

TEST(HostTest, ARestartedNodeIsNotWokenByItsPredecessorsTimer) {
  ScriptedNode first;
  first.next_timeout = kStart + seconds(1);
  ScriptedNode second;
  second.next_timeout = kStart + seconds(2);
  Simulation sim(1);
  Host& host = sim.AddServer();
  host.Attach(first);

  host.Detach();
  host.Attach(second);
  sim.RunFor(seconds(5));

  EXPECT_TRUE(first.timeouts.empty());
  EXPECT_THAT(second.timeouts, ElementsAre(kStart + seconds(2)));
}

TEST(HostTest, ASleepingMachineRunsNothingAndWakesLate) {
  ScriptedNode node;
  ScriptedNode other;
  node.next_timeout = kStart + seconds(1);
  Simulation sim(1);
  Host& host = sim.AddServer();
  Host& sender = sim.AddServer();
  host.Attach(node);
  sender.Attach(other);

  host.Suspend();
  other.Send({}, {host.ip4(), 1}, "x");
  sender.Poke();
  sim.RunFor(seconds(60));
  EXPECT_TRUE(node.timeouts.empty());
  host.Resume();
  sim.RunFor(seconds(1));

  EXPECT_TRUE(node.received.empty());
  EXPECT_THAT(node.timeouts, ElementsAre(kStart + seconds(60)));
}

TEST(HostTest, RoamingChangesAddressesAndTellsTheNode) {
  ScriptedNode node;
  Simulation sim(1);
  Site& home = sim.AddSite(SiteKind::kEimApdf);
  Site& cafe = sim.AddSite(SiteKind::kDualStack);
  Host& host = home.AddHost();
  host.Attach(node);
  const IpAddress before = host.ip4();
  ASSERT_THAT(node.addresses, ElementsAre(before));

  host.Roam(cafe);

  EXPECT_EQ(node.addresses, host.addresses());
  EXPECT_EQ(node.addresses.size(), 2U);
  EXPECT_EQ(home.lan().Find(before).interface, nullptr);
  EXPECT_EQ(cafe.lan().Find(host.ip4()).interface, &host.interface());
}

TEST(HostTest, ReaddressingStaysAtTheSite) {
  ScriptedNode node;
  Simulation sim(1);
  Host& host = sim.AddSite(SiteKind::kDualStack).AddHost();
  host.Attach(node);
  const std::vector<IpAddress> before = host.addresses();

  host.Readdress();

  ASSERT_EQ(node.addresses.size(), 2U);
  EXPECT_NE(node.addresses[0], before[0]);
  EXPECT_NE(node.addresses[1], before[1]);
}

TEST(HostTest, APacketUnderWayToAnAddressThatIsGoneIsLost) {
  ScriptedNode node;
  ScriptedNode other;
  Simulation sim(1);
  Site& site = sim.AddSite(SiteKind::kNone, {.delay = milliseconds(50)});
  Host& host = site.AddHost();
  Host& sender = sim.AddServer();
  host.Attach(node);
  sender.Attach(other);
  other.Send({}, {host.ip4(), 1}, "x");
  sender.Poke();

  host.Readdress();
  sim.RunFor(seconds(1));

  EXPECT_TRUE(node.received.empty());
  EXPECT_EQ(sim.network().counters().Dropped(Drop::kNoReceiver), 1U);
}

TEST(HostTest, SendsFromTheInterfaceThatHasTheAddress) {
  ScriptedNode node;
  ReflectorNode reflector;
  Simulation sim(1);
  Site& wired = sim.AddSite(SiteKind::kEimApdf);
  Site& mobile = sim.AddSite(SiteKind::kEimApdf);
  Host& host = wired.AddHost();
  const Interface& second = host.Join(mobile);
  Host& server = sim.AddServer();
  host.Attach(node);
  server.Attach(reflector);

  node.Send({second.addresses.at(0), 7}, {server.ip4(), 3478}, "");
  host.Poke();
  sim.RunFor(seconds(1));

  ASSERT_EQ(node.received.size(), 1U);
  EXPECT_EQ(node.received[0].payload, ToString(SocketAddress{*mobile.public_ip(), 7}));
}

TEST(HostTest, CannotSendFromAnAddressItHasNotOrToAnotherFamily) {
  ScriptedNode node;
  Simulation sim(1);
  Host& host = sim.AddSite(SiteKind::kDualStack).AddHost();
  host.Attach(node);

  node.Send({IpAddress::V4(192, 0, 2, 99), 1}, {IpAddress::V4(198, 51, 100, 10), 1}, "x");
  node.Send({host.ip4(), 1}, {host.ip6(), 1}, "x");
  host.Poke();

  EXPECT_EQ(sim.network().counters().Dropped(Drop::kNoSource), 1U);
  EXPECT_EQ(sim.network().counters().Dropped(Drop::kNoRoute), 1U);
}

TEST(HostTest, AnInterfaceThatIsLeftTakesItsAddressesAlong) {
  ScriptedNode node;
  Simulation sim(1);
  Site& site = sim.AddSite(SiteKind::kEimApdf);
  Host& host = site.AddHost();
  host.Attach(node);

  host.Leave(host.interface());

  EXPECT_TRUE(node.addresses.empty());
}

/// Wants to be woken at once, always.
class SpinningNode final : public ScriptedNode {
 public:
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const override { return TimePoint{}; }
};

/// Always has one more datagram.
class FloodingNode final : public ScriptedNode {
 public:
  [[nodiscard]] std::optional<Transmit> PollTransmit() override {
    return Transmit{.remote = {IpAddress::V4(198, 51, 100, 10), 1}};
  }
};

TEST(HostDeathTest, ANodeThatSpinsEndsTheRun) {
  SpinningNode node;
  Simulation sim(1);
  Host& host = sim.AddServer({.name = "carousel"});
  host.Attach(node);

  EXPECT_DEATH(sim.RunFor(seconds(1)), "carousel spins");
}

TEST(HostDeathTest, ANodeThatNeverStopsSendingEndsTheRun) {
  FloodingNode node;
  Simulation sim(1);
  Host& host = sim.AddServer({.name = "flood"});

  EXPECT_DEATH(host.Attach(node), "flood spins");
}

}  // namespace
}  // namespace floe::sim
