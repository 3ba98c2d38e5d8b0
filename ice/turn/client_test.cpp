#include "ice/turn/client.h"

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "ice/turn/channel_data.h"
#include "ice/turn/test_network.h"

namespace floe::ice::turn {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using stun::AttributeType;
using stun::Class;
using stun::ErrorCode;
using stun::Method;
using test::Datagram;
using test::kAlice;
using test::kPeer;
using test::kServer;
using test::MakeClientConfig;
using test::MakeServerConfig;
using test::Network;
using test::Node;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

/// The STUN message of this method and class in `datagram`, if it is one.
bool Is(const Datagram& datagram, Class message_class, Method method) {
  const auto message = stun::MessageView::Parse(datagram.payload);
  return message && message->message_class() == message_class && message->method() == method;
}

std::size_t Count(const Network& network, Class message_class, Method method) {
  return static_cast<std::size_t>(std::ranges::count_if(
      network.sent_to_server,
      [&](const Datagram& datagram) { return Is(datagram, message_class, method); }));
}

std::size_t CountRequests(const Network& network, Method method) {
  return Count(network, Class::kRequest, method);
}

class TurnClientTest : public testing::Test {
 protected:
  /// A client with an allocation.
  Node& Ready(ClientConfig config = MakeClientConfig()) {
    Node& node = network.Add(std::move(config));
    network.RunMs(100);
    EXPECT_TRUE(node.client.ready());
    node.events.clear();
    network.sent_to_server.clear();
    return node;
  }

  bool Send(Node& node, const SocketAddress& peer, std::string_view text) {
    const bool taken = node.client.Send(network.now, peer, AsBytes(text));
    network.Drain();
    return taken;
  }

  std::vector<std::string> PeerGot() const {
    std::vector<std::string> texts;
    for (const Datagram& datagram : network.peers_got) {
      texts.push_back(test::Text(datagram.payload));
    }
    return texts;
  }

