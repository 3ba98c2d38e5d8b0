#include "tunnel/tai64n.h"

#include <gtest/gtest.h>

#include "tests/support/hex.h"

namespace floe::tunnel {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(Tai64nTest, StartsAtTheLabelOf1970) {
  EXPECT_EQ(test::ToHex(ToTai64n(nanoseconds(0))), "400000000000000a00000000");
  EXPECT_EQ(test::ToHex(ToTai64n(seconds(1) + nanoseconds(2))), "400000000000000b00000002");
}

TEST(Tai64nTest, ComparesAsTimeDoes) {
  EXPECT_LT(ToTai64n(seconds(5) + nanoseconds(999'999'999)), ToTai64n(seconds(6)));
  EXPECT_LT(ToTai64n(nanoseconds(255)), ToTai64n(nanoseconds(256)));
  EXPECT_LT(Tai64n{}, ToTai64n(nanoseconds(0)));
}

}  // namespace
}  // namespace floe::tunnel
