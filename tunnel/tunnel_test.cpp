#include "tunnel/tunnel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/tunnel_pair.h"
#include "tunnel/constants.h"
#include "tunnel/key_log.h"
#include "tunnel/messages.h"
#include "tunnel/noise.h"

namespace floe::tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::MakeIpv4;
using test::TunnelPair;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kA = TunnelPair::kA;
constexpr auto kB = TunnelPair::kB;
constexpr PeerId kPeer = TunnelPair::kPeer;

TEST(TunnelTest, AFirstPacketMakesASessionAndArrives) {
  TunnelPair pair;

  pair.Send(kA, "one");
  pair.Send(kA, "two");
  pair.RunFor(milliseconds(60));

  EXPECT_THAT(pair.received(kB), ElementsAre("one", "two"));
  EXPECT_EQ(pair.CountSent(kA, 1), 1U);
  EXPECT_EQ(pair.CountSent(kB, 2), 1U);
  EXPECT_EQ(pair.CountKeepalives(kA), 0U);  // The data confirms the session.
  EXPECT_EQ(pair.CountEvents<HandshakeCompleted>(kA), 1U);
  EXPECT_EQ(pair.CountEvents<HandshakeCompleted>(kB), 1U);
}

TEST(TunnelTest, AnInitiatorWithNothingToSendConfirmsWithAKeepalive) {
  TunnelPair pair;

  pair.Connect();

  EXPECT_EQ(pair.CountKeepalives(kA), 1U);
  EXPECT_TRUE(pair.b().Stats(kPeer).has_session);
}

TEST(TunnelTest, AResponderWaitsForTheFirstPacketBeforeItSends) {
  TunnelPair pair;
  pair.loses = [](const auto& sent) { return sent.from == kA && sent.type() == 4; };
  pair.Start(kA);
  pair.RunFor(milliseconds(200));
  ASSERT_EQ(pair.CountSent(kB, 2), 1U);

  pair.Send(kB, "early");

  EXPECT_FALSE(pair.b().Stats(kPeer).has_session);
  EXPECT_EQ(pair.CountSent(kB, 4), 0U);
}

TEST(TunnelTest, CarriesDataBothWays) {
  TunnelPair pair;
  pair.Connect();

  pair.Send(kA, "there");
  pair.Send(kB, "and back");
  pair.RunFor(milliseconds(20));

  EXPECT_THAT(pair.received(kB), ElementsAre("there"));
  EXPECT_THAT(pair.received(kA), ElementsAre("and back"));
}

TEST(TunnelTest, ThePresharedKeyMustBeTheSameOnBothEnds) {
  TunnelPair same({.preshared_a = 5, .preshared_b = 5});
  same.Connect();
  EXPECT_TRUE(same.a().Stats(kPeer).has_session);

  TunnelPair other({.preshared_a = 5, .preshared_b = 6});
  other.Start(kA);
  other.RunFor(seconds(1));
  EXPECT_FALSE(other.a().Stats(kPeer).has_session);
  EXPECT_EQ(other.a().counters().bad_handshake, 1U);
  EXPECT_EQ(other.sent().size(), 2U);  // Nothing answers the failure.
}

TEST(TunnelTest, SaysWhoSentADatagram) {
  TunnelPair pair;
  pair.loses = [](const auto&) { return true; };
  pair.Start(kA);

  const auto initiation = pair.Inject(kB, pair.LastSent(kA, 1));
  ASSERT_TRUE(initiation.has_value());
  EXPECT_EQ(initiation->peer, kPeer);
  EXPECT_FALSE(initiation->data);
  const auto response = pair.Inject(kA, pair.LastSent(kB, 2));
  ASSERT_TRUE(response.has_value());
  EXPECT_FALSE(response->data);
  const auto keepalive = pair.Inject(kB, pair.LastSent(kA, 4));
  ASSERT_TRUE(keepalive.has_value());
  EXPECT_TRUE(keepalive->data);
}

