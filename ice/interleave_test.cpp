#include "ice/interleave.h"

#include <gtest/gtest.h>
#include <string>
#include <string_view>

namespace floe::ice {
namespace {

std::string Order(const std::vector<std::string_view>& addresses) {
  std::vector<SocketAddress> parsed;
  for (const std::string_view address : addresses) {
    parsed.push_back(*ParseSocketAddress(address));
  }
  std::string order;
  for (const SocketAddress& address : InterleaveFamilies(parsed)) {
    order += ToString(address) + ' ';
  }
  return order;
}

TEST(InterleaveFamiliesTest, TheyTakeTurnsIpv6First) {
  EXPECT_EQ(Order({"192.0.2.1:1", "192.0.2.2:1", "[2001:db8::1]:1", "[2001:db8::2]:1"}),
            "[2001:db8::1]:1 192.0.2.1:1 [2001:db8::2]:1 192.0.2.2:1 ");
}

TEST(InterleaveFamiliesTest, WhatOneHasMoreOfComesLast) {
  EXPECT_EQ(Order({"192.0.2.1:1", "[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1"}),
            "[2001:db8::1]:1 192.0.2.1:1 [2001:db8::2]:1 [2001:db8::3]:1 ");
  EXPECT_EQ(Order({"192.0.2.2:1", "192.0.2.1:1"}), "192.0.2.2:1 192.0.2.1:1 ");
  EXPECT_EQ(Order({}), "");
}

}  // namespace
}  // namespace floe::ice
