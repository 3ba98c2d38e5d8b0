// What happens to a link in its life, with whole nodes on both ends.

#include <chrono>
#include <gtest/gtest.h>
#include <string>
#include <string_view>

#include "tests/sim/oracle.h"
#include "tests/sim/packet_observer.h"
#include "tests/sim/world.h"

namespace floe::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// Both nodes, linked as well as they can be, and quiet again.
void StartBoth(World& world, bool direct) {
  world.StartA();
  world.sim().RunFor(seconds(2));
  world.StartB();
  ASSERT_TRUE(world.Within(seconds(20), [&] { return world.Linked(direct); }));
  world.sim().RunFor(seconds(5));
}

TEST(ScenarioTest, TheSecondNodeToComeIsLinkedWithin300Milliseconds) {
  World world({});
  world.StartA();
  world.sim().RunFor(seconds(5));
  const TimePoint start = world.sim().now();

  world.StartB();
  ASSERT_TRUE(world.PingUntilAnswered(start + seconds(5), milliseconds(5)));

  EXPECT_LE(world.sim().now() - start, milliseconds(300));
  EXPECT_TRUE(world.Linked(/*direct=*/true));
}

TEST(ScenarioTest, TwoOnOneLanAreLinkedWithin60MillisecondsOfSignaling) {
  World world({.one_lan = true});
  world.StartA();
  world.sim().RunFor(seconds(5));
  const TimePoint start = world.sim().now();

  world.StartB();
  ASSERT_TRUE(world.PingUntilAnswered(start + seconds(5), milliseconds(2)));

  EXPECT_LE(world.sim().now() - start, milliseconds(140));
  EXPECT_EQ(world.a().engine().link(0).path()->tier(), ice::PathTier::kLan);
}

TEST(ScenarioTest, BothAtOnceAgreeOnOneOffer) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World world({.seed = seed});
    world.StartA();
    world.StartB();
    ASSERT_TRUE(world.Within(seconds(5), [&] { return world.Linked(/*direct=*/true); })) << seed;
  }
}

TEST(ScenarioTest, FallsBackToTheRelayAndReturns) {
  World world({});
  StartBoth(world, /*direct=*/true);
  const auto direct = BlockFar({.ip = *world.site_b().public_ip()});
  world.site_a().Block(direct);
  // Data flows all the time, as it would for a user who notices.
  const TimePoint blocked = world.sim().now();
  ASSERT_TRUE(world.PingUntilAnswered(blocked + seconds(10)));
  EXPECT_TRUE(world.Within(seconds(5), [&] { return world.Linked(/*direct=*/false); }));
  world.sim().RunFor(seconds(60));
  ASSERT_TRUE(world.Linked(/*direct=*/false));

  world.site_a().Unblock();
  EXPECT_TRUE(world.Within(seconds(65), [&] { return world.Linked(/*direct=*/true); }));
  EXPECT_TRUE(world.PingUntilAnswered(world.sim().now() + seconds(2)));
}

TEST(ScenarioTest, AKilledNodeIsLinkedWithinFiveSecondsOfItsReturn) {
  for (const bool kill_a : {true, false}) {
    World world({});
    StartBoth(world, /*direct=*/true);
    kill_a ? world.KillA() : world.KillB();
    world.sim().RunFor(seconds(3));
    const TimePoint back = world.sim().now();

    kill_a ? world.StartA() : world.StartB();
    ASSERT_TRUE(world.PingUntilAnswered(back + seconds(5))) << (kill_a ? "a" : "b");
    EXPECT_TRUE(world.Within(seconds(5), [&] { return world.Linked(/*direct=*/true); }));
  }
}

TEST(ScenarioTest, AKilledNodeThatNeedsItsRelayGetsItBackThoughTheServerRemembersIt) {
  // A symmetric NAT keeps the mapping for a destination, so the server sees the same five-tuple.
  World world({.a = SiteKind::kSymmetric, .b = SiteKind::kSymmetric});
  StartBoth(world, /*direct=*/false);
  world.KillA();
  world.sim().RunFor(seconds(3));
  const TimePoint back = world.sim().now();

  world.StartA();
  EXPECT_TRUE(world.PingUntilAnswered(back + seconds(5)));
}

TEST(ScenarioTest, ANodeThatWasAwayLongIsLinkedSoonAfterItsReturn) {
  World world({});
  StartBoth(world, /*direct=*/true);
  world.KillB();
  world.sim().RunFor(minutes(10));
  const TimePoint back = world.sim().now();

  world.StartB();
  EXPECT_TRUE(world.PingUntilAnswered(back + seconds(5)));
}

TEST(ScenarioTest, TheLinkOutlivesTheRendezvousAndBothComeBackToIt) {
  World world({});
  StartBoth(world, /*direct=*/true);

  world.KillRendezvous();
  world.sim().RunFor(minutes(5));
  ASSERT_TRUE(world.Linked(/*direct=*/true));
  EXPECT_TRUE(world.PingUntilAnswered(world.sim().now() + seconds(1)));

  world.StartRendezvous();
  EXPECT_TRUE(world.Within(seconds(40), [&] {
    return world.a().engine().rendezvous(0).state() == signaling::Client::State::kLoggedIn &&
           world.b().engine().rendezvous(0).state() == signaling::Client::State::kLoggedIn;
  }));
}