TEST(TunnelTest, RefusesEveryReplay) {
  TunnelPair pair;
  pair.Send(kA);
  pair.RunFor(seconds(1));
  ASSERT_EQ(pair.received(kB).size(), 1U);

  EXPECT_EQ(pair.Inject(kB, pair.LastSent(kA, 1)), std::nullopt);
  EXPECT_EQ(pair.Inject(kA, pair.LastSent(kB, 2)), std::nullopt);
  EXPECT_EQ(pair.Inject(kB, pair.LastSent(kA, 4)), std::nullopt);

  EXPECT_EQ(pair.received(kB).size(), 1U);
  EXPECT_EQ(pair.b().counters().replayed_initiation, 1U);
  EXPECT_EQ(pair.a().counters().unknown_index, 1U);
  EXPECT_EQ(pair.b().counters().replayed_transport, 1U);
}

TEST(TunnelTest, AcceptsPacketsOutOfOrder) {
  TunnelPair pair;
  pair.Connect();
  pair.latency = [&](const auto&) { return milliseconds(pair.sent().size() % 2 == 0 ? 10 : 30); };

  for (const std::string_view payload : {"1", "2", "3", "4", "5", "6"}) {
    pair.Send(kA, payload);
  }
  pair.RunFor(milliseconds(100));

  EXPECT_THAT(pair.received(kB), ::testing::UnorderedElementsAre("1", "2", "3", "4", "5", "6"));
  EXPECT_FALSE(std::ranges::is_sorted(pair.received(kB)));
}

TEST(TunnelTest, DropsASourceThatIsNotThePeers) {
  TunnelPair pair;
  pair.Connect();

  pair.a().HandlePacket(
      pair.now(), MakeIpv4(IpAddress::V4(10, 0, 0, 99), TunnelPair::AddressOf(kB), "spoofed"));
  const auto datagram = pair.a().PollDatagram();
  ASSERT_TRUE(datagram.has_value());
  const auto accepted = pair.Inject(kB, datagram->bytes);

  EXPECT_TRUE(accepted.has_value());  // It is from the peer all the same.
  EXPECT_THAT(pair.received(kB), IsEmpty());
  EXPECT_EQ(pair.b().counters().spoofed_inner, 1U);
}

TEST(TunnelTest, DropsPacketsWithoutAPeer) {
  TunnelPair pair;
  pair.a().HandlePacket(
      pair.now(), MakeIpv4(TunnelPair::AddressOf(kA), IpAddress::V4(192, 0, 2, 1), "nowhere"));
  pair.a().HandlePacket(pair.now(), std::vector<std::uint8_t>(10));

  EXPECT_EQ(pair.a().counters().unroutable_packet, 1U);
  EXPECT_EQ(pair.a().counters().malformed_packet, 1U);
  EXPECT_FALSE(pair.a().PollDatagram().has_value());
}

TEST(TunnelTest, RefusesEveryTruncationOfEveryMessage) {
  TunnelPair pair;
  pair.loses = [](const auto&) { return true; };
  pair.Start(kA);
  const auto initiation = pair.LastSent(kA, 1);
  ASSERT_TRUE(pair.Inject(kB, initiation).has_value());
  const auto response = pair.LastSent(kB, 2);
  ASSERT_TRUE(pair.Inject(kA, response).has_value());
  pair.Send(kA);
  const auto data = pair.LastSent(kA, 4);

  for (const auto& message : {initiation, response, data}) {
    for (std::size_t size = 0; size < message.size(); ++size) {
      EXPECT_EQ(pair.Inject(kA, Bytes(message).first(size)), std::nullopt);
      EXPECT_EQ(pair.Inject(kB, Bytes(message).first(size)), std::nullopt);
    }
  }
  EXPECT_THAT(pair.received(kB), IsEmpty());
  EXPECT_TRUE(pair.Inject(kB, data).has_value());
}

TEST(TunnelTest, DropsWhatIsNotForOurKeyBeforeAnyCurve) {
  TunnelPair pair;
  pair.Start(kA);
  auto initiation = pair.LastSent(kA, 1);
  initiation[initiation::kMac1] ^= 1U;

  EXPECT_EQ(pair.Inject(kB, initiation), std::nullopt);
  EXPECT_EQ(pair.b().counters().bad_mac1, 1U);
}

TEST(TunnelTest, DropsAnInitiationFromAStranger) {
  TunnelPair pair;
  test::FakeRandom random(99);
  Tunnel stranger(pair.now(), GeneratePrivateKey(random), pair.UnixTime(), random);
  ASSERT_TRUE(stranger.AddPeer(pair.now(), 1, {.public_key = pair.b().public_key()}));
  stranger.StartHandshake(pair.now(), 1);

  EXPECT_EQ(pair.Inject(kB, stranger.PollDatagram()->bytes), std::nullopt);
  EXPECT_EQ(pair.b().counters().unknown_key, 1U);
  EXPECT_THAT(pair.sent(), IsEmpty());
}

