#include "signaling/url.h"

#include <gtest/gtest.h>
#include <string>

namespace floe::signaling {
namespace {

UrlError ErrorOf(std::string_view text) {
  const auto url = ParseUrl(text);
  EXPECT_FALSE(url.has_value()) << text;
  return url ? UrlError{255} : url.error();
}

TEST(UrlTest, FillsInWhatIsLeftOut) {
  EXPECT_EQ(ParseUrl("wss://floe.example").value(), (Url{true, "floe.example", 443, "/floe"}));
  EXPECT_EQ(ParseUrl("ws://floe.example/").value(), (Url{false, "floe.example", 80, "/floe"}));
}

TEST(UrlTest, ReadsEveryPart) {
  EXPECT_EQ(ParseUrl("WSS://Floe.Example:8443/a/b?c=d").value(),
            (Url{true, "floe.example", 8443, "/a/b?c=d"}));
  EXPECT_EQ(ParseUrl("ws://198.51.100.10:8080").value(),
            (Url{false, "198.51.100.10", 8080, "/floe"}));
  EXPECT_EQ(ParseUrl("ws://[2001:DB8::1]:8080/x").value(), (Url{false, "2001:db8::1", 8080, "/x"}));
}

TEST(UrlTest, SaysWhatIsWrong) {
  for (const char* text : {"", "floe.example", "http://floe.example", "ws:/floe.example", "://a"}) {
    EXPECT_EQ(ErrorOf(text), UrlError::kScheme) << text;
  }
  for (const char* text :
       {"ws://", "ws:///floe", "ws://:80", "ws://a..b", "ws://.a", "ws://a.", "ws://-a", "ws://a b",
        "ws://user@host", "ws://user:secret@host:80", "ws://[::1", "ws://[192.0.2.1]",
        "ws://[fe80::1%25lo]", "ws://300.1.1.1", "ws://127.1", "ws://[]", "ws://2001:db8::1"}) {
    const UrlError error = ErrorOf(text);
    EXPECT_TRUE(error == UrlError::kHost || error == UrlError::kPort) << text;
  }
  for (const char* text : {"ws://a:", "ws://a:0", "ws://a:65536", "ws://a:x", "ws://a:1:2",
                           "ws://a:+1", "ws://[::1]80"}) {
    EXPECT_EQ(ErrorOf(text), UrlError::kPort) << text;
  }
  for (const char* text : {"ws://a/#b", "ws://a#b", "ws://a?b", "ws://a/b c", "ws://a/\r\nX: y"}) {
    EXPECT_EQ(ErrorOf(text), UrlError::kPath) << text;
  }
  EXPECT_EQ(ErrorOf("ws://a/" + std::string(kMaxUrlSize, 'b')), UrlError::kLength);
  EXPECT_EQ(ErrorOf("ws://" + std::string(64, 'a')), UrlError::kHost);
}

TEST(UrlTest, WritesWhatItReads) {
  for (const char* text : {"wss://floe.example/floe", "ws://[2001:db8::1]:8080/x?y=z",
                           "ws://198.51.100.10:443/floe"}) {
    EXPECT_EQ(ToString(ParseUrl(text).value()), text);
  }
}

TEST(UrlTest, NamesTheHostAsAHeaderDoes) {
  EXPECT_EQ(Authority(ParseUrl("ws://floe.example").value()), "floe.example");
  EXPECT_EQ(Authority(ParseUrl("wss://[::1]:8443").value()), "[::1]:8443");
}

}  // namespace
}  // namespace floe::signaling