  Network network;
};

TEST_F(TurnClientTest, AllocatesInTwoRoundTrips) {
  Node& node = network.Add();
  network.Run(4 * test::kLatency);

  ASSERT_THAT(node.events, SizeIs(1));
  const auto& allocated = std::get<Allocated>(node.events[0]);
  EXPECT_EQ(allocated.relayed.ip, *ParseIpAddress("198.51.100.1"));
  EXPECT_EQ(allocated.mapped, kAlice);
  EXPECT_EQ(node.client.relayed(), allocated.relayed);
  EXPECT_EQ(CountRequests(network, Method::kAllocate), 2U) << "one to be challenged, one to prove";
}

TEST_F(TurnClientTest, AllocatesWithSha256) {
  ServerConfig config = MakeServerConfig();
  config.auth.offer_sha256 = true;
  network.Restart(std::move(config));
  Ready();
}

TEST_F(TurnClientTest, AsksForAFamilyOnlyForIpv6) {
  const auto asks = [this] {
    return std::ranges::any_of(network.sent_to_server, [](const Datagram& datagram) {
      return stun::MessageView::Parse(datagram.payload)
          ->Find(AttributeType::kRequestedAddressFamily)
          .has_value();
    });
  };
  network.Add();
  network.RunMs(100);
  EXPECT_FALSE(asks());

  Node& v6 = network.Add(MakeClientConfig(test::kBob, IpFamily::kIpv6));
  network.RunMs(100);
  EXPECT_TRUE(asks());
  EXPECT_TRUE(v6.client.relayed().ip.is_v6());
}

TEST_F(TurnClientTest, NeverSendsThePassword) {
  network.Add();
  network.RunMs(100);
  ASSERT_THAT(network.sent_to_server, SizeIs(2));
  for (const Datagram& datagram : network.sent_to_server) {
    EXPECT_EQ(test::Text(datagram.payload).find("wonderland"), std::string::npos);
  }
}

TEST_F(TurnClientTest, GivesUpOnAWrongPasswordAtOnce) {
  ClientConfig config = MakeClientConfig();
  config.password = SecretString("guess");
  Node& node = network.Add(std::move(config));
  network.RunMs(100);

  ASSERT_NE(node.lost(), nullptr);
  EXPECT_EQ(node.lost()->code, 401);
  EXPECT_EQ(CountRequests(network, Method::kAllocate), 2U);
  EXPECT_EQ(node.client.NextTimeout(), std::nullopt);
}

TEST_F(TurnClientTest, GivesUpOnASilentServerAfterThirtyNineSecondsAndAHalf) {
  network.loses = [](const Datagram&) { return true; };
  Node& node = network.Add();

  network.RunMs(39'499);
  EXPECT_EQ(node.lost(), nullptr);
  EXPECT_EQ(CountRequests(network, Method::kAllocate), 7U);
  network.RunMs(1);
  ASSERT_NE(node.lost(), nullptr);
  EXPECT_EQ(node.lost()->code, 0);
}

TEST_F(TurnClientTest, SurvivesHeavyLossAndDuplication) {
  network.copies = 2;
  test::FakeRandom dice(7);
  network.loses = [&dice](const Datagram&) { return dice.Next() % 10 < 3; };
  Node& node = network.Add();
  network.Run(minutes(1));
  ASSERT_TRUE(node.client.ready());

  ASSERT_TRUE(Send(node, kPeer, "one"));
  network.Run(minutes(60));
  EXPECT_EQ(node.lost(), nullptr);
  EXPECT_TRUE(node.client.ready());
}

TEST_F(TurnClientTest, EndsTheAllocationThatItsLastRunLeftBehind) {
  // A client that ended without a farewell, and another on the same five-tuple.
  Ready();
  network.nodes.clear();
  Node& second = network.Add();
  network.RunMs(200);
  EXPECT_EQ(second.lost(), nullptr);
  EXPECT_TRUE(second.client.ready());
  EXPECT_EQ(CountRequests(network, Method::kRefresh), 2U) << "a farewell is sent twice";
}

TEST_F(TurnClientTest, RefreshesAMinuteBeforeTheEnd) {
  Node& node = Ready();
  network.Run(seconds(538));
  EXPECT_EQ(CountRequests(network, Method::kRefresh), 0U);
  network.Run(seconds(3));
  EXPECT_EQ(CountRequests(network, Method::kRefresh), 1U);
  network.Run(minutes(120));
  EXPECT_TRUE(node.client.ready());
  EXPECT_EQ(network.server->allocation_count(), 1U);
}

TEST_F(TurnClientTest, RefreshesAShortAllocationAtHalfItsLife) {
  ServerConfig config = MakeServerConfig();
  config.default_lifetime = seconds(20);
  network.Restart(std::move(config));
  Node& node = Ready();
  network.Run(seconds(9));
  EXPECT_EQ(CountRequests(network, Method::kRefresh), 0U);
  network.Run(seconds(2));
  EXPECT_EQ(CountRequests(network, Method::kRefresh), 1U);
  network.Run(minutes(10));
  EXPECT_TRUE(node.client.ready());
}

TEST_F(TurnClientTest, LosesAnAllocationWhoseTimeIsUp) {
  ServerConfig config = MakeServerConfig();
  config.default_lifetime = seconds(20);
  network.Restart(std::move(config));
  Node& node = Ready();
  network.loses = [](const Datagram&) { return true; };
  network.Run(seconds(25));
  ASSERT_NE(node.lost(), nullptr);
  EXPECT_EQ(node.lost()->reason, "the allocation has expired");
}

TEST_F(TurnClientTest, TakesAFreshNonceAsOftenAsTheServerWants) {
  ServerConfig config = MakeServerConfig();
  config.auth.nonce_lifetime = seconds(1);
  network.Restart(std::move(config));
  Node& node = Ready();
  network.Run(minutes(600));
  EXPECT_TRUE(node.client.ready());
}

TEST_F(TurnClientTest, StopsAfterTwoStaleNoncesInARow) {
  ServerConfig config = MakeServerConfig();
  config.auth.nonce_lifetime = seconds(-1);
  network.Restart(std::move(config));
  Node& node = network.Add();
  network.Run(seconds(1));

  ASSERT_NE(node.lost(), nullptr);
  EXPECT_EQ(node.lost()->code, 438);
  EXPECT_EQ(CountRequests(network, Method::kAllocate), 4U);
}

TEST_F(TurnClientTest, NoticesARestartedServerWithTheNextRequest) {
  Node& node = Ready();
  network.Restart();
  node.client.CheckNow(network.now);
  network.RunMs(100);
  ASSERT_NE(node.lost(), nullptr);
  EXPECT_EQ(node.lost()->code, 437);
  EXPECT_FALSE(node.client.Send(network.now, kPeer, AsBytes("x")));
}

TEST_F(TurnClientTest, NoticesARestartedServerWhenItPermits) {
  Node& node = Ready();
  network.Restart();
  node.client.Permit(network.now, kPeer.ip);
  network.RunMs(100);
  ASSERT_NE(node.lost(), nullptr);
  EXPECT_EQ(node.lost()->code, 437);
}

TEST_F(TurnClientTest, NoticesAServerThatIsGoneByItsKeepalive) {
  Node& node = Ready();
  network.loses = [](const Datagram&) { return true; };
  network.Run(seconds(105));
  ASSERT_NE(node.lost(), nullptr) << "25 s to the probe, and 39.5 s each for probe and refresh";
}

TEST_F(TurnClientTest, KeepsTheNatOpen) {
  Ready();
  network.Run(seconds(101));
  EXPECT_EQ(CountRequests(network, Method::kBinding), 4U);
}

TEST_F(TurnClientTest, NeedsNoKeepaliveWhileItSends) {
  Node& node = Ready();
  for (int i = 0; i < 20; ++i) {
    Send(node, kPeer, "x");
    network.Run(seconds(10));
  }
  EXPECT_EQ(CountRequests(network, Method::kBinding), 0U);
}

TEST_F(TurnClientTest, NoticesThatItsMappingHasChanged) {
  Node& node = Ready();
  const SocketAddress moved = *ParseSocketAddress("203.0.113.1:50000");
  network.nat[kAlice] = moved;
  network.Run(seconds(26));

  ASSERT_THAT(node.events, SizeIs(2));
  EXPECT_EQ(std::get<MappedChanged>(node.events[0]).mapped, moved);
  EXPECT_EQ(std::get<Lost>(node.events[1]).code, 437) << "the allocation belongs to the old one";
}

// Permissions and data.

TEST_F(TurnClientTest, PermitsSeveralPeersInOneRequest) {
  Node& node = Ready();
  for (std::uint8_t i = 1; i <= 5; ++i) {
    node.client.Permit(network.now, IpAddress::V4(192, 0, 2, i));
  }
  network.RunMs(100);
  EXPECT_EQ(CountRequests(network, Method::kCreatePermission), 1U);
  EXPECT_TRUE(node.client.IsPermitted(network.now, IpAddress::V4(192, 0, 2, 5)));
}

TEST_F(TurnClientTest, KeepsPermissionsUntilRevoked) {
  Node& node = Ready();
  node.client.Permit(network.now, kPeer.ip);
  network.Run(minutes(30));
  EXPECT_TRUE(node.client.IsPermitted(network.now, kPeer.ip));
  network.FromPeer(kPeer, node.client.relayed(), "hello");
  network.RunMs(100);
  EXPECT_THAT(node.data, ElementsAre(Pair(kPeer, "hello")));

  node.client.Revoke(kPeer.ip);
  network.sent_to_server.clear();
  network.Run(minutes(30));
  EXPECT_EQ(CountRequests(network, Method::kCreatePermission), 0U);
}

TEST_F(TurnClientTest, HoldsDataUntilThereIsAPermission) {
  Node& node = Ready();
  EXPECT_TRUE(Send(node, kPeer, "one"));
  EXPECT_TRUE(Send(node, kPeer, "two"));
  network.RunMs(100);
  EXPECT_THAT(PeerGot(), ElementsAre("one", "two"));
  EXPECT_EQ(network.peers_got[0].from, node.client.relayed());
}

TEST_F(TurnClientTest, HoldsDataUntilThereIsAnAllocation) {
  Node& node = network.Add();
  EXPECT_TRUE(Send(node, kPeer, "early"));
  network.RunMs(200);
  EXPECT_THAT(PeerGot(), ElementsAre("early"));
}

TEST_F(TurnClientTest, RefusesToSendToAForbiddenPeer) {
  ServerConfig config = MakeServerConfig();
  config.denied_peers = {*ParseIpPrefix("192.0.2.0/24")};
  network.Restart(std::move(config));
  Node& node = Ready();
  EXPECT_TRUE(Send(node, kPeer, "held")) << "nobody has said no yet";
  network.RunMs(100);
  EXPECT_FALSE(Send(node, kPeer, "refused"));
  EXPECT_EQ(node.lost(), nullptr);
}

TEST_F(TurnClientTest, DoesNotLetOneForbiddenPeerSpoilTheOthers) {
  ServerConfig config = MakeServerConfig();
  config.denied_peers = {*ParseIpPrefix("192.0.2.2/32")};
  network.Restart(std::move(config));
  Node& node = Ready();
  for (std::uint8_t i = 1; i <= 3; ++i) {
    node.client.Permit(network.now, IpAddress::V4(192, 0, 2, i));
  }
  network.RunMs(200);
  EXPECT_TRUE(node.client.IsPermitted(network.now, IpAddress::V4(192, 0, 2, 1)));
  EXPECT_FALSE(node.client.IsPermitted(network.now, IpAddress::V4(192, 0, 2, 2)));
  EXPECT_TRUE(node.client.IsPermitted(network.now, IpAddress::V4(192, 0, 2, 3)));
}

TEST_F(TurnClientTest, RefusesAnotherFamilyAndTooMuchData) {
  Node& node = Ready();
  EXPECT_FALSE(Send(node, *ParseSocketAddress("[2001:db8::9]:1"), "x"));
  const std::vector<std::uint8_t> large(Client::kMaxPayload + 1);
  EXPECT_FALSE(node.client.Send(network.now, kPeer, large));
}

TEST_F(TurnClientTest, CarriesTheLargestPayload) {
  Node& node = Ready();
  const std::vector<std::uint8_t> large(Client::kMaxPayload, 7);
  EXPECT_TRUE(node.client.Send(network.now, kPeer, large));
  network.RunMs(100);
  ASSERT_THAT(network.peers_got, SizeIs(1));
  EXPECT_EQ(network.peers_got[0].payload, large);
}

// Channels.

TEST_F(TurnClientTest, SendsIndicationsUntilTheChannelIsBound) {
  Node& node = Ready();
  node.client.Permit(network.now, kPeer.ip);
  network.RunMs(100);
  node.client.BindChannel(network.now, kPeer);
  Send(node, kPeer, "before");
  EXPECT_EQ(Count(network, Class::kIndication, Method::kSend), 1U);
  network.RunMs(100);
  ASSERT_TRUE(node.client.ChannelOf(network.now, kPeer).has_value());
  Send(node, kPeer, "after");
  network.RunMs(100);

  EXPECT_EQ(Count(network, Class::kIndication, Method::kSend), 1U);
  EXPECT_THAT(PeerGot(), ElementsAre("before", "after"));
  network.FromPeer(kPeer, node.client.relayed(), "back");
  network.RunMs(100);
  EXPECT_THAT(node.data, ElementsAre(Pair(kPeer, "back")));
}

TEST_F(TurnClientTest, NeedsNoPermissionBesideAChannel) {
  Node& node = Ready();
  node.client.BindChannel(network.now, kPeer);
  network.RunMs(100);
  Send(node, kPeer, "hello");
  network.RunMs(100);
  EXPECT_THAT(PeerGot(), ElementsAre("hello"));
  EXPECT_EQ(CountRequests(network, Method::kCreatePermission), 0U);
}

TEST_F(TurnClientTest, KeepsChannelsForHours) {
  Node& node = Ready();
  node.client.BindChannel(network.now, kPeer);
  network.Run(minutes(200));
  const auto number = node.client.ChannelOf(network.now, kPeer);
  ASSERT_TRUE(number.has_value());
  network.FromPeer(kPeer, node.client.relayed(), "hello");
  network.RunMs(100);
  EXPECT_THAT(node.data, ElementsAre(Pair(kPeer, "hello")));
}

TEST_F(TurnClientTest, TakesChannelDataBeforeTheAnswerOfTheBind) {
  Node& node = Ready();
  network.loses = [](const Datagram& datagram) {
    return Is(datagram, Class::kSuccess, Method::kChannelBind);
  };
  node.client.BindChannel(network.now, kPeer);
  network.RunMs(100);
  ASSERT_FALSE(node.client.ChannelOf(network.now, kPeer).has_value());
  network.FromPeer(kPeer, node.client.relayed(), "early");
  network.RunMs(100);
  EXPECT_THAT(node.data, ElementsAre(Pair(kPeer, "early")));
}

TEST_F(TurnClientTest, KeepsThePeersChannelAcrossUnbind) {
  Node& node = Ready();
  node.client.BindChannel(network.now, kPeer);
  network.RunMs(100);
  const auto number = node.client.ChannelOf(network.now, kPeer);
  node.client.Unbind(network.now, kPeer);
  EXPECT_FALSE(node.client.ChannelOf(network.now, kPeer).has_value());

  // Past the binding, within the five minutes after it: the server would refuse another number.
  network.Run(seconds(700));
  node.client.BindChannel(network.now, kPeer);
  network.RunMs(100);
  EXPECT_EQ(node.client.ChannelOf(network.now, kPeer), number);
  EXPECT_EQ(node.lost(), nullptr);
}

TEST_F(TurnClientTest, NoticesByABindThatItsAllocationIsGone) {
  Node& node = Ready();
  network.Restart();
  node.client.BindChannel(network.now, kPeer);
  network.RunMs(100);
  ASSERT_NE(node.lost(), nullptr);
}

TEST_F(TurnClientTest, RelaysBetweenTwoClientsOfOneServer) {
  Node& alice = Ready();
  ClientConfig config = MakeClientConfig(test::kBob);
  config.username = "bob";
  config.password = SecretString("builder");
  Node& bob = Ready(std::move(config));
  bob.client.Permit(network.now, alice.client.relayed().ip);
  network.RunMs(100);

  Send(alice, bob.client.relayed(), "hello");
  network.RunMs(100);
  EXPECT_THAT(bob.data, ElementsAre(Pair(alice.client.relayed(), "hello")));
}

// Closing.

TEST_F(TurnClientTest, GivesTheAllocationBackWithTwoRequests) {
  Node& node = Ready();
  node.client.Close(network.now);
  network.Drain();
  EXPECT_EQ(CountRequests(network, Method::kRefresh), 2U);
  EXPECT_EQ(node.client.state(), ClientState::kClosed);
  network.Run(seconds(2));
  EXPECT_EQ(network.server->allocation_count(), 0U);
  EXPECT_TRUE(network.relays.empty());
  EXPECT_EQ(node.client.NextTimeout(), std::nullopt);
  EXPECT_THAT(node.events, IsEmpty());
}

TEST_F(TurnClientTest, GivesTheAllocationBackDespiteAStaleNonce) {
  ServerConfig config = MakeServerConfig();
  config.auth.nonce_lifetime = seconds(1);
  network.Restart(std::move(config));
  Node& node = Ready();
  network.Run(seconds(10));
  node.client.Close(network.now);
  network.Run(seconds(2));
  EXPECT_EQ(network.server->allocation_count(), 0U);
}

TEST_F(TurnClientTest, ClosesBeforeItHasAnAllocation) {
  Node& node = network.Add();
  node.client.Close(network.now);
  network.Run(seconds(60));
  EXPECT_THAT(node.events, IsEmpty());
  EXPECT_EQ(network.server->allocation_count(), 0U);
  EXPECT_EQ(node.client.NextTimeout(), std::nullopt);
}

TEST_F(TurnClientTest, IgnoresEveryInputOnceClosedOrLost) {
  Node& node = Ready();
  node.client.Close(network.now);
  network.Run(seconds(2));
  network.sent_to_server.clear();

  node.client.Permit(network.now, kPeer.ip);
  node.client.BindChannel(network.now, kPeer);
  node.client.CheckNow(network.now);
  node.client.Close(network.now);
  EXPECT_FALSE(Send(node, kPeer, "x"));
  network.Run(minutes(20));
  EXPECT_THAT(network.sent_to_server, IsEmpty());
  EXPECT_THAT(node.events, IsEmpty());
}

}  // namespace
}  // namespace floe::ice::turn