// One initiation without a cookie is too many.
constexpr HandshakeLimits kAlwaysUnderLoad{.unproven = {1, 1}};

/// A pair in which B is under load from here on.
void Load(TunnelPair& pair) {
  pair.loses = [](const auto&) { return true; };
  pair.Start(kA);
  pair.Inject(kB, pair.LastSent(kA, 1));
  pair.Start(kA);
  pair.Inject(kB, pair.LastSent(kA, 1));
  ASSERT_EQ(pair.b().counters().cookie_needed, 1U);
  pair.loses = [](const auto&) { return false; };
}

TEST(TunnelTest, UnderLoadAnInitiatorComesBackWithACookie) {
  TunnelPair pair({.limits_b = kAlwaysUnderLoad});
  Load(pair);
  ASSERT_FALSE(pair.a().Stats(kPeer).has_session);

  pair.Inject(kA, pair.LastSent(kB, 3));
  EXPECT_EQ(pair.CountSent(kA, 1), 2U);  // Not at once.
  pair.RunFor(kRekeyTimeout + kMaxJitter + seconds(1));

  EXPECT_EQ(pair.CountSent(kA, 1), 3U);
  EXPECT_TRUE(pair.a().Stats(kPeer).has_session);
  EXPECT_TRUE(pair.b().Stats(kPeer).has_session);
}

TEST(TunnelTest, IsFloodedForASecondAfterTheLastThatWasTooMany) {
  TunnelPair pair({.limits_b = kAlwaysUnderLoad});
  EXPECT_FALSE(pair.b().IsFlooded());
  Load(pair);
  pair.b().RemovePeer(kPeer);
  EXPECT_TRUE(pair.b().IsFlooded());
  EXPECT_EQ(pair.b().NextTimeout(), pair.now() + seconds(1));

  pair.b().HandleTimeout(pair.now() + seconds(1));

  EXPECT_FALSE(pair.b().IsFlooded());
  EXPECT_EQ(pair.b().NextTimeout(), std::nullopt);
}

TEST(TunnelTest, ACookieReplyIsShorterThanWhatItAnswers) {
  TunnelPair pair({.limits_b = kAlwaysUnderLoad});
  Load(pair);

  EXPECT_EQ(pair.LastSent(kB, 3).size(), 64U);
  EXPECT_EQ(pair.CountSent(kB, 3), 1U);
}

TEST(TunnelTest, NothingAnswersAWrongMac1EvenUnderLoad) {
  TunnelPair pair({.limits_b = kAlwaysUnderLoad});
  Load(pair);
  auto forged = pair.LastSent(kA, 1);
  forged[initiation::kMac1] ^= 1U;
  const std::size_t sent = pair.sent().size();

  pair.Inject(kB, forged);

  EXPECT_EQ(pair.sent().size(), sent);
}

TEST(TunnelTest, SessionsGoOnUnderLoad) {
  TunnelPair pair({.limits_b = kAlwaysUnderLoad});
  pair.Connect();
  test::FakeRandom random(99);
  Tunnel stranger(pair.now(), GeneratePrivateKey(random), pair.UnixTime(), random);
  ASSERT_TRUE(stranger.AddPeer(pair.now(), 1, {.public_key = pair.b().public_key()}));
  for (int i = 0; i < 10; ++i) {
    stranger.StartHandshake(pair.now(), 1);
    pair.Inject(kB, stranger.PollDatagram()->bytes);
  }
  EXPECT_EQ(pair.b().counters().cookie_needed, 10U);

  pair.Send(kA, "through");
  pair.RunFor(seconds(1));

  EXPECT_THAT(pair.received(kB), ElementsAre("through"));
}

// What a flood of initiations brings about must not hold up the handshakes that we begin.
TEST(TunnelTest, AResponseIsTakenWhileInitiationsNeedACookie) {
  TunnelPair pair({.limits_b = kAlwaysUnderLoad});
  Load(pair);

  pair.Start(kB);
  pair.RunFor(milliseconds(100));

  EXPECT_TRUE(pair.b().Stats(kPeer).has_session);
}

