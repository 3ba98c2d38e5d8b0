#include "base/fifo.h"

#include <gtest/gtest.h>
#include <memory>
#include <vector>

namespace floe {
namespace {

TEST(FifoTest, GivesBackInTheOrderOfArrival) {
  Fifo<int> fifo;
  for (int i = 0; i < 3; ++i) {
    fifo.Push(i);
  }

  EXPECT_EQ(fifo.Poll(), 0);
  fifo.Push(3);
  EXPECT_EQ(fifo.size(), 3U);
  EXPECT_EQ(fifo.Poll(), 1);
  EXPECT_EQ(fifo.Poll(), 2);
  EXPECT_EQ(fifo.Poll(), 3);
  EXPECT_EQ(fifo.Poll(), std::nullopt);
  EXPECT_TRUE(fifo.empty());
}

TEST(FifoTest, StaysInOrderWhileItIsNeverEmpty) {
  Fifo<int> fifo;
  int taken = 0;
  for (int i = 0; i < 10'000; ++i) {
    fifo.Push(i);
    if (fifo.size() > 7) {
      ASSERT_EQ(fifo.Poll(), taken);
      ++taken;
    }
  }

  EXPECT_EQ(fifo.size(), 7U);
}

TEST(FifoTest, FindsAndRemovesWhatWaitsAlone) {
  Fifo<int> fifo;
  for (int i = 0; i < 4; ++i) {
    fifo.Push(i);
  }
  EXPECT_EQ(fifo.Poll(), 0);

  EXPECT_FALSE(fifo.Contains(0));
  EXPECT_TRUE(fifo.Contains(2));
  fifo.Remove(2);
  EXPECT_FALSE(fifo.Contains(2));
  EXPECT_EQ(fifo.Poll(), 1);
  EXPECT_EQ(fifo.Poll(), 3);
  EXPECT_TRUE(fifo.empty());
}

TEST(FifoTest, ForgetsWhatItHolds) {
  Fifo<std::unique_ptr<int>> fifo;
  fifo.Push(std::make_unique<int>(1));
  fifo.Clear();

  EXPECT_TRUE(fifo.empty());
  EXPECT_EQ(fifo.Poll(), std::nullopt);
}

}  // namespace
}  // namespace floe
