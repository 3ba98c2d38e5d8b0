#include "app/config/wg_quick.h"

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

namespace floe::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// From wg(8), EXAMPLES.
constexpr const char* kPrivate = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
constexpr const char* kFirst = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
constexpr const char* kSecond = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";
constexpr const char* kPreshared = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";

std::string Interface(const std::string& more = "") {
  return std::string("[Interface]\nPrivateKey = ") + kPrivate + "\n" + more;
}

std::string PeerSection(const std::string& more = "") {
  return std::string("[Peer]\nPublicKey = ") + kFirst +
         "\nEndpoint = 192.0.2.1:51820\nAllowedIPs = 10.0.0.1/32\n" + more;
}

WgQuick Accept(const std::string& text) {
  auto parsed = ParseWgQuick(text, "wg0.conf");
  EXPECT_TRUE(parsed) << ToString(parsed.error());
  return parsed ? std::move(*parsed) : WgQuick{};
}

std::string Refused(const std::string& text) {
  const auto parsed = ParseWgQuick(text, "wg0.conf");
  EXPECT_FALSE(parsed);
  return parsed ? "" : ToString(parsed.error());
}

TEST(WgQuickTest, ReadsWhatWgQuickReads) {
  const WgQuick wg = Accept(std::string("[interface]\r\nADDRESS = 10.0.0.2/24, fd00::2/64\r\n") +
                            "address=10.9.0.2\nPrivateKey=" + kPrivate +
                            " # the key\nListenPort = 51820\nFwMark = 0xca6c\nMTU = 1420\n"
                            "Table = auto\n\n[PEER]\nPublicKey = " +
                            kFirst + "\nPresharedKey = " + kPreshared +
                            "\nAllowedIPs = 0.0.0.0/0, ::/0\nallowedips = 10.1.2.3/16\n"
                            "Endpoint = vpn.example.net:51820\nPersistentKeepalive = 25\n");

  EXPECT_EQ(RevealKey(wg.private_key).text(), kPrivate);
  ASSERT_EQ(wg.addresses.size(), 3U);
  EXPECT_EQ(ToString(wg.addresses[0].ip), "10.0.0.2");
  EXPECT_EQ(wg.addresses[0].prefix_length, 24);
  EXPECT_EQ(wg.addresses[1].prefix_length, 64);
  EXPECT_EQ(wg.addresses[2].prefix_length, 32);
  EXPECT_EQ(wg.listen_port, 51820);
  EXPECT_EQ(wg.fwmark, 0xca6cU);
  EXPECT_EQ(wg.mtu, 1420);
  ASSERT_EQ(wg.peers.size(), 1U);
  const PeerConfig& peer = wg.peers.front();
  EXPECT_EQ(ToString(peer.public_key), kFirst);
  ASSERT_TRUE(peer.preshared_key);
  EXPECT_THAT(peer.allowed_ips, ElementsAre(*ParseIpPrefix("0.0.0.0/0"), *ParseIpPrefix("::/0"),
                                            *ParseIpPrefix("10.1.0.0/16")));
  EXPECT_EQ(peer.endpoint, (HostPort{"vpn.example.net", 51820}));
  EXPECT_EQ(peer.persistent_keepalive, std::chrono::seconds(25));
  EXPECT_THAT(wg.remarks, IsEmpty());
}

TEST(WgQuickTest, TakesNamesFromComments) {
  const std::string second = std::string("PublicKey = ") + kSecond + "\n";
  const auto names = [](const WgQuick& wg) {
    std::vector<std::string> all;
    for (const PeerConfig& peer : wg.peers) {
      all.push_back(peer.name);
    }
    return all;
  };

  EXPECT_THAT(names(Accept(Interface() + "# nas\n[Peer]\n" + second)), ElementsAre("nas"));
  EXPECT_THAT(names(Accept(Interface() + "[Peer]\n### Name = nas\n" + second)), ElementsAre("nas"));
  EXPECT_THAT(names(Accept(Interface() + "[Peer]\n" + second + "# nas\n")), ElementsAre("peer1"));
  EXPECT_THAT(names(Accept(Interface() + "# nas\n" + PeerSection() + "# nas\n[Peer]\n" + second)),
              ElementsAre("nas", "peer2"));
  EXPECT_THAT(names(Accept(Interface() + "# the one upstairs\n[Peer]\n" + second)),
              ElementsAre("peer1"));
  EXPECT_THAT(names(Accept(Interface() + "# peer2\n" + PeerSection() + "[Peer]\n" + second)),
              ElementsAre("peer2", "peer2_"));
}

