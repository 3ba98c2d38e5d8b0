#include "tests/sim/rendezvous_node.h"

#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/base64.h"
#include "base/key.h"
#include "signaling/client.h"
#include "signaling/url.h"
#include "tests/sim/simulation.h"

namespace floe::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A signaling client on a host, whose address it resolves by itself.
class SignalingNode final : public Node {
 public:
  std::vector<signaling::ClientEvent> events;

  SignalingNode(Simulation& sim, const SocketAddress& server)
      : server_(server),
        key_(GeneratePrivateKey(sim.random())),
        public_key_(DerivePublicKey(key_)),
        client_({.url = *signaling::ParseUrl("ws://" + ToString(server))}, key_, public_key_,
                sim.random()) {
    client_.Start(sim.now());
  }

  [[nodiscard]] signaling::Client& client() { return client_; }

  [[nodiscard]] const PublicKey& public_key() const { return public_key_; }

  /// The latest event of this type.
  template <typename T>
  [[nodiscard]] const T* Last() const {
    for (auto event = events.rbegin(); event != events.rend(); ++event) {
      if (const auto* found = std::get_if<T>(&*event)) {
        return found;
      }
    }
    return nullptr;
  }

  void HandleDatagram(TimePoint /*now*/, const SocketAddress& /*local*/,
                      const SocketAddress& /*remote*/, Bytes /*datagram*/) override {}

  void HandleTimeout(TimePoint now) override {
    client_.HandleTimeout(now);
    Note();
  }

  [[nodiscard]] std::optional<TimePoint> NextTimeout() const override {
    return client_.NextTimeout();
  }

  [[nodiscard]] std::optional<Transmit> PollTransmit() override { return std::nullopt; }

  void HandleStreamOpened(TimePoint now, StreamId /*id*/,
                          const SocketAddress& /*remote*/) override {
    client_.HandleConnected(now);
    Note();
  }

  void HandleStreamBytes(TimePoint now, StreamId /*id*/, Bytes bytes) override {
    client_.HandleBytes(now, bytes);
    Note();
  }

  void HandleStreamClosed(TimePoint now, StreamId /*id*/) override {
    client_.HandleClosed(now, "closed");
    Note();
  }

  [[nodiscard]] std::optional<StreamAction> PollStream() override {
    auto action = client_.PollAction();
    if (!action) {
      return std::nullopt;
    }
    if (std::holds_alternative<signaling::Connect>(*action)) {
      return OpenStream{.id = ++stream_, .remote = server_};
    }
    if (auto* write = std::get_if<signaling::Write>(&*action)) {
      return WriteStream{.id = stream_, .bytes = std::move(write->bytes)};
    }
    return CloseStream{.id = stream_};
  }

 private:
  void Note() {
    while (auto event = client_.PollEvent()) {
      events.push_back(*std::move(event));
    }
  }

  SocketAddress server_;
  PrivateKey key_;
  PublicKey public_key_;
  signaling::Client client_;
  StreamId stream_ = 0;
};

class RendezvousNodeTest : public ::testing::Test {
 protected:
  RendezvousNodeTest() {
    welcome_.stun = {"stun:198.51.100.20"};
    server_.Attach(*node_);
    a_host_.Attach(a_);
    b_host_.Attach(b_);
  }

  Simulation sim_{3};
  FixedWelcome welcome_;
  Host& server_ = sim_.AddServer({.delay = milliseconds(5)});
  SocketAddress address_{server_.ip4(), RendezvousNode::kPort};
  std::unique_ptr<RendezvousNode> node_ = std::make_unique<RendezvousNode>(welcome_, sim_.random());
  Site& a_site_ = sim_.AddSite(SiteKind::kUdpBlocked, {.delay = milliseconds(20)});
  Site& b_site_ = sim_.AddSite(SiteKind::kSymmetric, {.delay = milliseconds(30)});
  Host& a_host_ = a_site_.AddHost();
  Host& b_host_ = b_site_.AddHost();
  SignalingNode a_{sim_, address_};
  SignalingNode b_{sim_, address_};
};

TEST_F(RendezvousNodeTest, ANodeLogsInAndIsToldWhoItIs) {
  sim_.RunFor(seconds(2));

  ASSERT_NE(a_.Last<signaling::LoggedIn>(), nullptr);
  const signaling::Welcome& welcome = a_.Last<signaling::LoggedIn>()->welcome;
  EXPECT_EQ(welcome.you.ip, a_site_.public_ip());
  EXPECT_EQ(welcome.stun, welcome_.stun);
  EXPECT_TRUE(welcome.turn.empty());
}

TEST_F(RendezvousNodeTest, ABoxGoesFromOneNodeToTheOther) {
  sim_.RunFor(seconds(2));
  const std::string box = EncodeBase64(AsBytes("a box"));

  a_.client().Send(sim_.now(), b_.public_key(), box);
  a_host_.Poke();
  sim_.RunFor(seconds(1));

  const auto* received = b_.Last<signaling::Received>();
  ASSERT_NE(received, nullptr);
  EXPECT_EQ(received->from, a_.public_key());
  EXPECT_EQ(received->box, box);
}

TEST_F(RendezvousNodeTest, NodesComeBackToARestartedServer) {
  sim_.RunFor(seconds(2));
  RendezvousNode successor(welcome_, sim_.random());

  server_.Detach();
  server_.Attach(successor);
  sim_.RunFor(seconds(5));

  EXPECT_NE(a_.Last<signaling::LoggedOut>(), nullptr);
  EXPECT_EQ(successor.hub().online(), 2U);
}

TEST_F(RendezvousNodeTest, ACutLineIsNoticedByBothSides) {
  sim_.RunFor(seconds(2));
  ASSERT_EQ(node_->hub().online(), 2U);

  a_site_.link().Cut();
  sim_.RunFor(seconds(120));

  EXPECT_EQ(node_->hub().online(), 1U);
  EXPECT_NE(a_.Last<signaling::LoggedOut>(), nullptr);
}

}  // namespace
}  // namespace floe::sim
