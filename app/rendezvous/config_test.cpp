#include "app/rendezvous/config.h"

#include <gtest/gtest.h>

namespace floe::rendezvous {
namespace {

ServerConfig Good(std::string_view text) {
  return ParseServerConfig(text, "/etc/floe/r.toml").value();
}

std::string Complaint(std::string_view text) {
  const auto config = ParseServerConfig(text, "r.toml");
  return config ? "" : config::ToString(config.error());
}

TEST(ServerConfigTest, TakesTheAddressesOfSignalingForStunAndTurn) {
  const ServerConfig config = Good("[server]\nlisten = [\"203.0.113.1:443\", \"203.0.113.1:80\"]");

  EXPECT_EQ(config.listen.size(), 2U);
  EXPECT_EQ(config.addresses, std::vector{IpAddress::V4(203, 0, 113, 1)});
  EXPECT_FALSE(config.tls);
}

TEST(ServerConfigTest, FindsFilesBesideIt) {
  const ServerConfig config = Good(R"(
[server]
listen = ["0.0.0.0:443"]
[tls]
certificate = "chain.pem"
key = "/etc/ssl/key.pem"
[turn]
addresses = ["203.0.113.1"]
)");

  ASSERT_TRUE(config.tls);
  EXPECT_EQ(config.tls->certificate, "/etc/floe/chain.pem");
  EXPECT_EQ(config.tls->key, "/etc/ssl/key.pem");
  EXPECT_EQ(config.addresses, std::vector{IpAddress::V4(203, 0, 113, 1)});
}

TEST(ServerConfigTest, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(Complaint("[server]\nlisten = [\"203.0.113.1\"]"),
            "r.toml:2:11: server.listen: holds \"203.0.113.1\"; write addresses with ports: "
            "\"203.0.113.1:443\" or \"[2001:db8::1]:443\"");
  EXPECT_NE(Complaint("[server]\n").find("server.listen"), std::string::npos);
  EXPECT_NE(Complaint("[server]\nlisten = [\"0.0.0.0:443\"]").find("turn.addresses"),
            std::string::npos);
  EXPECT_NE(Complaint("[server]\nlisten = [\"203.0.113.1:443\"]\n[tls]\nkey = \"k\"")
                .find("tls.certificate"),
            std::string::npos);
  EXPECT_NE(Complaint("[serve]\n").find("serve"), std::string::npos);
}

}  // namespace
}  // namespace floe::rendezvous
