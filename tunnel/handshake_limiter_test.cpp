#include "tunnel/handshake_limiter.h"

#include <gtest/gtest.h>

namespace floe::tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class HandshakeLimiterTest : public ::testing::Test {
 protected:
  /// How many of `count` messages, evenly over a second, need a cookie.
  int Flood(int count) {
    int needed = 0;
    for (int i = 0; i < count; ++i) {
      now_ += Duration(seconds(1)) / count;
      needed += limiter_.NeedsCookie(now_) ? 1 : 0;
    }
    return needed;
  }

  /// How many of `count` messages at once, from one source, are admitted.
  int Admitted(std::string_view source, int count = 1000) {
    int admitted = 0;
    for (int i = 0; i < count; ++i) {
      admitted += limiter_.Admit(now_, {*ParseIpAddress(source), 1}) ? 1 : 0;
    }
    return admitted;
  }

  TimePoint now_{std::chrono::hours(1)};
  HandshakeLimits limits_;
  HandshakeLimiter limiter_{limits_};
};

TEST_F(HandshakeLimiterTest, NobodyNeedsACookieBelowTheRate) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Flood(1000), 0);
  }
}

TEST_F(HandshakeLimiterTest, AFloodIsLetInNoFurtherThanTheBurst) {
  EXPECT_LE(50'000 - Flood(50'000), 1100);
  EXPECT_EQ(Flood(50'000), 50'000);  // It goes on, so the load does.
}

TEST_F(HandshakeLimiterTest, TheLoadIsOverASecondAfterTheFlood) {
  Flood(50'000);

  now_ += milliseconds(999);
  EXPECT_TRUE(limiter_.NeedsCookie(now_));
  now_ += milliseconds(1);
  EXPECT_FALSE(limiter_.NeedsCookie(now_));
}

TEST_F(HandshakeLimiterTest, CookiesAreHandedOutAtABoundedRate) {
  int replies = 0;
  for (int i = 0; i < 50'000; ++i) {
    now_ += std::chrono::microseconds(20);
    replies += limiter_.MayReply(now_) ? 1 : 0;
  }

  EXPECT_GE(replies, 20'000);
  EXPECT_LE(replies, 21'001);
}

TEST_F(HandshakeLimiterTest, ASourceMayFiveAtOnceAndTwentyASecond) {
  EXPECT_EQ(Admitted("192.0.2.1"), 5);
  EXPECT_EQ(Admitted("192.0.2.2"), 5);  // Another's is its own.

  now_ += milliseconds(50);
  EXPECT_EQ(Admitted("192.0.2.1"), 1);
  now_ += seconds(1);
  EXPECT_EQ(Admitted("192.0.2.1"), 5);
}

TEST_F(HandshakeLimiterTest, AnIpv6NetworkIsOneSource) {
  EXPECT_EQ(Admitted("2001:db8:1:2::1"), 5);

  EXPECT_EQ(Admitted("2001:db8:1:2:ffff::9"), 0);
  EXPECT_EQ(Admitted("2001:db8:1:3::1"), 5);
}

TEST_F(HandshakeLimiterTest, AllSourcesTogetherAreBoundedAndSoIsMemory) {
  int admitted = 0;
  for (std::uint32_t i = 0; i < 200'000; ++i) {
    now_ += std::chrono::microseconds(10);
    std::array<std::uint8_t, 4> ip{10, 0, 0, 0};
    StoreBe<std::uint32_t>(ip, 0, 0x0A00'0000U + i);
    admitted += limiter_.Admit(now_, {IpAddress::FromBytes(ip), 1}) ? 1 : 0;
  }

  EXPECT_LE(admitted, 2 * 2000 + 1000);
  EXPECT_GE(admitted, 2 * 2000);
  EXPECT_LE(limiter_.sources(), 4096U);
}

TEST_F(HandshakeLimiterTest, SourcesAreForgottenWithTheLoad) {
  Flood(50'000);
  Admitted("192.0.2.1");
  ASSERT_EQ(limiter_.sources(), 1U);

  now_ += seconds(2);

  EXPECT_FALSE(limiter_.NeedsCookie(now_));
  EXPECT_EQ(limiter_.sources(), 0U);
}

// Where few can be admitted at all, those that were must not keep the others out for ever.
TEST_F(HandshakeLimiterTest, APlaceIsFreeAgainOnceItsBurstIsBack) {
  HandshakeLimiter limiter({.proven = {1'000'000, 1'000'000}});
  int admitted = 0;
  const auto from_all = [&] {
    for (std::uint32_t i = 0; i < 5000; ++i) {
      std::array<std::uint8_t, 4> ip{};
      StoreBe<std::uint32_t>(ip, 0, 0x0A00'0000U + i);
      admitted += limiter.Admit(now_, {IpAddress::FromBytes(ip), 1}) ? 1 : 0;
    }
  };
  from_all();
  EXPECT_EQ(admitted, 4096);

  now_ += milliseconds(50);
  from_all();

  EXPECT_GT(admitted, 4096 + 4000);
}

}  // namespace
}  // namespace floe::tunnel
