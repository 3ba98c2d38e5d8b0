#include "app/config/config.h"

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "app/config/derived_address.h"
#include "tests/support/temporary_directory.h"

namespace floe::config {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// RFC 7748 section 6.1, in base64.
constexpr const char* kAlicePrivate = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
constexpr const char* kAlicePublic = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";
constexpr const char* kBobPublic = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=";
// X25519 of the scalar 9, 0, 0...: any third key.
constexpr const char* kCarolPublic = "T/84vnKBmtHgzWFQzUuKR8XK1kn8d87hbm/jRzx2sBs=";
constexpr const char* kNode = "[node]\nname = \"a\"\nprivate_key_file = \"a.key\"\n";

std::string PeerTable(const std::string& name, const std::string& key,
                      const std::string& rest = "") {
  return "[[peer]]\nname = \"" + name + "\"\npublic_key = \"" + key + "\"\n" + rest;
}

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    directory_.Write("a.key", std::string(kAlicePrivate) + "\n", 0600);
    directory_.Write("turn.password", "correct horse\n", 0600);
  }

  [[nodiscard]] Result<Config, ConfigError> Parse(const std::string& text) const {
    return ParseConfig(text, directory_.path() / "floe.toml");
  }

  /// The config that must be accepted.
  [[nodiscard]] Config Accept(const std::string& text) const {
    auto parsed = Parse(text);
    EXPECT_TRUE(parsed.has_value()) << ToString(parsed.error());
    return parsed ? *std::move(parsed) : Config{};
  }

  /// Expects `text` to be refused at this place for this key. `at` is "line:column: key: message;
  /// remedy", of which the beginning will do.
  void ExpectRefused(const std::string& text, const std::string& at) const {
    const auto parsed = Parse(text);
    ASSERT_FALSE(parsed.has_value()) << "accepted:\n" << text;
    EXPECT_THAT(ToString(parsed.error()),
                StartsWith((directory_.path() / "floe.toml").native() + ":" + at));
    EXPECT_FALSE(parsed.error().remedy.empty() && parsed.error().key != "");
  }

  [[nodiscard]] std::string PathOf(const char* name) const {
    return (directory_.path() / name).native();
  }

  test::TemporaryDirectory directory_;
};

TEST_F(ConfigTest, FillsInDefaults) {
  const Config config = Accept("[node]\nprivate_key_file = \"a.key\"\n");

  EXPECT_FALSE(config.node.name.empty());
  EXPECT_EQ(ToString(config.node.public_key), kAlicePublic);
  EXPECT_EQ(config.node.listen_port, 41820);
  EXPECT_EQ(config.node.fwmark, 0U);
  EXPECT_EQ(config.tun.name, "floe0");
  EXPECT_EQ(config.tun.mtu, 1408);
  EXPECT_TRUE(config.tun.two_threads);
  EXPECT_EQ(config.paths.prefer, PathPreference::kAuto);
  EXPECT_TRUE(config.paths.pcp && config.paths.nat_pmp && config.paths.upnp);
  EXPECT_FALSE(config.paths.port_prediction);
  EXPECT_EQ(config.control_socket, "/run/floe/floe.sock");
  EXPECT_EQ(config.log_level, log::Level::kInfo);
  EXPECT_FALSE(config.allow_overlap);
  EXPECT_TRUE(config.peers.empty());
}

TEST_F(ConfigTest, DerivesTheAddressesThatAreNotWritten) {
  const Config config = Accept(kNode + PeerTable("b", kBobPublic));

  ASSERT_EQ(config.node.addresses.size(), 1U);
  EXPECT_EQ(config.node.addresses[0].ip, DeriveAddress(*ParsePublicKey(kAlicePublic)));
  EXPECT_EQ(config.node.addresses[0].prefix_length, 128);
  ASSERT_EQ(config.peers.at(0).allowed_ips.size(), 1U);
  EXPECT_EQ(config.peers[0].allowed_ips[0].address, DeriveAddress(*ParsePublicKey(kBobPublic)));
  EXPECT_EQ(config.peers[0].allowed_ips[0].length, 128);
}

