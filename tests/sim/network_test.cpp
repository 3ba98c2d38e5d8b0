#include "tests/sim/network.h"

#include <chrono>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/scripted_node.h"
#include "tests/sim/simulation.h"
#include "tests/sim/text_trace.h"

namespace floe::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint16_t kPort = 5000;

SocketAddress Any(IpFamily family = IpFamily::kIpv4) {
  return {IpAddress{.family = family}, kPort};
}

/// A server on the internet that the tests send to, and what the network did with each packet.
class NetworkTest : public ::testing::Test {
 protected:
  NetworkTest() { server_.Attach(server_node_); }

  void Send(Host& host, ScriptedNode& node, const SocketAddress& to, std::string_view text = "x") {
    node.Send(Any(to.ip.family), to, text);
    host.Poke();
    sim_.RunFor(seconds(1));
  }

  [[nodiscard]] std::uint64_t Dropped(Drop why) { return sim_.network().counters().Dropped(why); }

  ScriptedNode server_node_;
  ScriptedNode a_;
  ScriptedNode b_;
  Simulation sim_{1};
  Host& server_ = sim_.AddServer();
  SocketAddress server_address_{server_.ip4(), 3478};
};

TEST_F(NetworkTest, ADatagramTakesTheSumOfTheDelays) {
  Host& host = sim_.AddSite(SiteKind::kEimApdf, {.delay = milliseconds(20)}).AddHost();
  server_.link().SetDelay(milliseconds(5));
  host.link().SetDelay(milliseconds(1));
  host.Attach(a_);

  Send(host, a_, server_address_, "hello");

  ASSERT_EQ(server_node_.received.size(), 1U);
  EXPECT_EQ(server_node_.received[0].at, Simulation::kStart + milliseconds(26));
  EXPECT_EQ(server_node_.received[0].payload, "hello");
  EXPECT_EQ(server_node_.received[0].local, server_address_);
}

TEST_F(NetworkTest, AnAnswerComesBackThroughTheNat) {
  Site& site = sim_.AddSite(SiteKind::kSymmetric);
  Host& host = site.AddHost();
  host.Attach(a_);
  Send(host, a_, server_address_);
  const SocketAddress seen = server_node_.received.at(0).remote;

  server_node_.Send(server_address_, seen, "answer");
  server_.Poke();
  sim_.RunFor(seconds(1));

  EXPECT_EQ(seen.ip, site.public_ip());
  ASSERT_EQ(a_.received.size(), 1U);
  EXPECT_EQ(a_.received[0].local, (SocketAddress{host.ip4(), kPort}));
  EXPECT_EQ(a_.received[0].remote, server_address_);
}

TEST_F(NetworkTest, ACarriersCustomerIsTranslatedTwice) {
  Site& site = sim_.AddSite(SiteKind::kCgnatEim);
  Host& host = site.AddHost();
  host.Attach(a_);

  Send(host, a_, server_address_);

  EXPECT_EQ(ToString(*site.gateway().outside()), "100.64.1.1");
  EXPECT_EQ(server_node_.received.at(0).remote.ip, site.carrier()->gateway().outside());
  EXPECT_EQ(site.public_ip(), site.carrier()->gateway().outside());
}

TEST_F(NetworkTest, CustomersOfOneCarrierReachEachOtherInsideIt) {
  Carrier& carrier = sim_.AddCarrier();
  Site& site_a = sim_.AddSite(SiteKind::kEimApdf, {.carrier = &carrier});
  Site& site_b = sim_.AddSite(SiteKind::kEimEif, {.carrier = &carrier});
  Host& host_a = site_a.AddHost();
  Host& host_b = site_b.AddHost();
  host_a.Attach(a_);
  host_b.Attach(b_);
  Send(host_b, b_, server_address_);  // Opens its NAT.

  Send(host_a, a_, {*site_b.gateway().outside(), kPort});

  ASSERT_EQ(b_.received.size(), 1U);
  EXPECT_EQ(b_.received[0].remote.ip, site_a.gateway().outside());
}

TEST_F(NetworkTest, ANatForgetsWhatWasSilentTooLong) {
  Site& site = sim_.AddSite(SiteKind::kEimEif, {.udp_timeout = seconds(20)});
  Host& host = site.AddHost();
  host.Attach(a_);
  Send(host, a_, server_address_);
  const SocketAddress seen = server_node_.received.at(0).remote;
  sim_.RunFor(seconds(20));

  server_node_.Send(server_address_, seen, "late");
  server_.Poke();
  sim_.RunFor(seconds(1));

  EXPECT_TRUE(a_.received.empty());
  EXPECT_EQ(Dropped(Drop::kUnasked), 1U);
}

