#include "app/config/duration.h"

#include <chrono>
#include <gtest/gtest.h>

namespace floe::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(ParseDurationTest, TakesAPlainNumberAsSeconds) {
  EXPECT_EQ(ParseDuration("5"), seconds(5));
  EXPECT_EQ(ParseDuration("0"), seconds(0));
}

TEST(ParseDurationTest, KnowsTheUnits) {
  EXPECT_EQ(ParseDuration("5s"), seconds(5));
  EXPECT_EQ(ParseDuration("200ms"), milliseconds(200));
  EXPECT_EQ(ParseDuration("1m"), minutes(1));
  EXPECT_EQ(ParseDuration("2h"), hours(2));
}

TEST(ParseDurationTest, TakesFractions) {
  EXPECT_EQ(ParseDuration("0.2"), milliseconds(200));
  EXPECT_EQ(ParseDuration("1.5s"), milliseconds(1500));
  EXPECT_EQ(ParseDuration("0.5m"), seconds(30));
}

TEST(ParseDurationTest, RefusesEverythingElse) {
  for (const char* text : {"", "s", "ms", ".", "1.2.3", "-1", "+1", " 1", "1 ", "1 s", "1d", "1sec",
                           "0x10", "1e3", "inf", "nan", "99999999999999999999"}) {
    EXPECT_FALSE(ParseDuration(text).has_value()) << '"' << text << '"';
  }
}

}  // namespace
}  // namespace floe::config
