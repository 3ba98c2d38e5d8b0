#include "tunnel/read_queue.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "tunnel/packet/test_packets.h"

namespace floe::tunnel {
namespace {

using test::MakePacket;
using test::Packet;

constexpr std::size_t kLarge = 50'000;  // bytes

class ReadQueueTest : public testing::Test {
 protected:
  /// Whether it is to be sent now.
  bool Add(const Packet& packet) {
    OffloadHeader{}.Store(queue_.buffer());
    std::ranges::copy(packet, queue_.buffer().begin() + kOffloadHeaderSize);
    const auto now = queue_.Add(kOffloadHeaderSize + packet.size());
    EXPECT_TRUE(!now || PacketOf(*now) == packet);
    return now.has_value();
  }

  /// What waited for longest, or nothing at all.
  Packet Next() {
    const auto next = queue_.Next();
    return next ? PacketOf(*next) : Packet{};
  }

  static Packet PacketOf(MutableBytes read) {
    const auto packet = read.subspan(kOffloadHeaderSize);
    return {packet.begin(), packet.end()};
  }

  ReadQueue queue_;
};

Packet OfFlow(std::uint16_t port, std::size_t payload, bool v4 = true) {
  return MakePacket({.v4 = v4, .payload = payload, .source_port = port});
}

TEST_F(ReadQueueTest, SmallPacketsDoNotWait) {
  EXPECT_TRUE(Add(OfFlow(1, 100)));
  EXPECT_TRUE(Add(OfFlow(1, 1300)));
  EXPECT_EQ(Next(), Packet{});
}

TEST_F(ReadQueueTest, SmallPacketsPassLargeOnesOfOtherFlows) {
  const Packet first = OfFlow(1, kLarge);
  const Packet second = OfFlow(2, kLarge + 1);

  EXPECT_FALSE(Add(first));
  EXPECT_FALSE(Add(second));
  EXPECT_TRUE(Add(OfFlow(3, 100)));

  EXPECT_EQ(Next(), first);
  EXPECT_EQ(Next(), second);
  EXPECT_EQ(Next(), Packet{});
}

TEST_F(ReadQueueTest, AFlowStaysInOrder) {
  for (const bool v4 : {true, false}) {
    const Packet large = OfFlow(1, kLarge, v4);
    const Packet small = OfFlow(1, 100, v4);
    EXPECT_FALSE(Add(large));
    EXPECT_FALSE(Add(small));
    EXPECT_EQ(Next(), large);
    EXPECT_FALSE(Add(small)) << "the one before is waiting";
    EXPECT_EQ(Next(), small);
    EXPECT_EQ(Next(), small);
    EXPECT_TRUE(Add(small));
  }
}

TEST_F(ReadQueueTest, DropsWhatFindsNoRoom) {
  for (std::size_t i = 0; i < ReadQueue::kMaxWaiting; ++i) {
    EXPECT_FALSE(Add(OfFlow(1, kLarge + i)));
  }
  EXPECT_FALSE(Add(OfFlow(1, kLarge)));
  EXPECT_FALSE(Add(OfFlow(1, 100)));
  EXPECT_EQ(queue_.dropped(), 2U);
  EXPECT_TRUE(Add(OfFlow(2, 100)));

  for (std::size_t i = 0; i < ReadQueue::kMaxWaiting; ++i) {
    EXPECT_EQ(Next(), OfFlow(1, kLarge + i));
  }
  EXPECT_EQ(Next(), Packet{});
}

TEST_F(ReadQueueTest, TakesWhatIsNoPacket) {
  EXPECT_TRUE(Add(Packet(3)));
  EXPECT_FALSE(Add(OfFlow(1, kLarge)));
  EXPECT_TRUE(Add(Packet(3)));
  EXPECT_TRUE(queue_.Add(2).has_value()) << "not even a header";
}

}  // namespace
}  // namespace floe::tunnel