TEST(TunnelTest, AFloodOfResponsesIsAskedForCookiesToo) {
  TunnelPair pair({.limits_b = kAlwaysUnderLoad});
  pair.loses = [](const auto&) { return true; };
  pair.Start(kB);
  pair.Inject(kA, pair.LastSent(kB, 1));
  auto forged = pair.LastSent(kA, 2);
  forged[response::kEmpty] ^= 1U;
  WriteMacs(LocalIdentity(pair.key(kB).Clone()).mac1_key(), forged);

  pair.Inject(kB, forged);
  pair.Inject(kB, forged);

  EXPECT_EQ(pair.b().counters().bad_handshake, 1U);
  EXPECT_EQ(pair.b().counters().cookie_needed, 1U);
  EXPECT_EQ(pair.CountSent(kB, 3), 1U);
}

TEST(TunnelTest, TheSourcesOfAPeerAreLimitedUnderLoad) {
  TunnelPair pair({.limits_b = {.unproven = {1, 1}, .per_source = {1, 1}}});
  Load(pair);
  pair.Inject(kA, pair.LastSent(kB, 3));
  pair.loses = [](const auto&) { return true; };
  for (int i = 0; i < 3; ++i) {
    pair.RunFor(kInitiationInterval);
    pair.Start(kA);
    pair.Inject(kB, pair.LastSent(kA, 1));
  }

  EXPECT_EQ(pair.b().counters().limited_handshake, 2U);
}

TEST(TunnelTest, DropsACookieReplyToNothing) {
  TunnelPair pair;
  pair.loses = [](const auto&) { return true; };
  std::vector<std::uint8_t> reply(cookie_reply::kSize);
  reply[0] = 3;
  pair.Inject(kA, reply);
  EXPECT_EQ(pair.a().counters().unknown_index, 1U);

  pair.Start(kA);
  std::ranges::copy(Bytes(pair.LastSent(kA, 1)).subspan(4, 4), reply.begin() + 4);
  pair.Inject(kA, reply);

  EXPECT_EQ(pair.a().counters().forged_cookie_reply, 1U);
  reply.pop_back();
  pair.Inject(kA, reply);
  EXPECT_EQ(pair.a().counters().malformed, 1U);
}

TEST(TunnelTest, AnswersOneInitiationOfAPeerInTwentyMilliseconds) {
  TunnelPair pair;
  pair.loses = [](const auto&) { return true; };
  pair.Start(kA);
  pair.Inject(kB, pair.LastSent(kA, 1));

  pair.RunFor(kInitiationInterval - milliseconds(1));
  pair.Start(kA);
  EXPECT_EQ(pair.Inject(kB, pair.LastSent(kA, 1)), std::nullopt);
  EXPECT_EQ(pair.b().counters().flooded_initiation, 1U);

  pair.RunFor(milliseconds(1));
  pair.Start(kA);
  EXPECT_TRUE(pair.Inject(kB, pair.LastSent(kA, 1)).has_value());
}

TEST(TunnelTest, KeepsTheLastPacketsThatWaitForASession) {
  TunnelPair pair;
  for (std::size_t i = 0; i < kMaxQueuedPackets + 2; ++i) {
    pair.Send(kA, std::to_string(i));
  }
  pair.RunFor(seconds(1));

  EXPECT_EQ(pair.received(kB).size(), kMaxQueuedPackets);
  EXPECT_EQ(pair.received(kB).front(), "2");
  EXPECT_EQ(pair.a().counters().queue_overflow, 2U);
}

TEST(TunnelTest, RefusesPeersItCannotHave) {
  TunnelPair pair;
  test::FakeRandom random(99);
  const PublicKey other = DerivePublicKey(GeneratePrivateKey(random));

  EXPECT_FALSE(pair.a().AddPeer(pair.now(), kPeer, {.public_key = other}));
  EXPECT_FALSE(pair.a().AddPeer(pair.now(), 8, {.public_key = pair.b().public_key()}));
  EXPECT_FALSE(pair.a().AddPeer(pair.now(), 8, {.public_key = pair.a().public_key()}));
  EXPECT_FALSE(pair.a().AddPeer(pair.now(), 8, {.public_key = PublicKey{}}));
  EXPECT_TRUE(pair.a().AddPeer(pair.now(), 8, {.public_key = other}));
}