TEST_F(NetworkTest, ARebootedNatHasAnotherAddressAndNoMappings) {
  Site& site = sim_.AddSite(SiteKind::kEimEif);
  Host& host = site.AddHost();
  host.Attach(a_);
  Send(host, a_, server_address_);
  const SocketAddress before = server_node_.received.at(0).remote;

  site.Reboot();
  server_node_.Send(server_address_, before, "to the old address");
  server_.Poke();
  sim_.RunFor(seconds(1));
  EXPECT_TRUE(a_.received.empty());

  Send(host, a_, server_address_);
  EXPECT_NE(server_node_.received.at(1).remote.ip, before.ip);
  EXPECT_EQ(server_node_.received.at(1).remote.ip, site.public_ip());
}

TEST_F(NetworkTest, AnIpv6FirewallIsOpenedFromInside) {
  Host& closed = sim_.AddSite(SiteKind::kFwOnlyIpv6).AddHost();
  Host& open = sim_.AddSite(SiteKind::kIpv6Only).AddHost();
  closed.Attach(a_);
  open.Attach(b_);

  Send(open, b_, {closed.ip6(), kPort}, "unasked");
  EXPECT_TRUE(a_.received.empty());
  EXPECT_EQ(Dropped(Drop::kUnasked), 1U);

  Send(closed, a_, {open.ip6(), kPort});
  Send(open, b_, {closed.ip6(), kPort}, "answer");
  ASSERT_EQ(a_.received.size(), 1U);
  EXPECT_EQ(a_.received[0].payload, "answer");
}

TEST_F(NetworkTest, APrivateAddressLeadsNowhereFromOutside) {
  Host& host = sim_.AddSite(SiteKind::kNone).AddHost();
  Host& hidden = sim_.AddSite(SiteKind::kEimEif).AddHost();
  host.Attach(a_);

  Send(host, a_, {hidden.ip4(), kPort});

  EXPECT_EQ(Dropped(Drop::kNoRoute), 1U);
}

TEST_F(NetworkTest, NeighboursTalkWithoutTheRouter) {
  Site& site = sim_.AddSite(SiteKind::kUdpBlocked);
  Host& host = site.AddHost();
  Host& neighbour = site.AddHost();
  host.Attach(a_);
  neighbour.Attach(b_);
  site.link().Cut();

  Send(host, a_, {neighbour.ip4(), kPort});

  EXPECT_EQ(b_.received.size(), 1U);
}

TEST_F(NetworkTest, TheSeventeenthLanHasTheNumbersOfTheFirst) {
  Host& first = sim_.AddSite(SiteKind::kEimApdf).AddHost();
  for (int i = 0; i < 15; ++i) {
    sim_.AddSite(SiteKind::kEimApdf);
  }

  EXPECT_EQ(sim_.AddSite(SiteKind::kEimApdf).AddHost().ip4(), first.ip4());
}

TEST_F(NetworkTest, UdpIsDroppedWhereItIsBlocked) {
  Host& host = sim_.AddSite(SiteKind::kUdpBlocked).AddHost();
  host.Attach(a_);

  Send(host, a_, server_address_);

  EXPECT_TRUE(server_node_.received.empty());
  EXPECT_EQ(Dropped(Drop::kEgress), 1U);
}

TEST_F(NetworkTest, BlockRulesHoldUntilTheyAreLifted) {
  Site& site = sim_.AddSite(SiteKind::kEimApdf);
  Host& host = site.AddHost();
  host.Attach(a_);

  site.Block(BlockFar({.ip = server_address_.ip}));
  Send(host, a_, server_address_);
  EXPECT_EQ(Dropped(Drop::kBlocked), 1U);

  site.Unblock();
  sim_.network().Block(BlockFar({.port = server_address_.port}));
  Send(host, a_, server_address_);
  EXPECT_EQ(Dropped(Drop::kBlocked), 2U);

  sim_.network().Unblock();
  Send(host, a_, server_address_);
  EXPECT_EQ(server_node_.received.size(), 1U);
}

