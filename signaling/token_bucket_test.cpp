#include "signaling/token_bucket.h"

#include <chrono>
#include <gtest/gtest.h>

namespace floe::signaling {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr TimePoint kStart{};

int TakeAll(TokenBucket& bucket, TimePoint now) {
  int taken = 0;
  while (bucket.Take(now)) {
    ++taken;
  }
  return taken;
}

TEST(TokenBucketTest, GivesTheBurstAndThenTheRate) {
  TokenBucket bucket(kStart, 20, 60);

  EXPECT_EQ(TakeAll(bucket, kStart), 60);
  EXPECT_EQ(TakeAll(bucket, kStart + milliseconds(49)), 0);
  EXPECT_EQ(TakeAll(bucket, kStart + milliseconds(50)), 1);
  EXPECT_EQ(TakeAll(bucket, kStart + milliseconds(1050)), 20);
}

TEST(TokenBucketTest, HoldsNoMoreThanTheBurst) {
  TokenBucket bucket(kStart, 20, 60);

  EXPECT_EQ(TakeAll(bucket, kStart + hours(100'000)), 60);
}

}  // namespace
}  // namespace floe::signaling