TEST(TunnelTest, ARemovedPeerIsForgotten) {
  TunnelPair pair;
  pair.Connect();
  pair.Send(kB);
  const auto datagram = pair.LastSent(kB, 4);

  pair.a().RemovePeer(kPeer);

  EXPECT_EQ(pair.Inject(kA, datagram), std::nullopt);
  EXPECT_EQ(pair.a().counters().unknown_index, 1U);
  EXPECT_EQ(pair.a().NextTimeout(), std::nullopt);
  EXPECT_FALSE(pair.a().Stats(kPeer).latest_handshake.has_value());
  pair.Send(kA);
  EXPECT_EQ(pair.a().counters().unroutable_packet, 1U);
  pair.a().RemovePeer(kPeer);
  pair.a().StartHandshake(pair.now(), kPeer);
  EXPECT_FALSE(pair.a().PollDatagram().has_value());
}

TEST(TunnelTest, OtherAllowedIpsKeepTheSession) {
  TunnelPair pair;
  pair.Connect();
  const std::size_t sent = pair.sent().size();

  pair.a().SetAllowedIps(kPeer, {*ParseIpPrefix("10.0.0.0/24")});
  pair.Send(kA, "still");
  pair.RunFor(milliseconds(20));
  EXPECT_THAT(pair.received(kB), ElementsAre("still"));
  EXPECT_EQ(pair.sent().size(), sent + 1);

  pair.a().SetAllowedIps(kPeer, {*ParseIpPrefix("10.9.0.0/24")});
  pair.Send(kA, "not any more");
  EXPECT_EQ(pair.a().counters().unroutable_packet, 1U);
  EXPECT_EQ(pair.sent().size(), sent + 1);
}

TEST(TunnelTest, PeersMaySwapAllowedIps) {
  TunnelPair pair;
  test::FakeRandom random(9);
  const PublicKey other = DerivePublicKey(GeneratePrivateKey(random));
  const IpPrefix first{TunnelPair::AddressOf(kB), 32};
  const IpPrefix second = *ParseIpPrefix("10.0.0.9/32");
  ASSERT_TRUE(pair.a().AddPeer(pair.now(), 8, {.public_key = other, .allowed_ips = {second}}));

  pair.a().SetAllowedIps(kPeer, {second});
  pair.a().SetAllowedIps(8, {first});

  pair.a().HandlePacket(pair.now(), MakeIpv4({}, first.address, ""));
  EXPECT_EQ(pair.a().PollDatagram()->peer, 8U);
  pair.a().HandlePacket(pair.now(), MakeIpv4({}, second.address, ""));
  EXPECT_EQ(pair.a().PollDatagram()->peer, kPeer);
}

TEST(TunnelTest, AnotherPresharedKeyEndsTheSessions) {
  TunnelPair pair;
  pair.Connect();
  PresharedKey key;
  key.data()[0] = 1;
  EXPECT_FALSE(pair.a().SetPresharedKey(kPeer, std::nullopt));
  EXPECT_TRUE(pair.a().Stats(kPeer).has_session);
  pair.Send(kB);
  const auto datagram = pair.LastSent(kB, 4);

  EXPECT_TRUE(pair.a().SetPresharedKey(kPeer, key.Clone()));

  EXPECT_FALSE(pair.a().Stats(kPeer).has_session);
  EXPECT_EQ(pair.Inject(kA, datagram), std::nullopt);
  EXPECT_TRUE(pair.b().SetPresharedKey(kPeer, std::move(key)));
  pair.Connect();
  pair.Send(kA, "again");
  pair.RunFor(milliseconds(20));
  EXPECT_THAT(pair.received(kB), ElementsAre("again"));
}

TEST(TunnelTest, AnotherKeepaliveIntervalCountsFromItsChange) {
  TunnelPair pair({.keepalive_a = seconds(60)});
  pair.Connect();
  const TimePoint changed = pair.now();
  const std::size_t sent = pair.sent().size();

  pair.a().SetPersistentKeepalive(changed, kPeer, seconds(5));
  pair.RunFor(milliseconds(5500));
  ASSERT_EQ(pair.sent().size(), sent + 1);
  EXPECT_TRUE(pair.sent().back().is_keepalive());
  EXPECT_EQ(pair.sent().back().at, changed + seconds(5));

  pair.a().SetPersistentKeepalive(pair.now(), kPeer, seconds(0));
  pair.RunFor(seconds(50));
  EXPECT_EQ(pair.sent().size(), sent + 1);
}

