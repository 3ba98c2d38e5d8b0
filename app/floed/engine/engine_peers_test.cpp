// Peers and rendezvous servers that come, change and go while the engine runs.

#include <algorithm>
#include <chrono>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "app/floed/engine/engine.h"
#include "tests/support/engine_world.h"
#include "tests/support/fake_random.h"

namespace floe::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr PeerId kB = 0;
constexpr PeerId kDevice = 1;

/// a and b are linked; beside b, a has a plain device that does not answer.
class EnginePeersTest : public ::testing::Test {
 protected:
  EnginePeersTest() {
    world_.lose = [this](const test::EngineWorld::Packet& packet) {
      to_b_.push_back(packet);
      return packet.to == test::kDevice;
    };
    world_.Run(seconds(1));
    EXPECT_TRUE(a().IsUp(kB));
    to_b_.clear();
  }

  [[nodiscard]] Engine& a() { return *world_.a().engine; }

  [[nodiscard]] Engine& b() { return *world_.b().engine; }

  [[nodiscard]] PeerConfig MakePeer(std::uint8_t number) {
    return {.name = "peer-" + std::to_string(number),
            .key = DerivePublicKey(GeneratePrivateKey(world_.random())),
            .allowed_ips = {{IpAddress::V4(10, 71, 0, number), 32}}};
  }

  /// What ChangePeer() is to be given to change nothing.
  [[nodiscard]] static PeerConfig Clone(const PeerConfig& peer) {
    return {.name = peer.name,
            .key = peer.key,
            .allowed_ips = peer.allowed_ips,
            .persistent_keepalive = peer.persistent_keepalive,
            .is_static = peer.is_static};
  }

  [[nodiscard]] PresharedKey MakePresharedKey() {
    PresharedKey key;
    world_.random().Fill(key.mutable_bytes());
    return key;
  }

  test::EngineWorld world_{test::Direct::kOpen};
  std::vector<test::EngineWorld::Packet> to_b_;
};

TEST_F(EnginePeersTest, WhatHappensToOthersLeavesALinkAlone) {
  const ice::Agent* const agent = a().link(kB).agent();
  const auto handshake = a().Stats(kB).latest_handshake;
  const auto path_since = a().link(kB).times().path_since;
  const auto sent = a().Stats(kB).tx_bytes;

  const auto added = a().AddPeer(world_.now(), MakePeer(20));
  ASSERT_TRUE(added);
  a().SetWanted(world_.now(), *added, true);
  PeerConfig changed = Clone(a().peer_config(*added));
  changed.allowed_ips = {{IpAddress::V4(10, 71, 0, 21), 32}};
  changed.preshared_key = MakePresharedKey();
  a().ChangePeer(world_.now(), *added, std::move(changed));
  a().RemovePeer(world_.now(), kDevice);
  a().RemovePeer(world_.now(), *added);
  world_.Drain();

  EXPECT_TRUE(std::ranges::none_of(
      to_b_, [](const test::EngineWorld::Packet& packet) { return packet.to == test::kAddressB; }));
  EXPECT_EQ(a().link(kB).agent(), agent);
  EXPECT_EQ(a().Stats(kB).latest_handshake, handshake);
  EXPECT_EQ(a().Stats(kB).tx_bytes, sent);
  EXPECT_EQ(a().link(kB).times().path_since, path_since);
  world_.Run(seconds(30));
  EXPECT_EQ(a().link(kB).agent(), agent);
  EXPECT_EQ(a().Stats(kB).latest_handshake, handshake);
  EXPECT_EQ(a().peer_ids(), std::vector<PeerId>{kB});
}

TEST_F(EnginePeersTest, APeerThatComesLaterIsFound) {
  a().RemovePeer(world_.now(), kB);
  world_.Run(seconds(1));
  ASSERT_EQ(a().FindPeer("peer"), std::nullopt);

  const auto again = a().AddPeer(
      world_.now(),
      {.name = "again", .key = world_.b().key, .allowed_ips = {{IpAddress::V4(10, 71, 0, 2), 32}}});
  ASSERT_TRUE(again);
  EXPECT_FALSE(a().IsWanted(*again));
  a().SetWanted(world_.now(), *again, true);
  world_.Run(seconds(3));

  EXPECT_NE(*again, kB);
  EXPECT_EQ(a().FindPeer("again"), again);
  EXPECT_TRUE(a().link(*again).path());
  EXPECT_TRUE(a().IsUp(*again));
}

TEST_F(EnginePeersTest, ARemovedPeerIsAStranger) {
  ASSERT_TRUE(b().Ping(world_.now(), 0));
  const auto datagram = b().PollTransmit();
  ASSERT_TRUE(datagram);

  a().RemovePeer(world_.now(), kB);
  const auto before = a().tunnel_counters().unknown_index;
  a().HandleDatagram(world_.now(), test::kAddressA, test::kAddressB, datagram->payload);

  EXPECT_EQ(a().tunnel_counters().unknown_index, before + 1);
  EXPECT_FALSE(a().PollPacket());
  EXPECT_FALSE(a().Ping(world_.now(), kB));
  to_b_.clear();
  world_.Run(seconds(20));  // b checks, offers and shakes hands, and nobody answers.
  EXPECT_TRUE(std::ranges::none_of(to_b_, [](const test::EngineWorld::Packet& packet) {
    return packet.from == test::kAddressA && packet.to == test::kAddressB;
  }));
}

