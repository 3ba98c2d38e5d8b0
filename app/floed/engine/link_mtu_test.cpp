// How an engine learns what its paths carry.

#include <chrono>
#include <gtest/gtest.h>

#include "app/floed/engine/engine.h"
#include "tests/support/engine_world.h"

namespace floe::engine {
namespace {

using std::chrono::seconds;
using test::Direct;
using test::EngineWorld;

constexpr PeerId kPeer = 0;
constexpr PeerId kDevice = 1;  // Of a: plain WireGuard.

/// What is larger than this gets lost, without a word.
void Limit(EngineWorld& world, std::size_t largest) {
  world.lose = [largest](const EngineWorld::Packet& packet) {
    return packet.bytes.size() > largest;
  };
}

ice::PathMtu::State StateOf(EngineWorld& world) {
  return world.a().engine->link(kPeer).path_mtu().state();
}

TEST(LinkMtuTest, AnOrdinaryPathHasTheRoomOfTheDevice) {
  EngineWorld world(Direct::kOpen);

  world.Run(seconds(5));

  EXPECT_EQ(world.a().engine->room(kPeer), 1408U);
  EXPECT_EQ(world.b().engine->room(kPeer), 1408U);
  EXPECT_EQ(StateOf(world), ice::PathMtu::State::kComplete);
}

TEST(LinkMtuTest, ASmallPathIsMeasured) {
  EngineWorld world(Direct::kOpen);
  Limit(world, 1300);

  world.Run(seconds(20));

  EXPECT_EQ(world.a().engine->room(kPeer), 1296U - 32);
  EXPECT_EQ(world.b().engine->room(kPeer), 1296U - 32);
  EXPECT_EQ(StateOf(world), ice::PathMtu::State::kComplete);
}

TEST(LinkMtuTest, OverARelayTheHeaderOfTheChannelCounts) {
  EngineWorld world(Direct::kBlocked);
  Limit(world, 1299);

  world.Run(seconds(30));

  EXPECT_EQ(world.a().engine->room(kPeer), 1280U - 32) << "1296 and 4 are one too many";
}

TEST(LinkMtuTest, APathThatIsGoneTakesItsRoomAlong) {
  EngineWorld world(Direct::kOpen);
  Limit(world, 1300);
  world.Run(seconds(20));

  world.a().engine->SetWanted(world.now(), kPeer, false);

  EXPECT_EQ(world.a().engine->room(kPeer), 1408U);
  EXPECT_EQ(StateOf(world), ice::PathMtu::State::kOff);
}

TEST(LinkMtuTest, ProbingDoesNotMakeAPathSuspect) {
  EngineWorld world(Direct::kOpen);
  Limit(world, 400);

  world.Run(seconds(60));

  EXPECT_TRUE(world.a().engine->IsUp(kPeer));
  EXPECT_FALSE(world.a().engine->link(kPeer).is_doubtful());
  EXPECT_EQ(world.a().engine->room(kPeer), 496U);
}

TEST(LinkMtuTest, APlainDeviceHasTheRoomThatBothWereToldOf) {
  EngineWorld world(Direct::kOpen);
  EXPECT_EQ(world.a().engine->room(kDevice), 1408U);
}

}  // namespace
}  // namespace floe::engine