/// Keeps the public halves of what it is told.
class KeptKeys final : public KeyLog {
 public:
  void NoteHandshake(const LocalIdentity& local, const RemoteIdentity& remote,
                     const PrivateKey& ephemeral) override {
    EXPECT_EQ(DerivePublicKey(local.private_key()), local.public_key());
    peer = remote.public_key();
    ephemerals.push_back(DerivePublicKey(ephemeral));
  }

  PublicKey peer;
  std::vector<PublicKey> ephemerals;
};

TEST(TunnelTest, TellsTheKeysOfItsHandshakesToWhoAsks) {
  TunnelPair pair;
  KeptKeys a;
  KeptKeys b;
  pair.a().SetKeyLog(&a);
  pair.b().SetKeyLog(&b);

  pair.Connect();

  const auto in = [&](TunnelPair::Side side, std::uint8_t type, std::size_t offset) {
    PublicKey key;
    std::ranges::copy(Bytes(pair.LastSent(side, type)).subspan(offset, kKeySize),
                      key.bytes.begin());
    return key;
  };
  EXPECT_THAT(a.ephemerals, ElementsAre(in(kA, 1, 8)));   // Section 5.4.2
  EXPECT_THAT(b.ephemerals, ElementsAre(in(kB, 2, 12)));  // Section 5.4.3
  EXPECT_EQ(a.peer, pair.b().public_key());
  EXPECT_EQ(b.peer, pair.a().public_key());
}

TEST(TunnelTest, APlaceThatIsFreeIsUsedAgain) {
  TunnelPair pair;
  pair.Connect();
  const PublicKey key = pair.b().public_key();
  pair.a().RemovePeer(kPeer);

  ASSERT_TRUE(pair.a().AddPeer(
      pair.now(), kPeer, {.public_key = key, .allowed_ips = {*ParseIpPrefix("10.0.0.2/32")}}));
  pair.Send(kA, "again");
  pair.RunFor(seconds(1));

  EXPECT_THAT(pair.received(kB), ElementsAre("again"));
}

TEST(TunnelTest, CountsBytesOfAuthenticDatagrams) {
  TunnelPair pair;
  pair.Connect();

  EXPECT_EQ(pair.a().Stats(kPeer).tx_bytes, 148U + 32U);
  EXPECT_EQ(pair.a().Stats(kPeer).rx_bytes, 92U);
  EXPECT_EQ(pair.b().Stats(kPeer).rx_bytes, 148U + 32U);
  pair.Inject(kA, std::vector<std::uint8_t>{4, 0, 0, 0});
  EXPECT_EQ(pair.a().Stats(kPeer).rx_bytes, 92U);
}

TEST(TunnelTest, TellsItsMessagesFromOthers) {
  EXPECT_TRUE(Tunnel::LooksLikeWireGuard(std::vector<std::uint8_t>{4, 0, 0, 0, 9}));
  EXPECT_FALSE(Tunnel::LooksLikeWireGuard(std::vector<std::uint8_t>{0, 1, 0, 0}));
  EXPECT_FALSE(Tunnel::LooksLikeWireGuard({}));
  EXPECT_TRUE(Tunnel::IsInitiation(std::vector<std::uint8_t>{1, 0, 0, 0}));
  EXPECT_FALSE(Tunnel::IsInitiation(std::vector<std::uint8_t>{2, 0, 0, 0}));
}

TEST(TunnelTest, ServesManyPeersWithOneWakeUpEach) {
  test::FakeRandom random(3);
  const TimePoint start{std::chrono::hours(1)};
  Tunnel tunnel(start, GeneratePrivateKey(random), seconds(1'700'000'000), random);
  constexpr PeerId kCount = 200;
  for (PeerId id = 0; id < kCount; ++id) {
    ASSERT_TRUE(tunnel.AddPeer(start, id,
                               {.public_key = DerivePublicKey(GeneratePrivateKey(random)),
                                .persistent_keepalive = seconds(10 + id)}));
  }

  for (PeerId id = 0; id < kCount; ++id) {
    const auto next = tunnel.NextTimeout();
    ASSERT_TRUE(next.has_value());
    tunnel.HandleTimeout(*next);
    while (const auto datagram = tunnel.PollDatagram()) {
      EXPECT_LE(datagram->peer, id);  // No other peer is woken.
    }
  }
}

}  // namespace
}  // namespace floe::tunnel
