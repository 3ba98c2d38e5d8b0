#include "tests/sim/firewall.h"

#include <chrono>
#include <gtest/gtest.h>

namespace floe::sim {
namespace {

using std::chrono::seconds;

constexpr TimePoint kNow = TimePoint{} + seconds(1000);
const SocketAddress kInside{IpAddress::V4(203, 0, 113, 130), 5000};
const SocketAddress kRemote{IpAddress::V4(198, 51, 100, 10), 3478};
const SocketAddress kSameIp{IpAddress::V4(198, 51, 100, 10), 3479};

TEST(FirewallTest, LetsInOnlyTheAnswersToWhatWentOut) {
  Firewall firewall({});
  EXPECT_FALSE(firewall.AllowsIn(kNow, kInside, kRemote));

  firewall.NoteOut(kNow, kInside, kRemote);

  EXPECT_TRUE(firewall.AllowsIn(kNow, kInside, kRemote));
  EXPECT_FALSE(firewall.AllowsIn(kNow, kInside, kSameIp));
}

TEST(FirewallTest, AnUnansweredFlowEndsSoonerThanAnAnsweredOne) {
  Firewall unanswered({});
  Firewall answered({});
  unanswered.NoteOut(kNow, kInside, kRemote);
  answered.NoteOut(kNow, kInside, kRemote);
  ASSERT_TRUE(answered.AllowsIn(kNow, kInside, kRemote));

  EXPECT_FALSE(unanswered.AllowsIn(kNow + seconds(30), kInside, kRemote));
  EXPECT_TRUE(answered.AllowsIn(kNow + seconds(119), kInside, kRemote));
}

TEST(FirewallTest, AnAnsweredFlowEndsToo) {
  Firewall firewall({});
  firewall.NoteOut(kNow, kInside, kRemote);
  ASSERT_TRUE(firewall.AllowsIn(kNow, kInside, kRemote));

  EXPECT_FALSE(firewall.AllowsIn(kNow + seconds(120), kInside, kRemote));
}

TEST(FirewallTest, ResetForgetsAll) {
  Firewall firewall({});
  firewall.NoteOut(kNow, kInside, kRemote);

  firewall.Reset();

  EXPECT_FALSE(firewall.AllowsIn(kNow, kInside, kRemote));
}

}  // namespace
}  // namespace floe::sim
