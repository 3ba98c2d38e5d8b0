#include "app/floed/runtime/reload_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

namespace floe::daemon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

PublicKey KeyOf(char letter) {
  PublicKey key;
  key.bytes.fill(static_cast<std::uint8_t>(letter));
  return key;
}

config::PeerConfig Peer(char letter) {
  config::PeerConfig peer{.name = std::string(1, letter), .public_key = KeyOf(letter)};
  peer.allowed_ips = {{IpAddress::V4(10, 71, 0, static_cast<std::uint8_t>(letter)), 32}};
  return peer;
}

/// With a peer for each letter.
config::Config Peers(const std::string& letters) {
  config::Config config;
  for (const char letter : letters) {
    config.peers.push_back(Peer(letter));
  }
  return config;
}

config::RendezvousUrl Url(const char* text) {
  return *config::ParseRendezvousUrl(text);
}

TEST(ReloadPlanTest, TheSameConfigurationIsNothingToDo) {
  const auto make = [] {
    config::Config config = Peers("abc");
    config.rendezvous = {Url("ws://198.51.100.10:8080")};
    config.stun = {*config::ParseStunUrl("stun:198.51.100.11")};
    config::RelayConfig relay{.urls = {*config::ParseRelayUrl("turn:198.51.100.11")}};
    relay.password = SecretString("secret");
    config.relays.push_back(std::move(relay));
    return config;
  };

  const ReloadPlan plan = MakeReloadPlan(make(), make());

  EXPECT_THAT(plan.peers, ElementsAre(0U, 1U, 2U));
  EXPECT_THAT(plan.rendezvous, ElementsAre(0U));
  EXPECT_THAT(plan.added, IsEmpty());
  EXPECT_THAT(plan.changed, IsEmpty());
  EXPECT_THAT(plan.removed, IsEmpty());
  EXPECT_THAT(plan.removed_rendezvous, IsEmpty());
  EXPECT_THAT(plan.settings, IsEmpty());
  EXPECT_THAT(plan.fixed, IsEmpty());
  EXPECT_FALSE(plan.servers);
}

TEST(ReloadPlanTest, PeersAreToldApartByTheirKeys) {
  config::Config after = Peers("dba");
  after.peers[1].public_key = KeyOf('x');  // Its name and its addresses pass to another key.

  const ReloadPlan plan = MakeReloadPlan(Peers("abc"), after);

  EXPECT_THAT(plan.peers, ElementsAre(std::nullopt, std::nullopt, 0U));
  EXPECT_THAT(plan.added, ElementsAre(0U, 1U));
  EXPECT_THAT(plan.removed, ElementsAre(1U, 2U));
  EXPECT_THAT(plan.changed, IsEmpty());
}

TEST(ReloadPlanTest, EachFieldOfAPeerCounts) {
  const auto changed = [](auto change) {
    config::Config after = Peers("ab");
    change(after.peers[1]);
    return MakeReloadPlan(Peers("ab"), after).changed;
  };

  EXPECT_THAT(changed([](auto& peer) { peer.name = "other"; }), ElementsAre(1U));
  EXPECT_THAT(changed([](auto& peer) { peer.preshared_key.emplace(); }), ElementsAre(1U));
  EXPECT_THAT(changed([](auto& peer) { peer.allowed_ips.clear(); }), ElementsAre(1U));
  EXPECT_THAT(changed([](auto& peer) { peer.endpoint.emplace(); }), ElementsAre(1U));
  EXPECT_THAT(changed([](auto& peer) { peer.is_plain = true; }), ElementsAre(1U));
  EXPECT_THAT(changed([](auto& peer) { peer.persistent_keepalive = std::chrono::seconds(25); }),
              ElementsAre(1U));
}

TEST(ReloadPlanTest, RendezvousServersAreToldApartByTheirUrls) {
  config::Config before;
  before.rendezvous = {Url("ws://a:1"), Url("ws://b:1"), Url("ws://a:1")};
  config::Config after;
  after.rendezvous = {Url("ws://c:1"), Url("ws://a:1")};

  const ReloadPlan plan = MakeReloadPlan(before, after);

  EXPECT_THAT(plan.rendezvous, ElementsAre(std::nullopt, 0U));
  EXPECT_THAT(plan.removed_rendezvous, ElementsAre(1U, 2U));
  EXPECT_THAT(plan.settings, ElementsAre("rendezvous.urls"));
}

TEST(ReloadPlanTest, NamesWhatNeedsARestart) {
  const auto fixed = [](auto change) {
    config::Config after;
    change(after);
    return MakeReloadPlan({}, after).fixed;
  };

  EXPECT_THAT(fixed([](auto& config) { config.node.private_key.data()[0] = 1; }),
              ElementsAre("node.private_key_file"));
  EXPECT_THAT(fixed([](auto& config) { config.node.listen_port = 1; }),
              ElementsAre("node.listen_port"));
  EXPECT_THAT(fixed([](auto& config) { config.node.fwmark = 1; }), ElementsAre("node.fwmark"));
  EXPECT_THAT(fixed([](auto& config) { config.paths.upnp = false; }), ElementsAre("[paths]"));
  EXPECT_THAT(fixed([](auto& config) { config.tun.name = "floe1"; }), ElementsAre("[tun]"));
  EXPECT_THAT(fixed([](auto& config) { config.tunnel.crypto = config::CipherChoice::kFastest; }),
              ElementsAre("[tunnel]"));
  EXPECT_THAT(fixed([](auto& config) { config.control_socket = "/x"; }),
              ElementsAre("control.socket"));
}

TEST(ReloadPlanTest, NamesTheSettingsThatChange) {
  config::Config after;
  after.node.name = "other";
  after.node.addresses = {{IpAddress::V4(10, 71, 0, 1), 24}};
  after.stun = {*config::ParseStunUrl("stun:198.51.100.11")};
  after.allow_overlap = true;
  after.log_level = log::Level::kDebug;

  const ReloadPlan plan = MakeReloadPlan({}, after);

  EXPECT_THAT(plan.settings, ElementsAre("node.name", "node.addresses", "stun.urls",
                                         "routing.allow_overlap", "log.level"));
  EXPECT_TRUE(plan.servers);
  EXPECT_THAT(plan.fixed, IsEmpty());
}

TEST(ReloadPlanTest, AnotherPasswordIsAnotherRelay) {
  const auto with = [](const char* password) {
    config::Config config;
    config::RelayConfig relay{.urls = {*config::ParseRelayUrl("turn:198.51.100.11")}};
    relay.password = SecretString(password);
    config.relays.push_back(std::move(relay));
    return config;
  };

  EXPECT_THAT(MakeReloadPlan(with("one"), with("two")).settings, ElementsAre("[[relay]]"));
  EXPECT_TRUE(MakeReloadPlan(with("one"), with("two")).servers);
  EXPECT_FALSE(MakeReloadPlan(with("one"), with("one")).servers);
}

}  // namespace
}  // namespace floe::daemon
