#include "app/floed/engine/engine.h"

#include <algorithm>
#include <chrono>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ice/stun/message.h"
#include "tests/support/engine_world.h"
#include "tests/support/fake_random.h"

namespace floe::engine {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

SocketAddress Address(std::string_view text) {
  return *ParseSocketAddress(text);
}

constexpr std::chrono::nanoseconds kUnixStart = seconds(1'800'000'000);
const SocketAddress kA = Address("192.0.2.1:41820");
const SocketAddress kB = Address("192.0.2.2:41820");

/// A packet of an experimental protocol (RFC 3692) between two addresses in the tunnel.
std::vector<std::uint8_t> InnerPacket(std::uint8_t from, std::uint8_t to) {
  std::vector<std::uint8_t> packet(64);
  packet[0] = 0x45;
  packet[3] = 64;
  packet[8] = 64;
  packet[9] = 253;
  packet[12] = 10, packet[13] = 71, packet[15] = from;
  packet[16] = 10, packet[17] = 71, packet[19] = to;
  return packet;
}

/// Two engines that know each other as plain WireGuard devices, and nothing between them.
class EngineTest : public ::testing::Test {
 protected:
  EngineTest() : key_a_(GeneratePrivateKey(random_)), key_b_(GeneratePrivateKey(random_)) {
    a_ = MakeStatic(key_a_, DerivePublicKey(key_b_), 1, 2);
    b_ = MakeStatic(key_b_, DerivePublicKey(key_a_), 2, 1);
    a_->Start(now_);
    b_->Start(now_);
    a_->SetEndpoint(now_, 0, {kB});
    Exchange();
  }

  std::unique_ptr<Engine> MakeStatic(const PrivateKey& own, const PublicKey& peer,
                                     std::uint8_t number, std::uint8_t other) {
    EngineConfig config{.name = std::string(1, static_cast<char>('a' + number - 1)),
                        .private_key = own.Clone(),
                        .addresses = {IpAddress::V4(10, 71, 0, number)}};
    config.peers.push_back({.name = "peer",
                            .key = peer,
                            .allowed_ips = {{IpAddress::V4(10, 71, 0, other), 32}},
                            .is_static = true});
    return std::make_unique<Engine>(now_, kUnixStart, std::move(config), random_);
  }

  /// Carries datagrams until there are none. What `a_` sends seems to come from `from_a`.
  void Exchange(const SocketAddress& from_a = kA) {
    for (bool busy = true; std::exchange(busy, false);) {
      while (const auto transmit = a_->PollTransmit()) {
        b_->HandleDatagram(now_, kB, from_a, transmit->payload);
        last_from_a_ = transmit->payload;
        busy = true;
      }
      while (const auto transmit = b_->PollTransmit()) {
        to_a_.push_back(transmit->remote);
        a_->HandleDatagram(now_, kA, kB, transmit->payload);
        busy = true;
      }
    }
  }

  [[nodiscard]] static std::size_t CountPackets(Engine& engine) {
    std::size_t packets = 0;
    while (engine.PollPacket()) {
      ++packets;
    }
    return packets;
  }

  TimePoint now_ = TimePoint{} + seconds(1000);
  test::FakeRandom random_;
  PrivateKey key_a_;
  PrivateKey key_b_;
  std::unique_ptr<Engine> a_;
  std::unique_ptr<Engine> b_;
  std::vector<std::uint8_t> last_from_a_;
  std::vector<SocketAddress> to_a_;  // Where b has sent to.
};

TEST_F(EngineTest, CarriesPacketsToAPlainWireGuardDevice) {
  a_->HandlePacket(now_, InnerPacket(1, 2));
  Exchange();

  EXPECT_EQ(CountPackets(*b_), 1U);
  EXPECT_TRUE(a_->IsUp(0));
  EXPECT_TRUE(b_->IsUp(0));
}

TEST_F(EngineTest, FollowsAPlainDeviceOnlyAfterAuthenticPackets) {
  a_->HandlePacket(now_, InnerPacket(1, 2));
  Exchange();
  ASSERT_EQ(b_->endpoint(0)->remote, kA);

  const SocketAddress elsewhere = Address("203.0.113.66:666");
  b_->HandleDatagram(now_, kB, elsewhere, last_from_a_);  // Replayed.
  EXPECT_EQ(b_->endpoint(0)->remote, kA);
  std::vector<std::uint8_t> forged = last_from_a_;
  forged.back() ^= 1U;
  b_->HandleDatagram(now_, kB, elsewhere, forged);
  EXPECT_EQ(b_->endpoint(0)->remote, kA);

  a_->HandlePacket(now_, InnerPacket(1, 2));
  Exchange(elsewhere);
  EXPECT_EQ(b_->endpoint(0)->remote, elsewhere);
}

TEST_F(EngineTest, AnswersAPlainDeviceFromWhereItWasHeard) {
  a_->HandlePacket(now_, InnerPacket(1, 2));
  Exchange();

  b_->HandlePacket(now_, InnerPacket(2, 1));

  const auto transmit = b_->PollTransmit();
  ASSERT_TRUE(transmit);
  EXPECT_EQ(transmit->local, kB);
  EXPECT_EQ(transmit->remote, kA);
}

TEST_F(EngineTest, APlainDeviceIsDownWhenItsSessionIsTooOld) {
  a_->HandlePacket(now_, InnerPacket(1, 2));
  Exchange();
  ASSERT_TRUE(a_->IsUp(0));

  now_ += seconds(181);
  a_->HandleTimeout(now_);

  EXPECT_FALSE(a_->IsUp(0));
}

/// How often `engine` has asked for the address of its peer.
int CountResolves(Engine& engine) {
  int asked = 0;
  while (const auto action = engine.PollAction()) {
    asked += std::holds_alternative<ResolveEndpoint>(*action) ? 1 : 0;
  }
  return asked;
}

TEST_F(EngineTest, TriesEveryAddressOfAPlainDevice) {
  const std::vector<SocketAddress> dead = {Address("203.0.113.1:1"), Address("203.0.113.2:2")};
  auto engine = MakeStatic(key_a_, DerivePublicKey(key_b_), 1, 2);
  engine->Start(now_);
  engine->SetEndpoint(now_, 0, {dead[0], dead[1], kB});

  std::vector<SocketAddress> tried;
  for (const TimePoint end = now_ + seconds(2); now_ < end; now_ += milliseconds(100)) {
    engine->HandleTimeout(now_);
    while (const auto transmit = engine->PollTransmit()) {
      tried.push_back(transmit->remote);
    }
  }

  EXPECT_EQ(tried, (std::vector{dead[0], dead[1], kB}));
  EXPECT_EQ(CountResolves(*engine), 1);
}

TEST_F(EngineTest, FollowsTheNameOfAPlainDeviceThatMoved) {
  a_->HandlePacket(now_, InnerPacket(1, 2));
  Exchange();
  const SocketAddress elsewhere = Address("203.0.113.66:666");
  ASSERT_EQ(CountResolves(*a_), 0);

  // Nobody is at the old address.
  a_->HandlePacket(now_, InnerPacket(1, 2));
  int resolves = 0;
  for (const TimePoint end = now_ + seconds(30); now_ < end; now_ += milliseconds(100)) {
    a_->HandleTimeout(now_);
    while (a_->PollTransmit()) {
    }
    resolves += CountResolves(*a_);
  }
  EXPECT_GE(resolves, 1);
  a_->SetEndpoint(now_, 0, {elsewhere});

  const auto transmit = a_->PollTransmit();
  ASSERT_TRUE(transmit);
  EXPECT_EQ(transmit->remote, elsewhere);
}

TEST_F(EngineTest, OnAnotherNetworkAPlainDeviceHearsFromUsAtOnce) {
  a_->HandlePacket(now_, InnerPacket(1, 2));
  Exchange();

  a_->HandleNetworkChange(now_);

  EXPECT_EQ(CountResolves(*a_), 1);
  const SocketAddress elsewhere = Address("203.0.113.66:666");
  Exchange(elsewhere);
  EXPECT_EQ(b_->endpoint(0)->remote, elsewhere);
}

TEST_F(EngineTest, NothingComesInFromAPeerThatIsDown) {
  a_->HandlePacket(now_, InnerPacket(1, 2));
  Exchange();
  ASSERT_EQ(CountPackets(*b_), 1U);

  b_->SetWanted(now_, 0, false);
  a_->HandlePacket(now_, InnerPacket(1, 2));
  Exchange();

  EXPECT_EQ(CountPackets(*b_), 0U);
  EXPECT_FALSE(b_->IsUp(0));
  b_->HandlePacket(now_, InnerPacket(2, 1));
  EXPECT_FALSE(b_->PollTransmit());
}

TEST_F(EngineTest, CountsWhatItDoesNotKnow) {
  b_->HandleDatagram(now_, kB, kA, AsBytes("neither this nor that"));
  EXPECT_EQ(b_->counters().unknown_datagrams, 1U);

  // A Binding request of RFC 8489 with no attributes.
  std::vector<std::uint8_t> stun{0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42};
  stun.resize(20);
  b_->HandleDatagram(now_, kB, kA, stun);
  EXPECT_EQ(b_->counters().unrouted_stun, 1U);
  EXPECT_FALSE(b_->PollTransmit());
}

TEST_F(EngineTest, AsksForOtherCredentialsAtHalfTheirLife) {
  const auto count_asked = [&] {
    int asked = 0;
    while (const auto action = a_->PollAction()) {
      asked += std::holds_alternative<RenewServers>(*action) ? 1 : 0;
    }
    return asked;
  };
  const TimePoint half = now_ + hours(12);
  a_->SetServers(now_, {.lifetime = hours(24)});
  now_ = half - seconds(1);
  a_->HandleTimeout(now_);
  EXPECT_EQ(count_asked(), 0);
  EXPECT_LE(a_->NextTimeout(), half);

  now_ = half;
  a_->HandleTimeout(now_);
  EXPECT_EQ(count_asked(), 1);
  a_->SetServers(now_, {.lifetime = hours(24)});
  now_ += hours(12);
  a_->HandleTimeout(now_);
  EXPECT_EQ(count_asked(), 1);
}

TEST_F(EngineTest, FindsPeersByName) {
  EXPECT_EQ(a_->FindPeer("peer"), 0U);
  EXPECT_EQ(a_->FindPeer("nobody"), std::nullopt);
}

/// A node with many peers, of which none is there, and no server answers.
std::unique_ptr<Engine> MakeLonely(TimePoint now, std::size_t peers, RandomSource& random) {
  EngineConfig config{.name = "a",
                      .private_key = GeneratePrivateKey(random),
                      .addresses = {IpAddress::V4(10, 71, 0, 1)}};
  config.rendezvous.push_back({.secure = false, .host = "198.51.100.1", .port = 8080});
  for (std::size_t i = 0; i < peers; ++i) {
    config.peers.push_back(
        {.name = "peer-" + std::to_string(i),
         .key = DerivePublicKey(GeneratePrivateKey(random)),
         .allowed_ips = {{IpAddress::V4(10, 72, static_cast<std::uint8_t>(i / 250),
                                        static_cast<std::uint8_t>(i % 250)),
                          32}}});
  }
  auto engine = std::make_unique<Engine>(now, kUnixStart, std::move(config), random);
  engine->SetLocalAddresses(now, {kA, Address("[2001:db8::1]:41820")});
  engine->Start(now);
  return engine;
}

/// Runs an engine that hears nothing, and returns how often it woke.
std::size_t RunAlone(Engine& engine, TimePoint& now, Duration time, std::size_t limit) {
  std::size_t wakes = 0;
  const TimePoint end = now + time;
  while (true) {
    while (engine.PollTransmit()) {
    }
    while (const auto action = engine.PollAction()) {
      if (const auto* open = std::get_if<OpenStream>(&*action)) {
        engine.HandleStreamClosed(now, open->id, "refused");
      }
    }
    while (engine.PollNotice()) {
    }
    const auto next = engine.NextTimeout();
    if (!next || *next >= end || wakes >= limit) {
      now = end;
      return wakes;
    }
    now = std::max(now, *next);
    engine.HandleTimeout(now);
    ++wakes;
  }
}

TEST_F(EngineTest, AThousandAbsentPeersCostLittle) {
  auto engine = MakeLonely(now_, 1000, random_);

  // Each offers about once a minute, and some of them together.
  EXPECT_LT(RunAlone(*engine, now_, minutes(10), 100'000), 25'000U);
}

TEST_F(EngineTest, StoppingLeavesNothingToDo) {
  auto engine = MakeLonely(now_, 10, random_);
  static_cast<void>(RunAlone(*engine, now_, seconds(30), 100'000));

  engine->Stop(now_);

  EXPECT_LT(RunAlone(*engine, now_, hours(1), 1000), 20U);
}

TEST_F(EngineTest, AnUnreachableAddressThatIsNobodysIsNobodysBusiness) {
  auto engine = MakeLonely(now_, 3, random_);
  static_cast<void>(RunAlone(*engine, now_, seconds(1), 1000));
  const auto next = engine->NextTimeout();

  engine->HandleUnreachable(now_, kA, Address("203.0.113.99:9"));

  EXPECT_EQ(engine->NextTimeout(), next);
  EXPECT_FALSE(engine->PollTransmit());
}

/// Two engines that find each other. b may be kept from asking, and from more than answers.
class EnginesTest : public ::testing::Test {
 protected:
  using Packet = test::EngineWorld::Packet;

  EnginesTest() {
    world_.lose = [this](const Packet& packet) {
      const bool relayed = packet.from.ip == test::kRelay.ip || packet.to.ip == test::kRelay.ip;
      const auto stun = ice::stun::MessageView::Parse(packet.bytes);
      const bool answer = stun && stun->message_class() == ice::stun::Class::kSuccess;
      const bool initiation = tunnel::Tunnel::IsInitiation(packet.bytes);
      const bool from_b = packet.from == test::kAddressB;
      initiations_of_a_ += !from_b && initiation ? 1U : 0U;
      answers_of_b_ += from_b && !initiation && tunnel::Tunnel::IsHandshake(packet.bytes) ? 1U : 0U;
      return relayed || (from_b && b_is_mute_ && !answer) ||
             (!from_b && initiation && initiations_of_a_ > 1 && one_initiation_);
    };
  }

  test::EngineWorld world_{test::Direct::kOpen};
  bool b_is_mute_ = false;
  bool one_initiation_ = false;
  std::size_t initiations_of_a_ = 0;
  std::size_t answers_of_b_ = 0;
};

TEST_F(EnginesTest, AnAnswerToAHandshakeWaitsForTheFirstPath) {
  b_is_mute_ = true;
  world_.Run(milliseconds(60));
  ASSERT_TRUE(world_.a().engine->link(0).path());
  ASSERT_FALSE(world_.b().engine->link(0).path());
  ASSERT_EQ(initiations_of_a_, 1U);
  const std::size_t lost = answers_of_b_;

  b_is_mute_ = false;
  world_.Run(milliseconds(100));

  ASSERT_TRUE(world_.b().engine->link(0).path());
  EXPECT_EQ(initiations_of_a_, 1U);
  EXPECT_EQ(answers_of_b_, lost + 1);
}

TEST_F(EnginesTest, AnAnswerToAHandshakeIsForgottenAfterASecond) {
  b_is_mute_ = true;
  one_initiation_ = true;
  world_.Run(milliseconds(1200));
  ASSERT_FALSE(world_.b().engine->link(0).path());
  const std::size_t lost = answers_of_b_;

  b_is_mute_ = false;
  world_.Run(seconds(5));

  ASSERT_TRUE(world_.b().engine->link(0).path());
  EXPECT_EQ(answers_of_b_, lost);
}

/// Both accept connections. UDP between the two may be blocked, and the relay is.
class EnginesOverTcpTest : public ::testing::Test {
 protected:
  EnginesOverTcpTest() {
    world_.lose = [this](const test::EngineWorld::Packet& packet) {
      const bool tcp = packet.to.transport == Transport::kTcp;
      packets_over_tcp_ += tcp ? 1U : 0U;
      return !tcp && (udp_is_blocked_ || packet.from.ip == test::kRelay.ip);
    };
    world_.a().engine->SetTcpAddresses(world_.now(), {test::kAddressA});
    world_.b().engine->SetTcpAddresses(world_.now(), {test::kAddressB});
  }

  [[nodiscard]] std::optional<ice::PathTier> Tier(test::EngineWorld::Node& node) {
    const auto& path = node.engine->link(0).path();
    return path && node.engine->IsUp(0) ? std::optional(path->tier()) : std::nullopt;
  }

  test::EngineWorld world_{test::Direct::kOpen};
  bool udp_is_blocked_ = true;
  std::size_t packets_over_tcp_ = 0;
};

TEST_F(EnginesOverTcpTest, ALinkMovesToUdpOnceThatWorks) {
  world_.Run(seconds(3));
  ASSERT_EQ(Tier(world_.a()), ice::PathTier::kDirectTcp);
  ASSERT_EQ(Tier(world_.b()), ice::PathTier::kDirectTcp);
  world_.a().engine->HandlePacket(world_.now(), InnerPacket(1, 2));
  const std::uint64_t received = world_.b().engine->Stats(0).rx_bytes;
  world_.Run(milliseconds(1));
  EXPECT_GT(world_.b().engine->Stats(0).rx_bytes, received) << "data goes over it";

  udp_is_blocked_ = false;
  for (int i = 0; i < 30; ++i) {
    world_.Run(seconds(1));
  }

  EXPECT_EQ(Tier(world_.a()), ice::PathTier::kLan);
  EXPECT_EQ(Tier(world_.b()), ice::PathTier::kLan);
}

TEST_F(EnginesOverTcpTest, NoConnectionIsMadeWhileUdpWorks) {
  udp_is_blocked_ = false;
  for (int i = 0; i < 60; ++i) {
    world_.Run(seconds(1));
  }

  EXPECT_EQ(Tier(world_.a()), ice::PathTier::kLan);
  EXPECT_EQ(packets_over_tcp_, 0U);
}

TEST_F(EnginesOverTcpTest, UdpThatIsBlockedLaterIsReplaced) {
  udp_is_blocked_ = false;
  world_.Run(seconds(3));
  ASSERT_EQ(Tier(world_.a()), ice::PathTier::kLan);

  udp_is_blocked_ = true;
  for (int i = 0; i < 15; ++i) {
    world_.a().engine->HandlePacket(world_.now(), InnerPacket(1, 2));
    world_.Run(seconds(1));
  }

  EXPECT_EQ(Tier(world_.a()), ice::PathTier::kDirectTcp);
  EXPECT_EQ(Tier(world_.b()), ice::PathTier::kDirectTcp);
}

TEST_F(EnginesOverTcpTest, AConnectionThatEndsIsMadeAgain) {
  world_.Run(seconds(3));
  ASSERT_EQ(Tier(world_.a()), ice::PathTier::kDirectTcp);
  for (auto* node : {&world_.a(), &world_.b()}) {
    const std::vector<ice::Pair> pairs = node->engine->link(0).agent()->pairs();
    for (const ice::Pair& pair : pairs) {
      node->engine->HandleUnreachable(world_.now(), pair.local->base, pair.remote->address);
    }
  }
  ASSERT_FALSE(world_.a().engine->link(0).path());

  world_.Run(seconds(10));

  EXPECT_EQ(Tier(world_.a()), ice::PathTier::kDirectTcp);
  EXPECT_EQ(Tier(world_.b()), ice::PathTier::kDirectTcp);
}

TEST_F(EnginesTest, AsksForANameThatThePeerTells) {
  world_.Run(seconds(1));
  Engine& a = *world_.a().engine;
  ASSERT_FALSE(a.PollMdnsQuery());

  world_.SayToA({.kind = signaling::MessageKind::kOffer,
                 .session = signaling::kMaxSession,
                 .ufrag = "another",
                 .password = "0123456789abcdefghijkl",
                 .candidates = {"candidate:1 1 UDP 2113937151 b.local 1000 typ host"}});
  auto answer = a.PollMdnsQuery();
  ASSERT_TRUE(answer);
  ASSERT_TRUE(a.link(0).agent()->pairs().empty());
  (*answer)[2] = 0x84;  // A response,
  (*answer)[7] = 1;     // with one answer to both questions: 192.0.2.1.
  const std::vector<std::uint8_t> record{0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 120, 0, 4, 192, 0, 2, 1};
  answer->insert(answer->end(), record.begin(), record.end());
  a.HandleMdns(world_.now(), *answer);

  ASSERT_FALSE(a.link(0).agent()->pairs().empty());
  EXPECT_EQ(a.link(0).agent()->pairs()[0].remote->address, Address("192.0.2.1:1000"));
}

TEST_F(EnginesTest, ForgetsANameThatNobodyAnswersFor) {
  world_.Run(seconds(1));
  Engine& a = *world_.a().engine;
  world_.SayToA({.kind = signaling::MessageKind::kOffer,
                 .session = signaling::kMaxSession,
                 .ufrag = "another",
                 .password = "0123456789abcdefghijkl",
                 .candidates = {"candidate:1 1 UDP 2113937151 b.local 1000 typ host"}});

  world_.Run(seconds(5));

  std::size_t queries = 0;
  while (a.PollMdnsQuery()) {
    ++queries;
  }
  EXPECT_EQ(queries, 3U);
}

}  // namespace
}  // namespace floe::engine
