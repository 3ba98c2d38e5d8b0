#include "ice/driver/send_queue.h"

#include <gtest/gtest.h>

namespace floe::ice {
namespace {

std::vector<std::uint8_t> Message(std::uint8_t first, std::size_t size) {
  std::vector<std::uint8_t> message(size);
  message[0] = first;
  return message;
}

TEST(SendQueueTest, KeepsTheOrder) {
  SendQueue queue;
  EXPECT_TRUE(queue.Push(Message(1, 10), /*droppable=*/true));
  EXPECT_TRUE(queue.Push(Message(2, 10), /*droppable=*/false));

  EXPECT_EQ(queue.Pop()->front(), 1);
  EXPECT_EQ(queue.Pop()->front(), 2);
  EXPECT_FALSE(queue.Pop());
}

TEST(SendQueueTest, DropsTheOldestDataAndNothingElse) {
  SendQueue queue;
  EXPECT_TRUE(queue.Push(Message(1, 100), /*droppable=*/false));
  EXPECT_TRUE(queue.Push(Message(2, SendQueue::kMaxData), /*droppable=*/true));
  EXPECT_TRUE(queue.Push(Message(3, 100), /*droppable=*/true));

  EXPECT_EQ(queue.dropped(), 1U);
  EXPECT_EQ(queue.Pop()->front(), 1);
  EXPECT_EQ(queue.Pop()->front(), 3);
  EXPECT_TRUE(queue.empty());
}

TEST(SendQueueTest, IsBoundedInWhatItMustNotDrop) {
  SendQueue queue;
  EXPECT_TRUE(queue.Push(Message(1, SendQueue::kMaxOther), /*droppable=*/false));
  EXPECT_FALSE(queue.Push(Message(2, 1), /*droppable=*/false));
}

}  // namespace
}  // namespace floe::ice
