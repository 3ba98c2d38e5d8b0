#include "tests/sim/stun_turn_node.h"

#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "ice/stun/message.h"
#include "ice/turn/client.h"
#include "tests/sim/scripted_node.h"
#include "tests/sim/simulation.h"

namespace floe::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint16_t kPort = 41820;

/// A TURN client on a host.
class TurnClientNode final : public Node {
 public:
  std::vector<std::string> received;
  std::vector<ice::turn::ClientEvent> events;

  TurnClientNode(Simulation& sim, const SocketAddress& local, const SocketAddress& server)
      : client_(sim.now(),
                {.local = local, .server = server, .username = "u", .password = SecretString("p")},
                sim.random()) {}

  [[nodiscard]] ice::turn::Client& client() { return client_; }

  void HandleDatagram(TimePoint now, const SocketAddress& /*local*/,
                      const SocketAddress& /*remote*/, Bytes datagram) override {
    const auto inbound = client_.HandleDatagram(now, datagram);
    if (inbound.verdict == ice::turn::Client::Verdict::kData) {
      received.emplace_back(AsText(inbound.payload));
    }
    Note();
  }

  void HandleTimeout(TimePoint now) override {
    client_.HandleTimeout(now);
    Note();
  }

  [[nodiscard]] std::optional<TimePoint> NextTimeout() const override {
    return client_.NextTimeout();
  }

  [[nodiscard]] std::optional<Transmit> PollTransmit() override {
    auto payload = client_.PollTransmit();
    if (!payload) {
      return std::nullopt;
    }
    return Transmit{
        .local = client_.local(), .remote = client_.server(), .payload = *std::move(payload)};
  }

 private:
  void Note() {
    while (auto event = client_.PollEvent()) {
      events.push_back(*std::move(event));
    }
  }

  ice::turn::Client client_;
};

class StunTurnNodeTest : public ::testing::Test {
 protected:
  StunTurnNodeTest() { server_.Attach(*node_); }

  [[nodiscard]] std::unique_ptr<StunTurnNode> MakeNode() {
    ice::turn::ServerConfig config;
    config.auth.realm = "floe";
    config.auth.users.push_back({.name = "u", .password = SecretString("p")});
    config.relay_ips = server_.addresses();
    return std::make_unique<StunTurnNode>(std::move(config), sim_.random());
  }

  [[nodiscard]] std::unique_ptr<TurnClientNode> Start(Host& host, const IpAddress& local,
                                                      const IpAddress& server) {
    auto client = std::make_unique<TurnClientNode>(sim_, SocketAddress{local, kPort},
                                                   SocketAddress{server, StunTurnNode::kPort});
    host.Attach(*client);
    return client;
  }

  Simulation sim_{11};
  Host& server_ = sim_.AddServer({.delay = milliseconds(5)});
  std::unique_ptr<StunTurnNode> node_ = MakeNode();
};

TEST_F(StunTurnNodeTest, AnswersABindingRequestWithThePublicAddress) {
  ScriptedNode client;
  Site& site = sim_.AddSite(SiteKind::kEimApdf);
  Host& host = site.AddHost();
  host.Attach(client);
  const auto request =
      ice::stun::Builder(ice::stun::Class::kRequest, ice::stun::Method::kBinding, {}).Take();

  client.Send({host.ip4(), kPort}, {server_.ip4(), StunTurnNode::kPort}, AsText(request));
  host.Poke();
  sim_.RunFor(seconds(1));

  ASSERT_EQ(client.received.size(), 1U);
  const auto answer = ice::stun::MessageView::Parse(AsBytes(client.received[0].payload));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->message_class(), ice::stun::Class::kSuccess);
  EXPECT_EQ(ice::stun::FindXorAddress(*answer, ice::stun::AttributeType::kXorMappedAddress),
            (SocketAddress{*site.public_ip(), kPort}));
}

TEST_F(StunTurnNodeTest, RelaysBetweenTwoHostsThatCannotReachEachOther) {
  Host& host_a = sim_.AddSite(SiteKind::kSymmetric, {.delay = milliseconds(20)}).AddHost();
  Host& host_b = sim_.AddSite(SiteKind::kIpv6Only, {.delay = milliseconds(30)}).AddHost();
  const auto a = Start(host_a, host_a.ip4(), server_.ip4());
  const auto b = Start(host_b, host_b.ip6(), server_.ip6());
  sim_.RunFor(seconds(1));
  ASSERT_TRUE(a->client().ready());
  ASSERT_TRUE(b->client().ready());

  b->client().Permit(sim_.now(), a->client().relayed().ip);
  host_b.Poke();
  sim_.RunFor(seconds(1));
  EXPECT_TRUE(a->client().Send(sim_.now(), b->client().relayed(), AsBytes("through two relays")));
  host_a.Poke();
  sim_.RunFor(seconds(1));

  EXPECT_EQ(b->received, std::vector<std::string>{"through two relays"});
}

TEST_F(StunTurnNodeTest, ARestartedServerHasForgottenItsAllocations) {
  Host& host = sim_.AddSite(SiteKind::kEimApdf).AddHost();
  const auto client = Start(host, host.ip4(), server_.ip4());
  sim_.RunFor(seconds(1));
  ASSERT_TRUE(client->client().ready());

  const auto successor = MakeNode();
  server_.Detach();
  server_.Attach(*successor);
  client->client().CheckNow(sim_.now());
  host.Poke();
  sim_.RunFor(seconds(1));

  ASSERT_FALSE(client->events.empty());
  EXPECT_TRUE(std::holds_alternative<ice::turn::Lost>(client->events.back()));
}

}  // namespace
}  // namespace floe::sim
