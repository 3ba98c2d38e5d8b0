#include "signaling/backoff.h"

#include <algorithm>
#include <chrono>
#include <gtest/gtest.h>

#include "tests/support/fake_random.h"

namespace floe::signaling {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// The longest of many delays that are the `count`th in a row.
Duration LongestAfter(int count) {
  Duration longest{};
  test::FakeRandom random;
  for (int i = 0; i < 1000; ++i) {
    Backoff backoff(milliseconds(500), seconds(30));
    Duration delay{};
    for (int attempt = 0; attempt < count; ++attempt) {
      delay = backoff.Next(random);
    }
    EXPECT_GE(delay, Duration::zero());
    longest = std::max(longest, delay);
  }
  return longest;
}

TEST(BackoffTest, DoublesUpToItsBound) {
  const Duration bounds[] = {milliseconds(500), seconds(1),  seconds(2),  seconds(4), seconds(8),
                             seconds(16),       seconds(30), seconds(30), seconds(30)};
  int count = 0;
  for (const Duration bound : bounds) {
    const Duration longest = LongestAfter(++count);
    EXPECT_LE(longest, bound);
    EXPECT_GT(longest, bound * 9 / 10) << "the whole of the bound is used";
  }
}

TEST(BackoffTest, StartsAgainWhenReset) {
  test::FakeRandom random;
  Backoff backoff(milliseconds(500), seconds(30));
  for (int i = 0; i < 20; ++i) {
    static_cast<void>(backoff.Next(random));
  }

  backoff.Reset();

  EXPECT_LE(backoff.Next(random), milliseconds(500));
}

}  // namespace
}  // namespace floe::signaling
