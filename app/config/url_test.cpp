#include "app/config/url.h"

#include <gtest/gtest.h>

namespace floe::config {
namespace {

TEST(ParseHostPortTest, TakesNamesAndBothKindsOfAddress) {
  EXPECT_EQ(*ParseHostPort("nas.example.net:41820"), (HostPort{"nas.example.net", 41820}));
  EXPECT_EQ(*ParseHostPort("192.0.2.1:1"), (HostPort{"192.0.2.1", 1}));
  EXPECT_EQ(*ParseHostPort("[2001:db8::1]:65535"), (HostPort{"2001:db8::1", 65535}));
}

TEST(ParseHostPortTest, RequiresAPort) {
  for (const char* text : {"host", "[::1]", "host:", "host:0", "host:65536", "host:x", "host:1x",
                           "[::1]x80", "2001:db8::1"}) {
    const auto parsed = ParseHostPort(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error(), UrlError::kBadPort) << text;
  }
}

TEST(ParseHostPortTest, RefusesWhatIsNoHost) {
  for (const char* text : {"", ":80", "a b:80", "[192.0.2.1]:80", "[::1:80", "[]:80", "-a:80",
                           ".a:80", "user@host:80"}) {
    const auto parsed = ParseHostPort(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error(), UrlError::kBadHost) << text;
  }
}

TEST(HostPortTest, IsWrittenWithBracketsWhereNeeded) {
  EXPECT_EQ(ToString(HostPort{"a.example", 80}), "a.example:80");
  EXPECT_EQ(ToString(HostPort{"::1", 80}), "[::1]:80");
}

TEST(ParseRendezvousUrlTest, KeepsWhatWasWritten) {
  const auto url = ParseRendezvousUrl("WSS://RV.example/x");
  ASSERT_TRUE(url.has_value());
  EXPECT_EQ(url->text, "WSS://RV.example/x");
  EXPECT_EQ(url->url.host, "rv.example");
  EXPECT_EQ(ParseRendezvousUrl("https://rv.example").error(), signaling::UrlError::kScheme);
}

TEST(ParseStunUrlTest, DefaultsToPort3478) {
  EXPECT_EQ(ParseStunUrl("stun:s.example")->server, (HostPort{"s.example", 3478}));
  EXPECT_EQ(ParseStunUrl("stun:[2001:db8::1]:19302")->server, (HostPort{"2001:db8::1", 19302}));
}

TEST(ParseStunUrlTest, RefusesOtherSchemesAndQueries) {
  EXPECT_EQ(ParseStunUrl("stuns:s.example").error(), UrlError::kBadScheme);
  EXPECT_EQ(ParseStunUrl("s.example:3478").error(), UrlError::kBadScheme);
  EXPECT_EQ(ParseStunUrl("stun:s.example:3478?transport=udp").error(), UrlError::kBadPort);
  EXPECT_EQ(ParseStunUrl("stun://s.example").error(), UrlError::kBadHost);
}

// The examples of RFC 7065 section 3.2 (appendix A), as far as floe speaks them.
TEST(ParseRelayUrlTest, ReadsTheExamplesOfRfc7065) {
  const auto plain = ParseRelayUrl("turn:example.org");
  EXPECT_EQ(plain->transport, RelayTransport::kUdp);
  EXPECT_EQ(plain->server, (HostPort{"example.org", 3478}));

  const auto secure = ParseRelayUrl("turns:example.org");
  EXPECT_EQ(secure->transport, RelayTransport::kTls);
  EXPECT_EQ(secure->server, (HostPort{"example.org", 5349}));

  EXPECT_EQ(ParseRelayUrl("turn:example.org:8000")->server.port, 8000);
  EXPECT_EQ(ParseRelayUrl("turn:example.org?transport=udp")->transport, RelayTransport::kUdp);
  EXPECT_EQ(ParseRelayUrl("turn:example.org?transport=tcp")->transport, RelayTransport::kTcp);
  EXPECT_EQ(ParseRelayUrl("turns:example.org?transport=tcp")->transport, RelayTransport::kTls);
}

TEST(ParseRelayUrlTest, SaysWhatIsWrong) {
  EXPECT_EQ(ParseRelayUrl("stun:example.org").error(), UrlError::kBadScheme);
  EXPECT_EQ(ParseRelayUrl("turn:").error(), UrlError::kBadHost);
  EXPECT_EQ(ParseRelayUrl("turn:example.org:99999").error(), UrlError::kBadPort);
  EXPECT_EQ(ParseRelayUrl("turn:example.org?transport=sctp").error(), UrlError::kBadTransport);
  EXPECT_EQ(ParseRelayUrl("turns:example.org?transport=udp").error(), UrlError::kBadTransport);
  EXPECT_EQ(ParseRelayUrl("turn:example.org?").error(), UrlError::kBadTransport);
}

}  // namespace
}  // namespace floe::config