TEST(ScenarioTest, SurvivesANatThatRebootsWithAnotherAddress) {
  World world({});
  StartBoth(world, /*direct=*/true);

  world.site_a().Reboot();

  ASSERT_TRUE(world.PingUntilAnswered(world.sim().now() + seconds(15)));
  EXPECT_TRUE(world.Within(seconds(60), [&] { return world.Linked(/*direct=*/true); }));
}

TEST(ScenarioTest, SurvivesRoamingToAnotherSite) {
  World world({});
  StartBoth(world, /*direct=*/true);
  Site& cafe = world.sim().AddSite(SiteKind::kEimApdf, {.name = "cafe", .delay = milliseconds(15)});

  world.host_a().Roam(cafe);

  ASSERT_TRUE(world.PingUntilAnswered(world.sim().now() + seconds(10)));
  EXPECT_TRUE(world.Within(seconds(60), [&] { return world.Linked(/*direct=*/true); }));
}

TEST(ScenarioTest, SurvivesAnHourIdleAndTenOfSleep) {
  World world({});
  StartBoth(world, /*direct=*/true);
  world.sim().RunFor(minutes(60));
  ASSERT_TRUE(world.PingUntilAnswered(world.sim().now() + seconds(1)));

  world.host_b().Suspend();
  world.sim().RunFor(minutes(10));
  world.host_b().Resume();

  EXPECT_TRUE(world.PingUntilAnswered(world.sim().now() + seconds(40)));
}

TEST(ScenarioTest, ALostFirstHandshakeAfterALongSilenceIsRepeatedAtOnce) {
  World world({});
  StartBoth(world, /*direct=*/true);
  world.sim().RunFor(minutes(10));
  const TimePoint start = world.sim().now();
  world.site_a().link().SetLoss(1);
  world.sim().At(start + milliseconds(200), [&] { world.site_a().link().SetLoss(0); });

  EXPECT_TRUE(world.PingUntilAnswered(start + seconds(1)));
}

TEST(ScenarioTest, APathLostWithTheRendezvousIsMadeAnewSoonAfterBothCanBeReached) {
  World world({});
  StartBoth(world, /*direct=*/true);
  world.KillRendezvous();
  world.sim().RunFor(minutes(3));  // By now a next attempt is half a minute away.
  world.site_a().Reboot();
  world.site_b().Reboot();
  world.sim().RunFor(seconds(1));
  world.StartRendezvous();

  EXPECT_TRUE(world.PingUntilAnswered(world.sim().now() + seconds(45)));
}

TEST(ScenarioTest, HardNatsStayOnTheRelayForAnHour) {
  World world({.a = SiteKind::kSymmetric, .b = SiteKind::kSymmetric});
  StartBoth(world, /*direct=*/false);

  world.sim().RunFor(minutes(60));

  ASSERT_TRUE(world.Linked(/*direct=*/false));
  EXPECT_TRUE(world.PingUntilAnswered(world.sim().now() + seconds(1)));
}

TEST(ScenarioTest, AForwardThatTheOwnerOfAHardNatHasMadeIsFound) {
  World world({.a = SiteKind::kSymmetric, .b = SiteKind::kSymmetric});
  world.site_a().gateway().nat().Forward(EngineNode::kPort,
                                         {world.host_a().ip4(), EngineNode::kPort});

  StartBoth(world, /*direct=*/true);
}

/// Looks for a text in everything that crosses the internet.
class Eavesdropper final : public PacketObserver {
 public:
  void HandlePacket(const PacketRecord& record) override {
    if (record.event == PacketEvent::kPublic) {
      ++seen;
      found = found || AsText(record.payload).find(needle) != std::string_view::npos;
    }
  }

  std::string needle;
  std::uint64_t seen = 0;
  bool found = false;
};

TEST(ScenarioTest, NothingOfAnInnerPacketIsSeenOnTheWay) {
  for (const SiteKind kind : {SiteKind::kEimApdf, SiteKind::kSymmetric}) {
    World world({.a = kind, .b = kind});
    Eavesdropper eavesdropper;
    eavesdropper.needle = "a secret that nobody must read on the way";
    world.sim().network().Observe(eavesdropper);
    StartBoth(world, kind == SiteKind::kEimApdf);

    std::vector<std::uint8_t> packet(20);
    packet[0] = 0x45;
    packet[8] = 64;
    packet[9] = 253;  // RFC 3692: for experiments
    packet[12] = 10, packet[13] = 71, packet[15] = 1;
    packet[16] = 10, packet[17] = 71, packet[19] = 2;
    packet.insert(packet.end(), eavesdropper.needle.begin(), eavesdropper.needle.end());
    StoreBe(packet, 2, static_cast<std::uint16_t>(packet.size()));
    const auto before = world.b().engine().Stats(0).rx_bytes;
    world.a().engine().HandlePacket(world.sim().now(), packet);
    world.host_a().Poke();
    world.sim().RunFor(seconds(1));

    EXPECT_GT(world.b().engine().Stats(0).rx_bytes, before) << "it must have arrived";
    EXPECT_GT(eavesdropper.seen, 10U);
    EXPECT_FALSE(eavesdropper.found);
  }
}

}  // namespace
}  // namespace floe::sim
