#include "ice/pacer.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <vector>

namespace floe::ice {
namespace {

using std::chrono::milliseconds;
using Row = Pacer::Row;

constexpr TimePoint kNow = TimePoint{} + std::chrono::seconds(1000);

/// How long a check has to wait that takes its place at `now`.
Duration Wait(Pacer& pacer, TimePoint now, Row row = Row::kOrdinary) {
  return std::max(pacer.TimeOf(pacer.Reserve(now, row)), now) - now;
}

// RFC 8445 section 14.2.
TEST(PacerTest, LetsAFewGoAtOnceAndThenOneInFiveMilliseconds) {
  Pacer pacer;

  std::vector<Duration> waits;
  for (int i = 0; i < 6; ++i) {
    waits.push_back(Wait(pacer, kNow));
  }

  const std::vector<Duration> expected{milliseconds(0), milliseconds(0), milliseconds(0),
                                       milliseconds(0), milliseconds(5), milliseconds(10)};
  EXPECT_EQ(waits, expected);
}

TEST(PacerTest, APauseIsNotSavedUp) {
  Pacer pacer;
  EXPECT_EQ(Wait(pacer, kNow), Duration{0});
  const TimePoint later = kNow + std::chrono::hours(1);

  for (int i = 0; i < Pacer::kBurst; ++i) {
    EXPECT_EQ(Wait(pacer, later), Duration{0});
  }
  EXPECT_EQ(Wait(pacer, later), Pacer::kGap);
}

TEST(PacerTest, WhatIsUrgentDoesNotWaitForAThousandOthers) {
  Pacer pacer;
  std::vector<Pacer::Place> others;
  for (int i = 0; i < 1000; ++i) {
    others.push_back(pacer.Reserve(kNow));
  }

  EXPECT_EQ(Wait(pacer, kNow, Row::kUrgent), Duration{0});
}

TEST(PacerTest, TogetherBothRowsAreNoFaster) {
  Pacer pacer;
  std::vector<Pacer::Place> places;
  for (int i = 0; i < 200; ++i) {
    places.push_back(pacer.Reserve(kNow));
    places.push_back(pacer.Reserve(kNow, Row::kUrgent));
  }

  const auto early = std::ranges::count_if(places, [&](const Pacer::Place& place) {
    return pacer.TimeOf(place) < kNow + milliseconds(1000);
  });
  EXPECT_LE(early, 200 + 2 * Pacer::kBurst);
  const auto last = std::ranges::max(places, {}, [&](const auto& p) { return pacer.TimeOf(p); });
  EXPECT_LE(pacer.TimeOf(last), kNow + 400 * Pacer::kGap);
}

TEST(PacerTest, WhatWasUrgentCountsForWhatFollows) {
  Pacer pacer;
  for (int i = 0; i < Pacer::kBurst; ++i) {
    EXPECT_EQ(Wait(pacer, kNow, Row::kUrgent), Duration{0});
  }

  EXPECT_EQ(Wait(pacer, kNow), Pacer::kGap);
}

}  // namespace
}  // namespace floe::ice
