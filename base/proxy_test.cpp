#include "base/proxy.h"

#include <gtest/gtest.h>
#include <map>

namespace floe {
namespace {

TEST(ProxyTest, ReadsItsForms) {
  const auto plain = ParseProxy("http://proxy.example:3128");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->host, "proxy.example");
  EXPECT_EQ(plain->port, 3128);
  EXPECT_TRUE(plain->credentials.empty());

  const auto full = ParseProxy("HTTP://us%65r:p%40ss@[2001:db8::1]:8080/");
  ASSERT_TRUE(full);
  EXPECT_EQ(full->host, "2001:db8::1");
  EXPECT_EQ(full->port, 8080);
  EXPECT_EQ(full->credentials.text(), "user:p@ss");

  EXPECT_EQ(ParseProxy("192.0.2.1")->port, 1080);
}

TEST(ProxyTest, RefusesWhatItCannotUse) {
  for (const char* text : {"", "http://", "socks5://a:1", "https://a:1", "http://a:0", "http://a:x",
                           "http://a:70000", "http://[::1", "http://a b:1", "http://a\r\nX: y:1"}) {
    EXPECT_FALSE(ParseProxy(text)) << text;
  }
}

TEST(ProxyTest, KnowsWhoIsExempt) {
  EXPECT_TRUE(IsExempt("*", "turn.example"));
  EXPECT_TRUE(IsExempt("localhost, example", "turn.Example"));
  EXPECT_TRUE(IsExempt(".example", "turn.example"));
  EXPECT_TRUE(IsExempt("192.0.2.0/24", "192.0.2.7"));
  EXPECT_TRUE(IsExempt("10.0.0.1,2001:db8::1", "2001:db8::1"));
  EXPECT_FALSE(IsExempt("example", "notexample"));
  EXPECT_FALSE(IsExempt("192.0.2.0/24", "198.51.100.1"));
  EXPECT_FALSE(IsExempt("", "turn.example"));
}

TEST(ProxyTest, LooksInTheUsualPlaces) {
  std::map<std::string, std::string> variables{{"ALL_PROXY", "http://all:1"}};
  const auto get = [&](const char* name) { return variables[name]; };
  EXPECT_EQ(FindProxy(get, "turn.example")->host, "all");

  variables["HTTPS_PROXY"] = "http://upper:1";
  variables["https_proxy"] = "http://lower:1";
  EXPECT_EQ(FindProxy(get, "turn.example")->host, "lower");

  variables["NO_PROXY"] = "example";
  EXPECT_FALSE(FindProxy(get, "turn.example"));
}

}  // namespace
}  // namespace floe
