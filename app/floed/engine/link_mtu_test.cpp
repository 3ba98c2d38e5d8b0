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

TEST(LinkMtuTest, WhatTheNetworkSaysIsTheRoomAtOnce) {
  EngineWorld world(Direct::kOpen);
  world.Run(seconds(5));
  engine::Engine& engine = *world.a().engine;
  const auto path = *engine.link(kPeer).path();
  Limit(world, 1300);

  engine.HandleTooBig(world.now(), path.remote, path.local, 1300);
  EXPECT_EQ(engine.room(kPeer), 1408U) << "another way";
  engine.HandleTooBig(world.now(), path.local, path.remote, 1300);
  EXPECT_EQ(engine.room(kPeer), 1296U - 32);

  world.Drain();
  world.Run(seconds(20));
  EXPECT_EQ(engine.room(kPeer), 1296U - 32);
  EXPECT_EQ(StateOf(world), ice::PathMtu::State::kComplete);
}

TEST(LinkMtuTest, WhatTheNetworkSaysWronglyHoldsForARoundTrip) {
  EngineWorld world(Direct::kOpen);
  world.Run(seconds(5));
  engine::Engine& engine = *world.a().engine;
  const auto path = *engine.link(kPeer).path();

  engine.HandleTooBig(world.now(), path.local, path.remote, 0);
  EXPECT_EQ(engine.room(kPeer), 544U - 32) << "of 576";

  world.Drain();
  world.Run(seconds(2));
  EXPECT_EQ(engine.room(kPeer), 1408U);
}

TEST(LinkMtuTest, WhatIsSaidOfTheWayToARelayHoldsForAllThatGoesOverIt) {
  EngineWorld world(Direct::kBlocked);
  world.Run(seconds(10));
  const auto way_of = [&](const engine::Engine& engine) {
    const auto path = *engine.link(kPeer).path();
    return engine.gatherer().UnderlyingOf(world.now(), path.local, path.remote);
  };
  const bool is_of_a = way_of(*world.a().engine)->channel.has_value();  // Else it is b's relay.
  engine::Engine& engine = is_of_a ? *world.a().engine : *world.b().engine;
  const auto way = way_of(engine);
  ASSERT_TRUE(way && way->channel);

  engine.HandleTooBig(world.now(), way->local, way->remote, 1300);

  EXPECT_EQ(engine.room(kPeer), 1296U - 32);
  engine.HandleTooBig(world.now(), way->local, way->remote, 1299);
  EXPECT_EQ(engine.room(kPeer), 1280U - 32) << "with the header of the channel";
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
