#include "base/socket_address.h"

#include <gtest/gtest.h>

namespace floe {
namespace {

TEST(SocketAddressTest, WritesWhatItReads) {
  for (const char* text : {"192.0.2.1:80", "[2001:db8::1]:65535", "[fe80::1%7]:1", "0.0.0.0:0"}) {
    const auto address = ParseSocketAddress(text);
    ASSERT_TRUE(address.has_value()) << text;
    EXPECT_EQ(ToString(*address), text);
  }
}

TEST(SocketAddressTest, RefusesWhatIsNoAddress) {
  for (const char* text : {"", ":", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2:1",
                           "2001:db8::1:80", "[192.0.2.1]:80", "[::1:80", "192.0.2.1:8o",
                           "192.0.2.1: 80", "[fe80::1%nosuchif]:1", "192.0.2.1%1:80"}) {
    EXPECT_FALSE(ParseSocketAddress(text).has_value()) << text;
  }
}

TEST(SocketAddressTest, UnmapsIpv4) {
  EXPECT_EQ(ToString(ParseIpAddress("::ffff:192.0.2.1")->Unmapped()), "192.0.2.1");
  EXPECT_EQ(ToString(ParseIpAddress("2001:db8::1")->Unmapped()), "2001:db8::1");
}

TEST(SocketAddressTest, KnowsSpecialAddresses) {
  EXPECT_TRUE(ParseIpAddress("0.0.0.0")->is_unspecified());
  EXPECT_TRUE(ParseIpAddress("::")->is_unspecified());
  EXPECT_TRUE(ParseIpAddress("127.8.9.1")->is_loopback());
  EXPECT_TRUE(ParseIpAddress("::1")->is_loopback());
  EXPECT_FALSE(ParseIpAddress("::2")->is_loopback());
  EXPECT_TRUE(ParseIpAddress("239.1.1.1")->is_multicast());
  EXPECT_TRUE(ParseIpAddress("ff02::1")->is_multicast());
  EXPECT_TRUE(ParseIpAddress("255.255.255.255")->is_broadcast());
  EXPECT_TRUE(ParseIpAddress("169.254.0.1")->is_link_local());
  EXPECT_TRUE(ParseIpAddress("febf::1")->is_link_local());
  EXPECT_FALSE(ParseIpAddress("fec0::1")->is_link_local());
}

TEST(IpPrefixTest, ClearsHostBitsAndReportsTheHost) {
  IpAddress host;
  const auto prefix = ParseIpPrefix("10.71.3.9/20", &host);
  ASSERT_TRUE(prefix.has_value());
  EXPECT_EQ(ToString(*prefix), "10.71.0.0/20");
  EXPECT_EQ(ToString(host), "10.71.3.9");
}

TEST(IpPrefixTest, ContainsAndOverlaps) {
  const auto wide = *ParseIpPrefix("10.0.0.0/8");
  const auto narrow = *ParseIpPrefix("10.71.0.0/16");
  const auto v6 = *ParseIpPrefix("::/0");
  EXPECT_TRUE(wide.Contains(*ParseIpAddress("10.255.0.1")));
  EXPECT_FALSE(narrow.Contains(*ParseIpAddress("10.72.0.1")));
  EXPECT_TRUE(wide.Overlaps(narrow));
  EXPECT_TRUE(narrow.Overlaps(wide));
  EXPECT_FALSE(v6.Overlaps(wide)) << "families have nothing in common";
  EXPECT_TRUE(ParseIpPrefix("0.0.0.0/0")->Contains(*ParseIpAddress("203.0.113.1")));
}

TEST(IpPrefixTest, RefusesALengthBeyondTheFamily) {
  EXPECT_FALSE(ParseIpPrefix("10.0.0.0/33").has_value());
  EXPECT_FALSE(ParseIpPrefix("::/129").has_value());
  EXPECT_FALSE(ParseIpPrefix("10.0.0.0/").has_value());
  EXPECT_FALSE(ParseIpPrefix("10.0.0.0/+8").has_value());
}

}  // namespace
}  // namespace floe