TEST_F(ConfigTest, ReadsTheNode) {
  const Config config = Accept(std::string("schema = 1\n") + kNode +
                               "addresses = [\"10.71.0.1/24\", \"fd71::1/64\"]\n"
                               "listen_port = 0\nfwmark = 0xca6c\n");

  EXPECT_EQ(config.node.name, "a");
  ASSERT_EQ(config.node.addresses.size(), 2U);
  EXPECT_EQ(ToString(config.node.addresses[0].ip), "10.71.0.1");
  EXPECT_EQ(config.node.addresses[0].prefix_length, 24);
  EXPECT_EQ(ToString(config.node.addresses[1].ip), "fd71::1");
  EXPECT_EQ(config.node.listen_port, 0);
  EXPECT_EQ(config.node.fwmark, 0xca6cU);
}

TEST_F(ConfigTest, ReadsTheServers) {
  const Config config = Accept(kNode + std::string(R"(
[rendezvous]
urls = ["ws://198.51.100.10:8080", "wss://rv.example.net"]
[stun]
urls = ["stun:198.51.100.11"]
[[relay]]
urls = ["turn:198.51.100.11:3478?transport=udp", "turns:198.51.100.11:443?transport=tcp"]
username = "u"
password_file = "turn.password"
[[relay]]
urls = ["turn:198.51.100.12"]
secret_file = "turn.password"
)"));

  ASSERT_EQ(config.rendezvous.size(), 2U);
  EXPECT_EQ(config.rendezvous[0].url.port, 8080);
  EXPECT_TRUE(config.rendezvous[1].url.secure);
  EXPECT_EQ(config.stun.at(0).server, (HostPort{"198.51.100.11", 3478}));
  ASSERT_EQ(config.relays.size(), 2U);
  EXPECT_EQ(config.relays[0].urls.at(1).transport, RelayTransport::kTls);
  EXPECT_EQ(config.relays[0].username, "u");
  EXPECT_EQ(config.relays[0].password->text(), "correct horse");
  EXPECT_FALSE(config.relays[0].shared_secret.has_value());
  EXPECT_EQ(config.relays[1].shared_secret->text(), "correct horse");
}

TEST_F(ConfigTest, ReadsAPeer) {
  directory_.Write("psk", std::string(kBobPublic) + "\n", 0600);

  const Config config = Accept(kNode + PeerTable("b", kBobPublic, R"(preshared_key_file = "psk"
allowed_ips = ["10.71.0.2/32", "192.168.50.0/24"]
endpoint = "[2001:db8::1]:51820"
persistent_keepalive = 25
)"));

  const PeerConfig& peer = config.peers.at(0);
  EXPECT_EQ(peer.name, "b");
  EXPECT_EQ(ToString(peer.public_key), kBobPublic);
  EXPECT_EQ(RevealKey(peer.preshared_key.value()).text(), kBobPublic);
  ASSERT_EQ(peer.allowed_ips.size(), 2U);
  EXPECT_EQ(ToString(peer.allowed_ips[1]), "192.168.50.0/24");
  EXPECT_TRUE(peer.is_plain);
  EXPECT_EQ(peer.endpoint, (HostPort{"2001:db8::1", 51820}));
  EXPECT_EQ(peer.persistent_keepalive, std::chrono::seconds(25));
}

TEST_F(ConfigTest, ReadsTheRest) {
  const Config config = Accept(kNode + std::string(R"(
[paths]
prefer = "relay-only"
ignore_interfaces = ["docker*"]
ignore_cidrs = ["172.16.0.0/12"]
privacy = "default-route"
interfaces = ["eth*", "wl*"]
hide_interfaces = ["eth1"]
hide_cidrs = ["192.168.0.0/16"]
prefer_interfaces = ["eth*"]
portmap = ["nat-pmp"]
port_prediction = true
[tun]
name = "floe1"
mtu = 1280
threads = 1
offload = ["tso", "udp-gro"]
[control]
socket = "floe.sock"
[log]
level = "debug"
[routing]
allow_overlap = true
)"));

  EXPECT_EQ(config.paths.prefer, PathPreference::kRelayOnly);
  EXPECT_EQ(config.paths.ignore_interfaces, std::vector<std::string>{"docker*"});
  EXPECT_EQ(ToString(config.paths.ignore_cidrs.at(0)), "172.16.0.0/12");
  EXPECT_EQ(config.paths.privacy, Privacy::kDefaultRoute);
  EXPECT_EQ(config.paths.interfaces, (std::vector<std::string>{"eth*", "wl*"}));
  EXPECT_EQ(config.paths.hide_interfaces, std::vector<std::string>{"eth1"});
  EXPECT_EQ(ToString(config.paths.hide_cidrs.at(0)), "192.168.0.0/16");
  EXPECT_EQ(config.paths.prefer_interfaces, std::vector<std::string>{"eth*"});
  EXPECT_FALSE(config.paths.pcp || config.paths.upnp);
  EXPECT_TRUE(config.paths.nat_pmp);
  EXPECT_TRUE(config.paths.port_prediction);
  EXPECT_EQ(config.tun.name, "floe1");
  EXPECT_EQ(config.tun.mtu, 1280);
  EXPECT_FALSE(config.tun.two_threads);
  EXPECT_EQ(
      config.tun.offload,
      (OffloadConfig{
          .tso = true, .uso = false, .coalesce = false, .udp_segment = false, .udp_gro = true}));
  EXPECT_EQ(config.control_socket, directory_.path() / "floe.sock");
  EXPECT_EQ(config.log_level, log::Level::kDebug);
  EXPECT_TRUE(config.allow_overlap);
}

TEST_F(ConfigTest, TellsPlainDevicesFromPeersThatRunFloe) {
  const Config config = Accept(kNode + PeerTable("b", kBobPublic) +
                               PeerTable("c", kCarolPublic, "endpoint = \"any\"\n"));

  EXPECT_FALSE(config.peers.at(0).is_plain);
  EXPECT_TRUE(config.peers.at(1).is_plain);
  EXPECT_FALSE(config.peers[1].endpoint);
  EXPECT_EQ(EndpointText(config.peers[1]), "any");
}

TEST_F(ConfigTest, AcceptsEveryPathPreference) {
  for (const char* word : {"auto", "direct", "relay", "direct-only", "relay-only"}) {
    EXPECT_TRUE(Parse(kNode + std::string("[paths]\nprefer = \"") + word + "\"\n").has_value());
  }
}

TEST_F(ConfigTest, MasksHostBitsOfAllowedIps) {
  const Config config =
      Accept(kNode + PeerTable("b", kBobPublic, "allowed_ips = [\"10.9.8.7/16\"]\n"));
  EXPECT_EQ(ToString(config.peers.at(0).allowed_ips.at(0)), "10.9.0.0/16");
}

TEST_F(ConfigTest, AcceptsAGatewayForEverything) {
  const std::string own = "addresses = [\"10.71.0.1/24\"]\n";
  EXPECT_TRUE(Parse(kNode + own + PeerTable("b", kBobPublic, "allowed_ips = [\"0.0.0.0/0\"]\n"))
                  .has_value());
}

TEST_F(ConfigTest, TakesAKeepaliveWithAUnit) {
  const Config config =
      Accept(kNode + PeerTable("b", kBobPublic, "persistent_keepalive = \"1m\"\n"));
  EXPECT_EQ(config.peers.at(0).persistent_keepalive, std::chrono::minutes(1));
}

TEST_F(ConfigTest, TakesAnMtuOfAuto) {
  EXPECT_EQ(Accept(kNode + std::string("[tun]\nmtu = \"auto\"\n")).tun.mtu, 1408);
  EXPECT_EQ(Accept(kNode + std::string("[tun]\noffload = \"auto\"\n")).tun.offload,
            OffloadConfig{});
}

// Errors of the file as a whole.

TEST_F(ConfigTest, RefusesWhatIsNoToml) {
  ExpectRefused("[node]\nname = \n", "2:8: is not TOML: ");
}

TEST_F(ConfigTest, RefusesAnotherSchema) {
  ExpectRefused("schema = 2\n", "1:10: schema: is 2; write an integer from 1 to 1");
}

TEST_F(ConfigTest, RefusesAFileThatIsNotThere) {
  const auto loaded = LoadConfig(directory_.path() / "none.toml");
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(
      ToString(loaded.error()),
      PathOf("none.toml") + ": cannot be read: No such file or directory; name a readable file");
}

TEST_F(ConfigTest, RefusesADirectory) {
  const auto loaded = LoadConfig(directory_.path());
  ASSERT_FALSE(loaded.has_value());
  EXPECT_THAT(ToString(loaded.error()), HasSubstr("cannot be read: Is a directory"));
}

TEST_F(ConfigTest, LoadsAFile) {
  const auto path = directory_.Write("floe.toml", kNode + PeerTable("b", kBobPublic), 0644);
  const auto loaded = LoadConfig(path);
  ASSERT_TRUE(loaded.has_value()) << ToString(loaded.error());
  EXPECT_EQ(loaded->peers.size(), 1U);
}

// Keys and types.

TEST_F(ConfigTest, RefusesAnUnknownKeyAndSuggestsTheNearest) {
  ExpectRefused(kNode + std::string("listen_prt = 1\n"),
                "4:1: node.listen_prt: unknown key; did you mean listen_port?");
  ExpectRefused("[node]\nprivate_key = \"x\"\n",
                "2:1: node.private_key: unknown key; did you mean private_key_file?");
  ExpectRefused(kNode + std::string("[peers]\n"), "4:2: peers: unknown key; did you mean peer?");
  ExpectRefused(kNode + PeerTable("b", kBobPublic, "AllowedIPs = []\n"),
                "7:1: peer.AllowedIPs: unknown key; ");
}

TEST_F(ConfigTest, ListsTheKeysWhereNoneIsNear) {
  ExpectRefused(kNode + std::string("[tun]\nqueues = 4\n"),
                "5:1: tun.queues: unknown key; known here: name, mtu, offload, threads");
}

TEST_F(ConfigTest, RefusesTheWrongType) {
  ExpectRefused("[node]\nname = 5\n", "2:8: node.name: is an integer; write a string in quotes");
  ExpectRefused(kNode + std::string("listen_port = \"1\"\n"),
                "4:15: node.listen_port: is a string; write an integer from 0 to 65535");
  ExpectRefused(kNode + std::string("listen_port = 1.5\n"),
                "4:15: node.listen_port: is a number with a fraction; ");
  ExpectRefused(kNode + std::string("addresses = \"10.0.0.1\"\n"),
                "4:13: node.addresses: is a string; write an array of strings");
  ExpectRefused(kNode + std::string("addresses = [\n  \"10.0.0.1\",\n  5]\n"),
                "6:3: node.addresses: holds an integer; write an array of strings");
  ExpectRefused(kNode + std::string("[routing]\nallow_overlap = 1\n"),
                "5:17: routing.allow_overlap: is an integer; write true or false");
  ExpectRefused("node = 1\n", "1:1: node: is an integer; write it as a table: [node]");
  ExpectRefused(kNode + std::string("[peer]\nname = \"b\"\n"),
                "4:2: peer: is a table; write one [[peer]] for each");
}

TEST_F(ConfigTest, RefusesANumberOutOfRange) {
  ExpectRefused(kNode + std::string("listen_port = 65536\n"),
                "4:15: node.listen_port: is 65536; write an integer from 0 to 65535");
  ExpectRefused(kNode + std::string("fwmark = -1\n"), "4:10: node.fwmark: is -1; ");
  ExpectRefused(kNode + std::string("[tun]\nmtu = 575\n"), "5:7: tun.mtu: is 575; ");
  ExpectRefused(kNode + std::string("[tun]\nthreads = 3\n"), "5:11: tun.threads: is 3; ");
  ExpectRefused(kNode + std::string("[tun]\nmtu = 9001\n"), "5:7: tun.mtu: is 9001; ");
}

TEST_F(ConfigTest, RefusesAnEmptyText) {
  ExpectRefused("[node]\nname = \"\"\n", "2:8: node.name: is empty; ");
}

TEST_F(ConfigTest, RefusesWhatIsMissing) {
  ExpectRefused("", "1:1: node.private_key_file: is missing; name a file made by ");
  ExpectRefused("\n[node]\nname = \"a\"\n", "2:1: node.private_key_file: is missing; ");
  ExpectRefused(kNode + std::string("\n[[peer]]\npublic_key = \"x\"\n"),
                "5:1: peer.name: is missing; ");
  ExpectRefused(kNode + std::string("[[peer]]\nname = \"b\"\n"),
                "4:1: peer.public_key: is missing; write what `floe key pub` prints");
}

TEST_F(ConfigTest, RefusesNamesThatCannotStandInCommands) {
  for (const char* name : {"a b", "-a", "a/b", "\\u001b[2J", "\\u00e4"}) {
    ExpectRefused(std::string("[node]\nname = \"") + name + "\"\n",
                  "2:8: node.name: is no usable name; write 1 to 63 letters");
  }
  ExpectRefused("[node]\nname = \"" + std::string(64, 'a') + "\"\n", "2:8: node.name: ");
}

// Files of keys.

TEST_F(ConfigTest, RefusesAKeyFileThatIsNotThere) {
  ExpectRefused("[node]\nprivate_key_file = \"b.key\"\n",
                "2:20: node.private_key_file: names " + PathOf("b.key") +
                    ", which does not exist; create it, or correct the path");
}

TEST_F(ConfigTest, RefusesAKeyFileThatCannotBeRead) {
  std::filesystem::create_symlink(PathOf("loop"), PathOf("loop"));
  ExpectRefused(
      "[node]\nprivate_key_file = \"loop\"\n",
      "2:20: node.private_key_file: names " + PathOf("loop") + ", which cannot be read: ");
}

TEST_F(ConfigTest, RefusesAKeyFileOthersMayRead) {
  directory_.Write("a.key", kAlicePrivate, 0640);
  ExpectRefused(kNode, "3:20: node.private_key_file: names " + PathOf("a.key") +
                           ", which others may use (mode 0640); chmod 600 " + PathOf("a.key"));
}

TEST_F(ConfigTest, RefusesAKeyFileWithoutAKeyAndKeepsItsContentToItself) {
  for (const char* content : {"hunter2", "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo",
                              "d3JvbmcgbGVuZ3Ro", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}) {
    directory_.Write("a.key", content, 0600);
    ExpectRefused(kNode, "3:20: node.private_key_file: names " + PathOf("a.key") +
                             ", which holds no valid key; ");
    EXPECT_THAT(ToString(Parse(kNode).error()), testing::Not(HasSubstr(content)));
  }
}

TEST_F(ConfigTest, RefusesAPresharedKeyFileWithoutAKey) {
  ExpectRefused(kNode + PeerTable("b", kBobPublic, "preshared_key_file = \"turn.password\"\n"),
                "7:22: peer.preshared_key_file: names " + PathOf("turn.password") +
                    ", which holds no valid key; ");
}

// Addresses.

TEST_F(ConfigTest, RefusesAddressesThatAreNone) {
  ExpectRefused(
      kNode + std::string("addresses = [\"10.71.0.1/24\", \"10.71.0.300\"]\n"),
      "4:30: node.addresses: holds \"10.71.0.300\", which is no IP prefix; write it like ");
  ExpectRefused(kNode + std::string("addresses = [\"10.71.0.1/33\"]\n"), "4:14: node.addresses: ");
  ExpectRefused(kNode + std::string("addresses = [\"127.0.0.1/8\"]\n"),
                "4:14: node.addresses: 127.0.0.1 cannot be a node's address; ");
  ExpectRefused(kNode + std::string("addresses = [\"::/64\"]\n"), "4:14: node.addresses: ");
  ExpectRefused(kNode + std::string("addresses = [\"10.0.0.1/24\", \"10.0.0.1/16\"]\n"),
                "4:29: node.addresses: holds 10.0.0.1 twice; ");
  ExpectRefused(kNode + std::string("[paths]\nignore_cidrs = [\"x\"]\n"),
                "5:17: paths.ignore_cidrs: holds \"x\", which is no IP prefix; ");
}

TEST_F(ConfigTest, RefusesAnMtuTooSmallForTheAddresses) {
  ExpectRefused(kNode + std::string("[tun]\nmtu = 1279\n"),
                "5:7: tun.mtu: is 1279, and this node has an IPv6 address; write 1280 or more");
  EXPECT_EQ(
      Accept(kNode + std::string("addresses = [\"10.0.0.1/24\"]\n[tun]\nmtu = 576\n")).tun.mtu,
      576);
}

// Peers.

TEST_F(ConfigTest, RefusesAPublicKeyThatIsNone) {
  const std::string short_key = "d3JvbmcgbGVuZ3Ro";
  for (const std::string& key : {std::string("b"), short_key, kBobPublic + std::string(" ")}) {
    ExpectRefused(kNode + PeerTable("b", key),
                  "6:14: peer.public_key: is no key; write 44 characters of base64");
    EXPECT_EQ(ToString(Parse(kNode + PeerTable("b", key)).error()).find(key + "\""),
              std::string::npos);
  }
}

TEST_F(ConfigTest, RefusesAKeyAnybodyCouldGuess) {
  ExpectRefused(kNode + PeerTable("b", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
                "6:14: peer.public_key: is a key that anybody could guess; ");
}

TEST_F(ConfigTest, RefusesTheOwnKeyAsAPeer) {
  ExpectRefused(kNode + PeerTable("b", kAlicePublic),
                "6:14: peer.public_key: is this node's own key; ");
}

TEST_F(ConfigTest, RefusesTwoPeersOfOneName) {
  ExpectRefused(kNode + PeerTable("b", kBobPublic) + PeerTable("b", kCarolPublic),
                "8:8: peer.name: \"b\" is the name of another peer; ");
}

TEST_F(ConfigTest, RefusesTwoPeersOfOneKey) {
  ExpectRefused(kNode + PeerTable("b", kBobPublic) + PeerTable("c", kBobPublic),
                "9:14: peer.public_key: is the key of peer \"b\" too; ");
}

TEST_F(ConfigTest, RefusesPeersThatOverlap) {
  const auto with = [](const std::string& ours, const std::string& theirs) {
    return kNode + PeerTable("b", kBobPublic, "allowed_ips = [\"" + ours + "\"]\n") +
           PeerTable("c", kCarolPublic, "allowed_ips = [\"10.9.0.0/32\", \"" + theirs + "\"]\n");
  };

  ExpectRefused(with("10.71.0.2/32", "10.71.0.2/32"),
                "11:31: peer.allowed_ips: 10.71.0.2/32 overlaps 10.71.0.2/32 of peer \"b\"; ");
  ExpectRefused(with("10.71.0.0/16", "10.71.5.0/24"),
                "11:31: peer.allowed_ips: 10.71.5.0/24 overlaps 10.71.0.0/16 of peer \"b\"; ");
  ExpectRefused(with("10.71.5.0/24", "10.71.0.0/16"), "11:31: peer.allowed_ips: ");
  EXPECT_TRUE(Parse(with("10.71.0.2/32", "10.71.0.3/32")).has_value());
  EXPECT_TRUE(Parse(with("0.0.0.0/32", "::/0")).has_value());
}

// A peer's own networks may lie within each other; what overlaps the outer one is found all the
// same.
TEST_F(ConfigTest, FindsWhatOverlapsANetworkThatHoldsAnotherOfItsPeer) {
  const auto with = [](const std::string& theirs) {
    return kNode +
           PeerTable("b", kBobPublic,
                     "allowed_ips = [\"10.80.1.0/24\", \"10.80.0.0/16\", \"10.80.0.0/24\"]\n") +
           PeerTable("c", kCarolPublic, "allowed_ips = [\"" + theirs + "\"]\n");
  };

  for (const char* theirs : {"10.80.200.0/24", "10.80.0.0/24", "10.80.1.7/32", "10.0.0.0/8"}) {
    ExpectRefused(with(theirs), std::string("11:16: peer.allowed_ips: ") + theirs + " overlaps ");
  }
  EXPECT_TRUE(Parse(with("10.81.0.0/16")).has_value());
  EXPECT_TRUE(Parse(with("10.79.255.255/32")).has_value());
}

TEST_F(ConfigTest, RefusesAPeerThatCoversADerivedAddress) {
  ExpectRefused(kNode + PeerTable("b", kBobPublic) +
                    PeerTable("c", kCarolPublic, "allowed_ips = [\"fd66:6c6f:6500:6000::/52\"]\n"),
                "10:16: peer.allowed_ips: fd66:6c6f:6500:6000::/52 overlaps ");
}

TEST_F(ConfigTest, RefusesAPeerThatHasOurAddress) {
  const std::string own = "addresses = [\"10.71.0.1/24\"]\n";
  ExpectRefused(kNode + own + PeerTable("b", kBobPublic, "allowed_ips = [\"10.71.0.1/32\"]\n"),
                "8:16: peer.allowed_ips: 10.71.0.1 is this node's own address; ");
}

TEST_F(ConfigTest, TakesAHubWithTheNetworkOfAllBehindIt) {
  const std::string own = "addresses = [\"10.71.0.1/24\"]\n";
  EXPECT_TRUE(Parse(kNode + own + PeerTable("b", kBobPublic, "allowed_ips = [\"10.71.0.0/24\"]\n"))
                  .has_value());
}

TEST_F(ConfigTest, ChoosesACipher) {
  EXPECT_EQ(Parse(kNode)->tunnel.crypto, CipherChoice::kPadded);
  EXPECT_EQ(Parse(kNode + std::string("[tunnel]\ncrypto = \"fastest\"\n"))->tunnel.crypto,
            CipherChoice::kFastest);
  ExpectRefused(kNode + std::string("[tunnel]\ncrypto = \"rot13\"\n"), "5:10: tunnel.crypto: ");
}

TEST_F(ConfigTest, RefusesAnEndpointThatIsNone) {
  for (const char* endpoint : {"host", "host:0", "host:70000"}) {
    ExpectRefused(
        kNode + PeerTable("b", kBobPublic, "endpoint = \"" + std::string(endpoint) + "\"\n"),
        "7:12: peer.endpoint: has no valid port; write \"host:port\"");
  }
}

TEST_F(ConfigTest, RefusesAKeepaliveThatIsNone) {
  for (const char* keepalive : {"-1", "65536", "\"25x\"", "\"0.5s\"", "true", "\"65536s\""}) {
    ExpectRefused(kNode + PeerTable("b", kBobPublic,
                                    "persistent_keepalive = " + std::string(keepalive) + "\n"),
                  "7:24: peer.persistent_keepalive: is no number of seconds; ");
  }
}

// Servers.

TEST_F(ConfigTest, RefusesUrlsThatDoNotFit) {
  ExpectRefused(kNode + std::string("[rendezvous]\nurls = [\"https://rv.example\"]\n"),
                "5:9: rendezvous.urls: the scheme must be ws:// or wss://; write it like \"wss:");
  ExpectRefused(kNode + std::string("[stun]\nurls = [\"stun:a\", \"stun:b:0\"]\n"),
                "5:19: stun.urls: has no valid port; write it like \"stun:");
  ExpectRefused(kNode + std::string("[[relay]]\nurls = [\"turn:\"]\nsecret_file = \"a.key\"\n"),
                "5:9: relay.urls: has no valid host; write it like \"turn:");
  ExpectRefused(kNode + std::string("[[relay]]\nurls = [\"turns:a?transport=udp\"]\n"),
                "5:9: relay.urls: asks for a transport that floe does not speak; ");
}

TEST_F(ConfigTest, RefusesARelayWithoutUrls) {
  ExpectRefused(kNode + std::string("[[relay]]\nsecret_file = \"a.key\"\n"),
                "4:1: relay.urls: is missing; ");
}

TEST_F(ConfigTest, RefusesARelayWithoutOneKindOfCredentials) {
  const std::string relay = kNode + std::string("[[relay]]\nurls = [\"turn:a\"]\n");

  ExpectRefused(relay, "4:1: relay.password_file: is missing; write either ");
  ExpectRefused(relay + "password_file = \"turn.password\"\n",
                "4:1: relay.username: is missing; write either ");
  ExpectRefused(relay +
                    "username = \"u\"\npassword_file = \"turn.password\"\n"
                    "secret_file = \"turn.password\"\n",
                "8:15: relay.secret_file: stands beside password_file; write either ");
}

// The rest.

TEST_F(ConfigTest, RefusesWordsThatAreNone) {
  ExpectRefused(kNode + std::string("[paths]\nprefer = \"fast\"\n"),
                "5:10: paths.prefer: is \"fast\"; write one of \"auto\", \"direct\", ");
  ExpectRefused(kNode + std::string("[log]\nlevel = \"loud\"\n"),
                "5:9: log.level: is \"loud\"; write one of \"trace\", ");
  ExpectRefused(kNode + std::string("[tun]\nmtu = \"big\"\n"), "5:7: tun.mtu: is \"big\"; ");
  ExpectRefused(kNode + std::string("[tun]\noffload = \"on\"\n"),
                "5:11: tun.offload: is \"on\"; write \"auto\", \"off\", or a list of ");
  ExpectRefused(kNode + std::string("[tun]\noffload = [\"tso\", \"gso\"]\n"),
                "5:19: tun.offload: holds \"gso\"; write \"auto\"");
}

TEST_F(ConfigTest, RefusesInterfaceNamesTheKernelWould) {
  for (const char* name : {"a/b", "a:b", "a b", "tun%d", "..", "sixteencharacter"}) {
    ExpectRefused(kNode + std::string("[tun]\nname = \"") + name + "\"\n",
                  "5:8: tun.name: is no name for a network interface; ");
  }
  ExpectRefused(kNode + std::string("[paths]\nportmap = [\"pcp\", \"nat\"]\n"),
                "5:19: paths.portmap: holds \"nat\"; write some of \"pcp\", ");
  ExpectRefused(
      kNode + std::string("[paths]\nprivacy = \"some\"\n"),
      "5:11: paths.privacy: is \"some\"; write one of \"all\", \"default-route-and-host\", ");
  ExpectRefused(
      kNode + std::string("[paths]\nprefer = \"direct-only\"\nprivacy = \"relay-only\"\n"),
      "6:11: paths.privacy: is \"relay-only\", and prefer is \"direct-only\"; ");
  ExpectRefused(kNode + std::string("[paths]\nignore_interfaces = [\"\"]\n"),
                "5:22: paths.ignore_interfaces: holds an empty pattern; ");
}

}  // namespace
}  // namespace floe::config
