// What a node with many peers costs: counted, not timed.

#include <chrono>
#include <gtest/gtest.h>

#include "tests/sim/star.h"

namespace floe::sim {
namespace {

using std::chrono::minutes;

constexpr std::size_t kFew = 4;
constexpr std::size_t kMany = 44;

/// Of the hub, once all links are there and have been idle for a while.
std::size_t HeapOfHub(std::size_t peers, std::size_t online) {
  const std::size_t before = Star::hub_heap();
  Star star({.peers = peers, .online = online});
  star.sim().RunFor(minutes(3));
  EXPECT_EQ(star.linked(), online);
  star.sim().RunFor(minutes(5));
  EXPECT_EQ(star.linked(), online);
  return Star::hub_heap() - before;
}

TEST(ScaleTest, APeerThatIsLinkedAndIdleTakesAtMostEightKilobytes) {
  const std::size_t few = HeapOfHub(kFew, kFew);
  const std::size_t many = HeapOfHub(kMany, kMany);

  EXPECT_LE((many - few) / (kMany - kFew), 8U * 1024U);
}

TEST(ScaleTest, APeerThatIsOfflineTakesAtMostSixKilobytes) {
  const std::size_t few = HeapOfHub(kFew, 0);
  const std::size_t many = HeapOfHub(kMany, 0);

  EXPECT_LE((many - few) / (kMany - kFew), 6U * 1024U);
}

TEST(ScaleTest, AllPeersShareOneSetOfCandidatesAndOneAllocation) {
  Star star({.peers = kMany, .online = kMany});
  star.sim().RunFor(minutes(3));

  // Two addresses, one seen by the STUN server, one relayed.
  EXPECT_EQ(star.hub().engine().gatherer().candidates().size(), 4U);
  EXPECT_EQ(star.relay().allocation_count(), kMany + 1);  // One each, whoever it talks to.
}

}  // namespace
}  // namespace floe::sim
