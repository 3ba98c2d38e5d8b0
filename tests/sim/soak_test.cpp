// Long and random lives of whole nodes, see life.h.
//
//   FLOE_SIM_SEEDS=1000 floe_sim_soak_test     as many lives; 10 unless told
//   FLOE_SIM_FIRST=500 floe_sim_soak_test      beginning with that seed
//   FLOE_SIM_EVENTS=1 FLOE_SIM_NODES=2 FLOE_SIM_SEEDS=10000 floe_sim_soak_test     many short ones
//   FLOE_SIM_SEED=42 floe_sim_soak_test        that one alone, event by event

#include <cstdint>
#include <cstdlib>
#include <gtest/gtest.h>

#include "base/log.h"
#include "tests/sim/life.h"

namespace floe::sim {
namespace {

std::uint64_t Setting(const char* name, std::uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

TEST(SoakTest, WhateverHappensALinkComesBack) {
  const std::uint64_t only = Setting("FLOE_SIM_SEED", 0);
  const std::uint64_t first = only != 0 ? only : Setting("FLOE_SIM_FIRST", 1);
  const std::uint64_t count = only != 0 ? 1 : Setting("FLOE_SIM_SEEDS", 10);
  if (only != 0) {
    log::Init(log::Level::kDebug);
  }
  const LifeOptions options{.events = Setting("FLOE_SIM_EVENTS", 12),
                            .max_nodes = Setting("FLOE_SIM_NODES", 3),
                            .tell = only != 0};
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    Choices choices(seed);
    const auto failure = Life(choices, options).Run();
    ASSERT_FALSE(failure) << "seed " << seed << ": " << *failure;
  }
}

}  // namespace
}  // namespace floe::sim
