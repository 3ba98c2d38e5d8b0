#include "ice/turn/source_limit.h"

#include <chrono>
#include <gtest/gtest.h>
#include <string_view>

#include "tests/support/fake_random.h"

namespace floe::ice::turn {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

IpAddress Ip(std::string_view text) {
  return *ParseIpAddress(text);
}

class SourceLimitTest : public ::testing::Test {
 protected:
  int TakeAll(const IpAddress& source) {
    int taken = 0;
    while (taken < 1000 && limit_.Take(now_, source)) {
      ++taken;
    }
    return taken;
  }

  test::FakeRandom random_;
  SourceLimit limit_{random_};
  TimePoint now_ = TimePoint{} + seconds(1000);
};

TEST_F(SourceLimitTest, GivesABurstAndThenTenInASecond) {
  EXPECT_EQ(TakeAll(Ip("192.0.2.1")), SourceLimit::kBurst);

  now_ += seconds(1);
  EXPECT_EQ(TakeAll(Ip("192.0.2.1")), SourceLimit::kPerSecond);
  now_ += milliseconds(99);
  EXPECT_EQ(TakeAll(Ip("192.0.2.1")), 0);
}

TEST_F(SourceLimitTest, APauseIsNotSavedUp) {
  EXPECT_EQ(TakeAll(Ip("192.0.2.1")), SourceLimit::kBurst);
  now_ += std::chrono::hours(10);

  EXPECT_EQ(TakeAll(Ip("192.0.2.1")), SourceLimit::kBurst);
}

TEST_F(SourceLimitTest, OneSourceCostsAnotherNothing) {
  EXPECT_EQ(TakeAll(Ip("192.0.2.1")), SourceLimit::kBurst);

  EXPECT_EQ(TakeAll(Ip("192.0.2.2")), SourceLimit::kBurst);
}

TEST_F(SourceLimitTest, ANetworkOf64BitsIsOneSource) {
  EXPECT_EQ(TakeAll(Ip("2001:db8:1:2::1")), SourceLimit::kBurst);

  EXPECT_EQ(TakeAll(Ip("2001:db8:1:2:ffff::9")), 0);
  EXPECT_EQ(TakeAll(Ip("2001:db8:1:3::1")), SourceLimit::kBurst);
}

TEST_F(SourceLimitTest, AMappedAddressIsTheSameSource) {
  EXPECT_EQ(TakeAll(Ip("192.0.2.1")), SourceLimit::kBurst);

  EXPECT_EQ(TakeAll(Ip("::ffff:192.0.2.1")), 0);
}

}  // namespace
}  // namespace floe::ice::turn
