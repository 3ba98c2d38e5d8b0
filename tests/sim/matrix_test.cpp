// Every kind of NAT against every other, over lines that lose: always linked, and directly
// wherever ICE can be direct.
//
//   FLOE_SIM_SEEDS=1000 floe_sim_matrix_test     as many runs of each pair; 10 unless told

#include <array>
#include <chrono>
#include <cstdlib>
#include <gtest/gtest.h>
#include <string>
#include <tuple>

#include "tests/sim/oracle.h"
#include "tests/sim/world.h"

namespace floe::sim {
namespace {

using std::chrono::seconds;

constexpr std::array kKinds = {SiteKind::kNone,    SiteKind::kEimEif,    SiteKind::kEimAdf,
                               SiteKind::kEimApdf, SiteKind::kSymmetric, SiteKind::kCgnat};
constexpr std::array kLosses = {0.0, 0.01, 0.05, 0.1, 0.2};

std::uint64_t SeedCount() {
  const char* seeds = std::getenv("FLOE_SIM_SEEDS");
  return seeds == nullptr ? 10 : std::strtoull(seeds, nullptr, 10);
}

class MatrixTest : public ::testing::TestWithParam<std::tuple<SiteKind, SiteKind>> {};

TEST_P(MatrixTest, IsLinkedAsWellAsCanBe) {
  const auto [a, b] = GetParam();
  const bool direct = Oracle(a, b) == Best::kDirect;
  for (std::uint64_t seed = 1; seed <= SeedCount(); ++seed) {
    const double loss = kLosses.at(seed % kLosses.size());
    World world({.seed = seed, .a = a, .b = b, .loss = loss});
    // Anything from at once to three seconds between the two.
    const auto gap = std::chrono::milliseconds(world.sim().random().Next() % 3000);
    world.StartA();
    world.sim().RunFor(gap);
    world.StartB();

    ASSERT_TRUE(world.PingUntilAnswered(world.sim().now() + seconds(20)))
        << "seed " << seed << ", loss " << loss << ": no link\n"
        << world.Describe();
    ASSERT_TRUE(world.Within(seconds(30), [&] { return world.Linked(direct); }))
        << "seed " << seed << ", loss " << loss << ": not " << (direct ? "direct" : "relayed")
        << '\n'
        << world.Describe();
  }
}

std::string NameOf(const ::testing::TestParamInfo<MatrixTest::ParamType>& info) {
  return std::string(ToString(std::get<0>(info.param))) + "_x_" +
         std::string(ToString(std::get<1>(info.param)));
}

INSTANTIATE_TEST_SUITE_P(All, MatrixTest,
                         ::testing::Combine(::testing::ValuesIn(kKinds),
                                            ::testing::ValuesIn(kKinds)),
                         NameOf);

}  // namespace
}  // namespace floe::sim
