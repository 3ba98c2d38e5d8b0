#include "tests/sim/link.h"

#include <chrono>
#include <gtest/gtest.h>

#include "tests/sim/flow.h"

namespace floe::sim {
namespace {

using std::chrono::milliseconds;

constexpr TimePoint kNow = TimePoint{} + std::chrono::seconds(1);
constexpr std::size_t kSize = 100;  // bytes
constexpr int kMany = 10'000;

class WireTest : public ::testing::Test {
 protected:
  Wire::Passage Carry(TimePoint at = kNow) { return wire_.Carry(at, kSize, random_); }

  test::FakeRandom random_{7};
  Wire wire_;
};

TEST_F(WireTest, DelaysByWhatItIsTold) {
  wire_.settings.delay = milliseconds(20);

  EXPECT_EQ(Carry().arrival, kNow + milliseconds(20));
}

TEST_F(WireTest, JitterStaysInItsBoundsAndKeepsTheOrder) {
  wire_.settings.delay = milliseconds(20);
  wire_.settings.jitter = milliseconds(10);

  TimePoint last;
  TimePoint first_arrival = TimePoint::max();
  for (int i = 0; i < kMany; ++i) {
    const TimePoint arrival = Carry().arrival;
    EXPECT_GE(arrival, last);
    EXPECT_LE(arrival, kNow + milliseconds(30));
    EXPECT_GE(arrival, kNow + milliseconds(10));
    first_arrival = std::min(first_arrival, arrival);
    last = arrival;
  }
  EXPECT_GT(last, first_arrival);
}

TEST_F(WireTest, LosesItsShare) {
  wire_.settings.loss = 0.25;

  int lost = 0;
  for (int i = 0; i < kMany; ++i) {
    lost += Carry().fate == Wire::Fate::kLost ? 1 : 0;
  }
  EXPECT_NEAR(lost, kMany / 4, kMany / 50);
}

TEST_F(WireTest, DuplicatesItsShare) {
  wire_.settings.duplicate = 0.25;

  int copies = 0;
  for (int i = 0; i < kMany; ++i) {
    copies += Carry().duplicate.has_value() ? 1 : 0;
  }
  EXPECT_NEAR(copies, kMany / 4, kMany / 50);
}

TEST_F(WireTest, AHeldPacketIsOvertaken) {
  wire_.settings.hold = milliseconds(5);
  wire_.settings.reorder = 1;
  const TimePoint held = Carry().arrival;
  wire_.settings.reorder = 0;

  const TimePoint next = Carry(kNow + milliseconds(1)).arrival;

  EXPECT_EQ(held, kNow + milliseconds(5));
  EXPECT_EQ(next, kNow + milliseconds(1));
}

TEST_F(WireTest, DropsAllWhenDownAndWhatIsLargerThanItsMtu) {
  wire_.settings.mtu = kSize;
  EXPECT_EQ(wire_.Carry(kNow, kSize, random_).fate, Wire::Fate::kPasses);
  EXPECT_EQ(wire_.Carry(kNow, kSize + 1, random_).fate, Wire::Fate::kTooBig);

  wire_.settings.up = false;
  EXPECT_EQ(wire_.Carry(kNow, kSize, random_).fate, Wire::Fate::kDown);
}

TEST(LinkTest, SettingsHoldPerDirection) {
  Link link;

  link.SetDelay(milliseconds(3));
  link.SetLoss(0.5, Direction::kUp);
  link.Cut(Direction::kDown);

  EXPECT_EQ(link.up.settings.delay, milliseconds(3));
  EXPECT_EQ(link.down.settings.delay, milliseconds(3));
  EXPECT_EQ(link.up.settings.loss, 0.5);
  EXPECT_EQ(link.down.settings.loss, 0);
  EXPECT_TRUE(link.up.settings.up);
  EXPECT_FALSE(link.down.settings.up);
}

TEST(LinkTest, BlocksTheFarSideInBothDirections) {
  const SocketAddress near{IpAddress::V4(192, 0, 2, 1), 1000};
  const SocketAddress far{IpAddress::V4(198, 51, 100, 10), 3478};
  const SocketAddress other{IpAddress::V4(198, 51, 100, 11), 3478};
  Link link;
  link.blocks.push_back(BlockFar({.protocol = Protocol::kUdp, .ip = far.ip, .port = 3478}));

  EXPECT_TRUE(link.Blocks({.from = near, .to = far}));
  EXPECT_TRUE(link.Blocks({.from = far, .to = near}));
  EXPECT_FALSE(link.Blocks({.from = near, .to = other}));
  EXPECT_FALSE(link.Blocks({.protocol = Protocol::kTcp, .from = near, .to = far}));
}

}  // namespace
}  // namespace floe::sim
