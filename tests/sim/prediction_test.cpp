// Port prediction between whole nodes: a symmetric NAT and a port-restricted one.
//
//   FLOE_SIM_SEEDS=1000 floe_sim_prediction_test     as many attempts; 40 unless told

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <gtest/gtest.h>

#include "tests/sim/world.h"

namespace floe::sim {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t kSearch = 1024;
constexpr std::uint64_t kOpening = 256 + 2;  // And two questions to a server.

std::uint64_t SeedCount() {
  const char* seeds = std::getenv("FLOE_SIM_SEEDS");
  return seeds == nullptr ? 40 : std::strtoull(seeds, nullptr, 10);
}

WorldOptions HardAndEasy(std::uint64_t seed) {
  return {.seed = seed,
          .a = SiteKind::kSymmetric,
          .b = SiteKind::kEimApdf,
          .predict_a = true,
          .predict_b = true,
          .second_stun = true};
}

void StartRelayed(World& world) {
  world.StartA();
  world.StartB();
  ASSERT_TRUE(world.Within(seconds(5), [&] { return world.Linked(/*direct=*/false); }))
      << world.Describe();
}

engine::PredictionCounters CountersOf(EngineNode& node) {
  return node.engine().prediction_counters();
}

TEST(PredictionTest, FindsAWayPastRandomPortsNearlyAlwaysAtTheFirstAttempt) {
  const std::uint64_t seeds = SeedCount();
  std::uint64_t direct = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    World world(HardAndEasy(seed));
    ASSERT_NO_FATAL_FAILURE(StartRelayed(world));

    // After 5 s on the relay an attempt may take 15 s.
    if (!world.Within(seconds(20), [&] { return world.Linked(/*direct=*/true); })) {
      continue;
    }
    ++direct;
    ASSERT_TRUE(world.PingUntilAnswered(world.sim().now() + seconds(1))) << seed;
    EXPECT_LE(world.a().open_sockets(), 1U) << "but the one in use all are closed";
    EXPECT_EQ(CountersOf(world.a()).found, 1U);
    EXPECT_EQ(CountersOf(world.b()).found, 1U)
        << "seed " << seed << ", probes " << CountersOf(world.b()).probes << ", attempts "
        << CountersOf(world.b()).attempts;
  }
  EXPECT_GE(direct, seeds * 85 / 100) << "98 % are to be expected";
}

TEST(PredictionTest, ThePathFoundIsKept) {
  World world(HardAndEasy(1));
  ASSERT_NO_FATAL_FAILURE(StartRelayed(world));
  ASSERT_TRUE(world.Within(minutes(1), [&] { return world.Linked(/*direct=*/true); }));

  world.sim().RunFor(minutes(30));

  EXPECT_TRUE(world.Linked(/*direct=*/true)) << world.Describe();
  EXPECT_EQ(CountersOf(world.a()).attempts + CountersOf(world.b()).attempts, 2U);
}

TEST(PredictionTest, ANatThatCountsIsFoundAtOnce) {
  NatOptions nat = NatOptions::Symmetric();
  nat.ports = PortChoice::kSequential;
  WorldOptions options = HardAndEasy(1);
  options.nat_a = nat;
  World world(options);
  ASSERT_NO_FATAL_FAILURE(StartRelayed(world));

  ASSERT_TRUE(world.Within(seconds(10), [&] { return world.Linked(/*direct=*/true); }))
      << world.Describe();
  EXPECT_LE(CountersOf(world.b()).probes, 80U) << "found among those next to what a server saw";
}

TEST(PredictionTest, NothingIsTriedUnlessBothWantIt) {
  for (const bool a_wants_it : {true, false}) {
    WorldOptions options = HardAndEasy(1);
    options.predict_a = a_wants_it;
    options.predict_b = !a_wants_it;
    World world(options);
    ASSERT_NO_FATAL_FAILURE(StartRelayed(world));

    world.sim().RunFor(minutes(5));

    EXPECT_TRUE(world.Linked(/*direct=*/false));
    EXPECT_EQ(CountersOf(world.a()).probes + CountersOf(world.b()).probes, 0U);
    EXPECT_EQ(world.a().most_sockets(), 0U);
  }
}

TEST(PredictionTest, TriesTwiceAnHourAHundredPacketsASecondAndNoMore) {
  World world(HardAndEasy(1));
  world.site_a().Block(BlockFar({.ip = *world.site_b().public_ip()}));  // So it never works.
  ASSERT_NO_FATAL_FAILURE(StartRelayed(world));
  std::uint64_t before_a = 0;
  std::uint64_t before_b = 0;
  std::uint64_t most = 0;
  for (int second = 0; second < 50 * 60; ++second) {
    world.sim().RunFor(seconds(1));
    const std::uint64_t a = CountersOf(world.a()).probes;
    const std::uint64_t b = CountersOf(world.b()).probes;
    most = std::max({most, a - before_a, b - before_b});
    before_a = a;
    before_b = b;
  }

  EXPECT_LE(most, 100U);
  EXPECT_EQ(CountersOf(world.a()).attempts, 2U);
  EXPECT_EQ(CountersOf(world.b()).attempts, 2U);
  EXPECT_EQ(before_a, 2 * kOpening);
  EXPECT_EQ(before_b, 2 * kSearch);
  EXPECT_EQ(world.a().most_sockets(), 256U);
  EXPECT_EQ(world.a().open_sockets(), 0U);
  EXPECT_TRUE(world.Linked(/*direct=*/false));

  world.sim().RunFor(minutes(12));
  EXPECT_EQ(CountersOf(world.b()).attempts, 4U) << "an hour later there may be two more";
}

}  // namespace
}  // namespace floe::sim