TEST_F(NetworkTest, ADuplicateArrivesTwice) {
  Host& host = sim_.AddSite(SiteKind::kNone).AddHost();
  host.Attach(a_);
  host.link().up.settings.duplicate = 1;

  Send(host, a_, server_address_, "twice");

  ASSERT_EQ(server_node_.received.size(), 2U);
  EXPECT_EQ(server_node_.received[1].payload, "twice");
}

TEST_F(NetworkTest, NobodyAnswersForAHostWithoutANode) {
  Host& host = sim_.AddSite(SiteKind::kNone).AddHost();
  host.Attach(a_);
  server_.Detach();

  Send(host, a_, server_address_);

  EXPECT_EQ(Dropped(Drop::kNoReceiver), 1U);
}

class PublicPackets final : public PacketObserver {
 public:
  std::vector<std::string> sources;
  std::vector<std::string> payloads;

  void HandlePacket(const PacketRecord& record) override {
    if (record.event == PacketEvent::kPublic) {
      sources.push_back(ToString(record.flow.from.ip));
      payloads.emplace_back(AsText(record.payload));
    }
  }
};

TEST_F(NetworkTest, AnObserverSeesWhatCrossesTheInternet) {
  PublicPackets observed;
  sim_.network().Observe(observed);
  Site& site = sim_.AddSite(SiteKind::kCgnat);
  Host& host = site.AddHost();
  Host& neighbour = site.AddHost();
  host.Attach(a_);
  neighbour.Attach(b_);

  Send(host, a_, {neighbour.ip4(), kPort}, "within the LAN");
  Send(host, a_, server_address_, "outside");

  EXPECT_EQ(observed.payloads, std::vector<std::string>{"outside"});
  EXPECT_EQ(observed.sources, std::vector<std::string>{ToString(*site.public_ip())});
}

TEST_F(NetworkTest, TheTraceSaysWhatHappenedToEachPacket) {
  TextTrace trace;
  sim_.network().Observe(trace);
  Host& host = sim_.AddSite(SiteKind::kNone, {.delay = milliseconds(20)}).AddHost();
  host.Attach(a_);

  Send(host, a_, server_address_, std::string_view("\x01\x00\x00\x00", 4));
  Send(host, a_, {IpAddress::V4(198, 51, 100, 99), 1}, "x");

  EXPECT_EQ(trace.text(),
            "3600.000000 sent 203.0.113.130:5000 > 198.51.100.10:3478 wg-initiation 4\n"
            "3600.020000 public 203.0.113.130:5000 > 198.51.100.10:3478 wg-initiation 4\n"
            "3600.020000 delivered 203.0.113.130:5000 > 198.51.100.10:3478 wg-initiation 4\n"
            "3601.000000 sent 203.0.113.130:5000 > 198.51.100.99:1 other 1\n"
            "3601.020000 public 203.0.113.130:5000 > 198.51.100.99:1 other 1\n"
            "3601.020000 dropped (no route) 203.0.113.130:5000 > 198.51.100.99:1 other 1\n");
}

TEST(TextTraceTest, KnowsTheKindsOfDesign) {
  const auto kind = [](std::vector<std::uint8_t> head) {
    head.resize(20);
    return KindOf(head);
  };
  EXPECT_EQ(kind({0x00, 0x01, 0, 0, 0x21, 0x12, 0xA4, 0x42}), "stun-request");
  EXPECT_EQ(kind({0x00, 0x16, 0, 0, 0x21, 0x12, 0xA4, 0x42}), "stun-indication");
  EXPECT_EQ(kind({0x01, 0x01, 0, 0, 0x21, 0x12, 0xA4, 0x42}), "stun-success");
  EXPECT_EQ(kind({0x01, 0x11, 0, 0, 0x21, 0x12, 0xA4, 0x42}), "stun-error");
  EXPECT_EQ(kind({0x00, 0x01, 0, 0, 0x21, 0x12, 0xA4, 0x43}), "other");
  EXPECT_EQ(kind({0x40, 0x00, 0, 4}), "channel-data");
  EXPECT_EQ(kind({0x50, 0x00, 0, 4}), "other");
  EXPECT_EQ(kind({2, 0, 0, 0}), "wg-response");
  EXPECT_EQ(kind({3, 0, 0, 0}), "wg-cookie");
  EXPECT_EQ(kind({4, 0, 0, 0}), "wg-data");
  EXPECT_EQ(kind({5, 0, 0, 0}), "other");
  EXPECT_EQ(KindOf({}), "other");
}

}  // namespace
}  // namespace floe::sim
