#include "ice/pacer.h"

#include <gtest/gtest.h>
#include <vector>

namespace floe::ice {
namespace {

using std::chrono::milliseconds;

// RFC 8445 section 14.2.
TEST(PacerTest, LetsAFewGoAtOnceAndThenOneInFiveMilliseconds) {
  Pacer pacer;
  const TimePoint now = TimePoint{} + std::chrono::seconds(1000);

  std::vector<Duration> waits;
  for (int i = 0; i < 6; ++i) {
    waits.push_back(pacer.Reserve(now) - now);
  }

  const std::vector<Duration> expected{milliseconds(0), milliseconds(0), milliseconds(0),
                                       milliseconds(0), milliseconds(5), milliseconds(10)};
  EXPECT_EQ(waits, expected);
}

TEST(PacerTest, APauseIsNotSavedUp) {
  Pacer pacer;
  TimePoint now = TimePoint{} + std::chrono::seconds(1000);
  EXPECT_EQ(pacer.Reserve(now), now);
  now += std::chrono::hours(1);

  for (int i = 0; i < Pacer::kBurst; ++i) {
    EXPECT_EQ(pacer.Reserve(now), now);
  }
  EXPECT_EQ(pacer.Reserve(now), now + Pacer::kGap);
}

}  // namespace
}  // namespace floe::ice