TEST_F(EnginePeersTest, AKeyThatIsAPeersAlreadyIsRefused) {
  EXPECT_FALSE(a().AddPeer(world_.now(), {.name = "twice", .key = world_.b().key}));
  EXPECT_FALSE(a().AddPeer(world_.now(), {.name = "self", .key = world_.a().key}));

  EXPECT_EQ(a().peer_ids(), (std::vector<PeerId>{kB, kDevice}));
  world_.Run(seconds(1));
  EXPECT_TRUE(a().IsUp(kB));
}

TEST_F(EnginePeersTest, OtherAllowedIpsAndANameKeepTheSession) {
  const auto handshake = a().Stats(kB).latest_handshake;
  PeerConfig changed = Clone(a().peer_config(kB));
  changed.name = "b";
  changed.allowed_ips = {{IpAddress::V4(10, 71, 0, 77), 32}};

  a().ChangePeer(world_.now(), kB, std::move(changed));
  world_.Drain();

  EXPECT_TRUE(to_b_.empty());
  EXPECT_TRUE(a().IsUp(kB));
  EXPECT_EQ(a().Stats(kB).latest_handshake, handshake);
  EXPECT_EQ(a().FindPeer("b"), kB);
  EXPECT_EQ(a().link(kB).config().name, "b");
  const auto before = a().tunnel_counters().spoofed_inner;
  ASSERT_TRUE(b().Ping(world_.now(), 0));  // From 10.71.0.2, which is b's no longer.
  world_.Run(milliseconds(10));
  EXPECT_EQ(a().tunnel_counters().spoofed_inner, before + 1);
}

TEST_F(EnginePeersTest, AnotherPresharedKeyMeansAnotherHandshake) {
  const PresharedKey key = MakePresharedKey();
  const auto handshake = a().Stats(kB).latest_handshake;
  const ice::Agent* const agent = a().link(kB).agent();

  PeerConfig changed = Clone(a().peer_config(kB));
  changed.preshared_key = key.Clone();
  a().ChangePeer(world_.now(), kB, std::move(changed));
  EXPECT_FALSE(a().IsUp(kB));
  EXPECT_FALSE(a().Stats(kB).has_session);
  world_.Run(seconds(2));
  EXPECT_FALSE(a().IsUp(kB));  // b has not heard of it.

  changed = Clone(b().peer_config(0));
  changed.preshared_key = key.Clone();
  b().ChangePeer(world_.now(), 0, std::move(changed));
  world_.Run(seconds(2));

  EXPECT_TRUE(a().IsUp(kB));
  EXPECT_TRUE(b().IsUp(0));
  EXPECT_GT(a().Stats(kB).latest_handshake, handshake);
  EXPECT_EQ(a().link(kB).agent(), agent);
}

TEST_F(EnginePeersTest, ALinkMayBecomeAPlainDeviceAndBack) {
  PeerConfig changed = Clone(a().peer_config(kB));
  changed.is_static = true;
  a().ChangePeer(world_.now(), kB, std::move(changed));
  EXPECT_FALSE(a().link(kB).path());
  EXPECT_TRUE(a().Stats(kB).has_session);

  a().SetEndpoint(world_.now(), kB, {test::kAddressB});
  ASSERT_TRUE(a().Ping(world_.now(), kB));
  EXPECT_EQ(a().PollTransmit()->remote, test::kAddressB);

  changed = Clone(a().peer_config(kB));
  changed.is_static = false;
  a().ChangePeer(world_.now(), kB, std::move(changed));
  EXPECT_FALSE(a().endpoint(kB));
  world_.Run(seconds(3));
  EXPECT_TRUE(a().link(kB).path());
}

TEST_F(EnginePeersTest, RendezvousServersComeAndGo) {
  const auto id =
      a().AddRendezvous(world_.now(), {.secure = false, .host = "198.51.100.20", .port = 8080});
  EXPECT_EQ(id, 1U);
  const auto opened = a().PollAction();
  ASSERT_TRUE(opened);
  ASSERT_TRUE(std::holds_alternative<OpenStream>(*opened));
  EXPECT_EQ(std::get<OpenStream>(*opened).id, id);
  EXPECT_EQ(std::get<OpenStream>(*opened).url.host, "198.51.100.20");

  a().RemoveRendezvous(world_.now(), id);
  const auto closed = a().PollAction();
  ASSERT_TRUE(closed);
  ASSERT_TRUE(std::holds_alternative<CloseStream>(*closed));
  EXPECT_EQ(std::get<CloseStream>(*closed).id, id);
  EXPECT_EQ(a().rendezvous(0).state(), signaling::Client::State::kLoggedIn);
  world_.Run(seconds(60));  // The other is not tried again, and this one serves.
  EXPECT_TRUE(a().IsUp(kB));
}

}  // namespace
}  // namespace floe::engine
