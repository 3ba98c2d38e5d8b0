#include "ice/check_budget.h"

#include <gtest/gtest.h>

namespace floe::ice {
namespace {

constexpr TimePoint kStart = TimePoint{} + std::chrono::seconds(1000);
const IpAddress kVictim = IpAddress::V4(192, 0, 2, 1);

int TakeAll(CheckBudget& budget, TimePoint now, const IpAddress& ip, int tries) {
  int taken = 0;
  for (int i = 0; i < tries; ++i) {
    taken += budget.Take(now, ip) ? 1 : 0;
  }
  return taken;
}

TEST(CheckBudgetTest, BoundsWhatGoesToAnAddressThatNeverAnswers) {
  CheckBudget budget;

  EXPECT_EQ(TakeAll(budget, kStart, kVictim, 1000), CheckBudget::kBurst);
  EXPECT_EQ(TakeAll(budget, kStart + std::chrono::seconds(10), kVictim, 1000),
            10 * CheckBudget::kPerSecond);
  EXPECT_EQ(TakeAll(budget, kStart + std::chrono::hours(1), kVictim, 1000), CheckBudget::kBurst);
}

TEST(CheckBudgetTest, CountsEachAddressForItself) {
  CheckBudget budget;
  EXPECT_EQ(TakeAll(budget, kStart, kVictim, 1000), CheckBudget::kBurst);

  EXPECT_TRUE(budget.Take(kStart, IpAddress::V4(192, 0, 2, 2)));
}

TEST(CheckBudgetTest, WhoAnswersIsFree) {
  CheckBudget budget;
  EXPECT_EQ(TakeAll(budget, kStart, kVictim, 1000), CheckBudget::kBurst);

  budget.Free(kStart, kVictim);

  EXPECT_EQ(TakeAll(budget, kStart, kVictim, 1000), 1000);
}

TEST(CheckBudgetTest, ForgetsWhoWasNotAskedForLongest) {
  CheckBudget budget;
  budget.Free(kStart, kVictim);
  for (std::uint8_t i = 0; i < CheckBudget::kMaxAddresses; ++i) {
    EXPECT_TRUE(budget.Take(kStart, IpAddress::V4(198, 51, 100, i)));
  }

  EXPECT_EQ(TakeAll(budget, kStart, kVictim, 1000), CheckBudget::kBurst) << "a stranger again";
}

}  // namespace
}  // namespace floe::ice
