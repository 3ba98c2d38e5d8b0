#include "ice/tcp/frame_queue.h"

#include <gtest/gtest.h>
#include <string>

#include "ice/tcp/deframer.h"

namespace floe::ice::tcp {
namespace {

using Kind = FrameQueue::Kind;

constexpr TimePoint kNow = TimePoint{} + std::chrono::seconds(1000);
const std::string kLarge(60'000, 'x');  // Four fit the queue.

/// The first byte of each packet that comes out.
std::string Drain(FrameQueue& queue) {
  std::string firsts;
  Deframer deframer;
  while (const auto frame = queue.Pop(kNow)) {
    deframer.Feed(*frame);
    while (const auto packet = deframer.Poll()) {
      firsts += static_cast<char>((*packet)[0]);
    }
  }
  return firsts;
}

std::string Large(char first) {
  return first + kLarge;
}

TEST(FrameQueueTest, KeepsTheOrder) {
  FrameQueue queue;
  ASSERT_TRUE(queue.Push(kNow, AsBytes("a"), Kind::kData));
  ASSERT_TRUE(queue.Push(kNow, AsBytes("b"), Kind::kStun));

  EXPECT_EQ(queue.bytes(), 6U);
  EXPECT_EQ(Drain(queue), "ab");
  EXPECT_EQ(queue.bytes(), 0U);
}

TEST(FrameQueueTest, DropsTheOldestDataAndNeverStun) {
  FrameQueue queue;
  ASSERT_TRUE(queue.Push(kNow, AsBytes(Large('S')), Kind::kStun));
  for (const char first : {'a', 'b', 'c', 'd', 'e'}) {
    ASSERT_TRUE(queue.Push(kNow, AsBytes(Large(first)), Kind::kData));
  }
  ASSERT_TRUE(queue.Push(kNow, AsBytes(Large('T')), Kind::kStun));

  EXPECT_LE(queue.bytes(), FrameQueue::kMaxBytes);
  EXPECT_EQ(queue.dropped(), 3U);
  EXPECT_EQ(Drain(queue), "SdeT");
}

TEST(FrameQueueTest, IsOverWhenStunAloneFillsIt) {
  FrameQueue queue;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(queue.Push(kNow, AsBytes(Large('S')), Kind::kStun));
  }

  EXPECT_TRUE(queue.Push(kNow, AsBytes(Large('d')), Kind::kData)) << "data is dropped instead";
  EXPECT_FALSE(queue.Push(kNow, AsBytes(Large('S')), Kind::kStun));
  EXPECT_EQ(Drain(queue), "SSSS");
}

TEST(FrameQueueTest, DropsWhatNoFrameHolds) {
  FrameQueue queue;
  ASSERT_TRUE(queue.Push(kNow, AsBytes(std::string(kMaxFrame + 1, 'x')), Kind::kData));

  EXPECT_FALSE(queue.Pop(kNow));
  EXPECT_EQ(queue.dropped(), 1U);
}

// libwebrtc gives a connection that takes nothing as long.
TEST(FrameQueueTest, IsGivenUpFiveSecondsAfterTheConnectionTookSomething) {
  constexpr Duration kGrace = std::chrono::seconds(5);
  constexpr Duration kWait = std::chrono::seconds(2);
  FrameQueue queue;
  EXPECT_EQ(queue.GiveUpAt(), std::nullopt);
  ASSERT_TRUE(queue.Push(kNow, AsBytes("a"), Kind::kData));
  ASSERT_TRUE(queue.Push(kNow + kWait, AsBytes("b"), Kind::kData));
  EXPECT_EQ(queue.GiveUpAt(), kNow + kGrace) << "more to take is no progress";

  ASSERT_TRUE(queue.Pop(kNow + kWait));
  EXPECT_EQ(queue.GiveUpAt(), kNow + kWait + kGrace);
  ASSERT_TRUE(queue.Pop(kNow + kWait));
  EXPECT_EQ(queue.GiveUpAt(), std::nullopt);
}

}  // namespace
}  // namespace floe::ice::tcp
