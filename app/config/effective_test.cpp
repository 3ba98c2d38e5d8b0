#include "app/config/effective.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "tests/support/temporary_directory.h"

namespace floe::config {
namespace {

using testing::HasSubstr;
using testing::Not;

// RFC 7748 section 6.1, in base64.
constexpr const char* kPrivate = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
constexpr const char* kPublic = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=";

class EffectiveTest : public testing::Test {
 protected:
  EffectiveTest() {
    directory_.Write("a.key", std::string(kPrivate) + "\n", 0600);
    directory_.Write("psk", std::string(kPrivate) + "\n", 0600);
    directory_.Write("turn.password", "correct horse\n", 0600);
    directory_.Write("turn.secret", "battery staple\n", 0600);
  }

  /// What `text` comes to in the directory with the files it names.
  [[nodiscard]] std::string Effective(const std::string& text) const {
    return At(text, directory_.path() / "floe.toml");
  }

  [[nodiscard]] static std::string At(const std::string& text, const std::filesystem::path& path) {
    const auto config = ParseConfig(text, path);
    EXPECT_TRUE(config.has_value()) << ToString(config.error());
    return config ? ToToml(*config) : "";
  }

  test::TemporaryDirectory directory_;
};

constexpr const char* kLeast = "[node]\nname = \"a\"\nprivate_key_file = \"a.key\"\n";

TEST_F(EffectiveTest, FillsInWhatIsNotWritten) {
  const std::string effective =
      Effective(std::string(kLeast) + "[[peer]]\nname = \"b\"\npublic_key = \"" + kPublic + "\"\n");

  EXPECT_EQ(effective, R"(schema = 1

[node]
name = "a"
private_key_file = ")" + (directory_.path() / "a.key").native() +
                           R"("
addresses = ["fd66:6c6f:6500:4853:d39b:d727:2475:2487/128"]
listen_port = 41820
fwmark = 0

[rendezvous]
urls = []

[stun]
urls = []

[paths]
prefer = "auto"
privacy = "all"
interfaces = []
ignore_interfaces = []
ignore_cidrs = []
hide_interfaces = []
hide_cidrs = []
prefer_interfaces = []
portmap = ["pcp", "nat-pmp", "upnp"]
port_prediction = false

[tun]
name = "floe0"
mtu = 1408
threads = 2
offload = ["tso", "uso", "coalesce", "udp-segment", "udp-gro"]

[tunnel]
crypto = "padded"

[control]
socket = "/run/floe/floe.sock"

[log]
level = "info"

[routing]
allow_overlap = false

[[peer]]
name = "b"
public_key = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
allowed_ips = ["fd66:6c6f:6500:624b:cd2d:502e:901c:49fe/128"]
persistent_keepalive = 0
)");
}

// Every key with a value that is not its default.
TEST_F(EffectiveTest, ReadsAsTheSameElsewhere) {
  const std::string text = std::string("schema = 1\n\n") + kLeast + R"(
addresses = ["10.71.0.1/24", "fd71::1/64"]
listen_port = 0
fwmark = 51820
[rendezvous]
urls = ["ws://198.51.100.10:8080", "ws://rv.example:80/a"]
[stun]
urls = ["stun:198.51.100.11:3478"]
[[relay]]
urls = ["turn:198.51.100.11:3478?transport=udp", "turns:198.51.100.11:443?transport=tcp"]
username = "u \"\\ u"
password_file = "turn.password"
[[relay]]
urls = ["turn:198.51.100.12"]
secret_file = "turn.secret"
[paths]
prefer = "relay-only"
privacy = "default-route"
interfaces = ["eth*"]
ignore_interfaces = ["docker*", "veth*"]
ignore_cidrs = ["172.16.0.0/12"]
hide_interfaces = ["eth1"]
hide_cidrs = ["192.168.0.0/16"]
prefer_interfaces = ["eth0"]
portmap = []
port_prediction = true
[tun]
name = "floe1"
mtu = 1280
threads = 1
offload = ["tso", "udp-gro"]
[tunnel]
crypto = "fastest"
[control]
socket = "floe.sock"
[log]
level = "trace"
[routing]
allow_overlap = true
[[peer]]
name = "b"
public_key = ")" + kPublic +
                           R"("
preshared_key_file = "psk"
allowed_ips = ["10.71.0.2/32", "192.168.50.0/24"]
endpoint = "[2001:db8::1]:51820"
persistent_keepalive = "25s"
)";

  const std::string effective = Effective(text);

  for (const char* line :
       {"listen_port = 0", "fwmark = 51820", "ws://rv.example:80/a", "u \\\"\\\\ u",
        "prefer = \"relay-only\"", "privacy = \"default-route\"", "\"docker*\", \"veth*\"",
        "portmap = []", "port_prediction = true", "threads = 1", "[\"tso\", \"udp-gro\"]",
        "crypto = \"fastest\"", "level = \"trace\"", "allow_overlap = true",
        "endpoint = \"[2001:db8::1]:51820\"", "persistent_keepalive = 25"}) {
    EXPECT_THAT(effective, HasSubstr(line));
  }
  EXPECT_EQ(At(effective, "/somewhere/else.toml"), effective);
}

TEST_F(EffectiveTest, TellsDevicesThatCallFromPeersThatRunFloe) {
  const std::string peer =
      std::string(kLeast) + "[[peer]]\nname = \"b\"\npublic_key = \"" + kPublic + "\"\n";

  EXPECT_THAT(Effective(peer), Not(HasSubstr("endpoint")));
  EXPECT_THAT(Effective(peer + "endpoint = \"any\"\n"), HasSubstr("endpoint = \"any\"\n"));
}

TEST_F(EffectiveTest, HoldsNoSecret) {
  const std::string effective = Effective(
      std::string(kLeast) +
      "[[relay]]\nurls = [\"turn:a\"]\nusername = \"u\"\npassword_file = \"turn.password\"\n"
      "[[relay]]\nurls = [\"turn:b\"]\nsecret_file = \"turn.secret\"\n");

  EXPECT_THAT(effective, HasSubstr("turn.password\""));
  EXPECT_THAT(effective, HasSubstr("turn.secret\""));
  for (const char* secret : {"correct horse", "battery staple", kPrivate}) {
    EXPECT_THAT(effective, Not(HasSubstr(secret)));
  }
}

}  // namespace
}  // namespace floe::config
