#include "tunnel/replay_window.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <set>
#include <vector>

namespace floe::tunnel {
namespace {

/// Takes the counter if it is fresh.
bool Take(ReplayWindow& window, std::uint64_t counter) {
  if (!window.IsFresh(counter)) {
    return false;
  }
  window.Accept(counter);
  return true;
}

TEST(ReplayWindowTest, RefusesTheSameCounterTwice) {
  ReplayWindow window;

  EXPECT_TRUE(Take(window, 0));
  EXPECT_FALSE(Take(window, 0));
  EXPECT_TRUE(Take(window, 1));
  EXPECT_FALSE(Take(window, 1));
  EXPECT_FALSE(Take(window, 0));
}

TEST(ReplayWindowTest, AcceptsAnyOrderWithinReach) {
  ReplayWindow window;

  for (std::uint64_t counter = ReplayWindow::kReach + 1; counter-- > 0;) {
    EXPECT_TRUE(Take(window, counter)) << counter;
  }
  for (std::uint64_t counter = 0; counter <= ReplayWindow::kReach; ++counter) {
    EXPECT_FALSE(Take(window, counter)) << counter;
  }
}

TEST(ReplayWindowTest, RefusesWhatIsOutOfReach) {
  ReplayWindow window;
  ASSERT_TRUE(Take(window, ReplayWindow::kReach + 10));

  EXPECT_FALSE(Take(window, 9));
  EXPECT_TRUE(Take(window, 10));
}

TEST(ReplayWindowTest, AJumpForgetsNothingWithinReachAndNoMore) {
  ReplayWindow window;
  ASSERT_TRUE(Take(window, 100));
  ASSERT_TRUE(Take(window, std::uint64_t{1} << 60U));

  EXPECT_FALSE(Take(window, 100));
  EXPECT_FALSE(Take(window, 101));
  // The same place in the ring as 100 was at.
  EXPECT_TRUE(Take(window, (std::uint64_t{1} << 60U) - ReplayWindow::kBits + 100));
}

// Against a set of everything that was ever accepted.
RC_GTEST_PROP(ReplayWindowTest, AgreesWithASetOfCounters, (std::uint64_t seed)) {
  ReplayWindow window;
  std::set<std::uint64_t> accepted;
  std::uint64_t highest = 0;
  const auto steps =
      *rc::gen::container<std::vector<std::uint16_t>>(rc::gen::inRange<std::uint16_t>(0, 20'000));
  std::uint64_t base = seed % 1'000'000;
  for (const std::uint16_t step : steps) {
    const std::uint64_t counter = base + step;
    const bool fresh = (counter > highest || highest - counter <= ReplayWindow::kReach) &&
                       !accepted.contains(counter);
    RC_ASSERT(Take(window, counter) == fresh);
    if (fresh) {
      accepted.insert(counter);
      highest = std::max(highest, counter);
    }
    base += step % 7 == 0 ? step : 0;
  }
}

}  // namespace
}  // namespace floe::tunnel