TEST(WgQuickTest, SaysWhatItLeavesOut) {
  const WgQuick wg = Accept(Interface("Address = 10.0.0.2/24\nDNS = 10.0.0.1\nTable = off\n"
                                      "PostUp = iptables -A %i\nSaveConfig = true\n") +
                            "[Peer]\nPublicKey = " + kFirst + "\n");

  std::vector<std::string> remarks;
  for (const WgRemark& remark : wg.remarks) {
    remarks.push_back(std::to_string(remark.line) + " " + remark.text.substr(0, 20));
  }
  EXPECT_THAT(remarks, ElementsAre("4 DNS is left out: flo", "5 Table is left out: f",
                                   "6 PostUp is left out: ", "7 SaveConfig is left o",
                                   "8 this peer has no End", "8 this peer has no All"));
}

TEST(WgQuickTest, NamesTheLineOfWhatIsWrong) {
  EXPECT_THAT(Refused(""), HasSubstr("wg0.conf: has no section [Interface]"));
  EXPECT_THAT(Refused("PrivateKey = x\n"), HasSubstr("wg0.conf:1:"));
  EXPECT_THAT(Refused("[Interface]\nAddress = 10.0.0.1/24\n"), HasSubstr("PrivateKey: is missing"));
  EXPECT_THAT(Refused(Interface("Address = 10.0.0.1/33\n")),
              HasSubstr("wg0.conf:3:1: Interface.Address: "));
  EXPECT_THAT(Refused(Interface("ListenPort = 65536\n")), HasSubstr("3:1: Interface.ListenPort"));
  EXPECT_THAT(Refused(Interface("MTU = many\n")), HasSubstr("3:1: Interface.MTU"));
  EXPECT_THAT(Refused(Interface("FwMark = -1\n")), HasSubstr("3:1: Interface.FwMark"));
  EXPECT_THAT(Refused(Interface("Colour = red\n")), HasSubstr("3:1: Interface.Colour: is no key"));
  EXPECT_THAT(Refused(Interface("[Pear]\n")), HasSubstr("wg0.conf:3:1: is no section"));
  EXPECT_THAT(Refused(Interface("[Peer]\nAllowedIPs = 10.0.0.0/8\n")),
              HasSubstr("3:1: Peer.PublicKey: is missing"));
  EXPECT_THAT(Refused(Interface("[Peer]\nPublicKey = short\n")), HasSubstr("4:1: Peer.PublicKey"));
  EXPECT_THAT(Refused(Interface() + PeerSection("AllowedIPs = everything\n")),
              HasSubstr("7:1: Peer.AllowedIPs"));
  EXPECT_THAT(Refused(Interface() + PeerSection("Endpoint = 192.0.2.1\n")),
              HasSubstr("7:1: Peer.Endpoint"));
  EXPECT_THAT(Refused(Interface() + PeerSection("PersistentKeepalive = 70000\n")),
              HasSubstr("7:1: Peer.PersistentKeepalive"));
}

TEST(WgQuickTest, RepeatsNoSecretInAnError) {
  EXPECT_THAT(Refused("[Interface]\nPrivateKey = " + std::string(kPrivate) + "x\n"),
              Not(HasSubstr("yAnz5TF")));
  EXPECT_THAT(Refused(Interface(std::string(kPreshared) + "\n")), Not(HasSubstr("FpCyhws")));
  EXPECT_THAT(Refused(std::string(kPrivate) + "\n"), Not(HasSubstr("yAnz5TF")));
}

TEST(WgQuickTest, WritesItDownAsToml) {
  const WgQuick wg = Accept(
      Interface("Address = 10.0.0.2/24\nListenPort = 51820\nMTU = 1420\n# nas\n") +
      PeerSection(std::string("PresharedKey = ") + kPreshared + "\nPersistentKeepalive = 25\n"));

  EXPECT_EQ(ToToml(wg, "wg\"0\".conf", "floe.key"),
            std::string(R"(# From "wg\"0\".conf", by `floe import wg`.
schema = 1

[node]
private_key_file = "floe.key"
addresses = ["10.0.0.2/24"]
listen_port = 51820

[tun]
mtu = 1420

[[peer]]
name = "nas"
public_key = ")") +
                kFirst + R"("
preshared_key_file = "nas.psk"
allowed_ips = ["10.0.0.1/32"]
endpoint = "192.0.2.1:51820"
persistent_keepalive = 25
)");
}

TEST(WgQuickTest, APeerWithoutEndpointIsOneThatCalls) {
  const WgQuick wg = Accept(Interface() + "[Peer]\nPublicKey = " + kFirst + "\n");

  EXPECT_TRUE(wg.peers.at(0).is_plain);
  EXPECT_THAT(ToToml(wg, "wg0.conf", "floe.key"), HasSubstr("endpoint = \"any\"\n"));
}

}  // namespace
}  // namespace floe::config
