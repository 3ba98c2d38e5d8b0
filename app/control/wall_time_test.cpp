#include "app/control/wall_time.h"

#include <gtest/gtest.h>

namespace floe::control {
namespace {

using std::chrono::milliseconds;

TEST(WallTimeTest, WritesUtcWithMilliseconds) {
  EXPECT_EQ(FormatRfc3339(WallTime(milliseconds(0))), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(FormatRfc3339(WallTime(milliseconds(1795418417123))), "2026-11-23T07:20:17.123Z");
}

// RFC 3339 section 5.8, the examples in UTC.
TEST(WallTimeTest, ReadsTheExamplesOfRfc3339) {
  EXPECT_EQ(ParseRfc3339("1985-04-12T23:20:50.52Z"), WallTime(milliseconds(482196050520)));
  EXPECT_EQ(ParseRfc3339("1990-12-31T23:59:60Z"), WallTime(milliseconds(662688000000)));
}

TEST(WallTimeTest, ReadsWhatItWrites) {
  for (const std::int64_t count : {0LL, 1LL, 951782400000LL, 1795418417123LL}) {
    const WallTime time{milliseconds(count)};
    EXPECT_EQ(ParseRfc3339(FormatRfc3339(time)), time);
  }
}

TEST(WallTimeTest, RefusesEveryTruncation) {
  const std::string whole = "2026-11-23T07:20:17.123Z";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(ParseRfc3339(whole.substr(0, size)).has_value()) << size;
  }
}

TEST(WallTimeTest, RefusesWhatIsNoTime) {
  for (const char* text :
       {"2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00+01:00", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.-1Z",
        "-026-01-01T00:00:00Z", "2026-01-01T00:00:00ZZ"}) {
    EXPECT_FALSE(ParseRfc3339(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace floe::control
