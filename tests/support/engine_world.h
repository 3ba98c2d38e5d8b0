// Two whole engines, a rendezvous and a relay in one process, for whoever plays the network between
// them. Engine a is the one under test; b, the rendezvous and the relay are what they claim
// to be, and lend their keys to forgeries.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "app/floed/engine/engine.h"
#include "base/check.h"
#include "ice/candidate.h"
#include "ice/turn/server.h"
#include "signaling/hub.h"
#include "signaling/message.h"
#include "signaling/protocol.h"
#include "signaling/websocket.h"
#include "tests/support/fake_random.h"
#include "tunnel/ip_packet.h"

namespace floe::test {

inline const SocketAddress kAddressA{IpAddress::V4(203, 0, 113, 1), 41820};
inline const SocketAddress kAddressB{IpAddress::V4(192, 0, 2, 2), 41820};
inline const SocketAddress kDevice{IpAddress::V4(192, 0, 2, 3), 51820};  // Plain WireGuard.
inline const SocketAddress kRelay{IpAddress::V4(198, 51, 100, 11), 3478};

/// Whether a and b reach each other without the relay.
enum class Direct : std::uint8_t { kOpen, kBlocked };

class EngineWorld {
 public:
  struct Packet {
    SocketAddress from;
    SocketAddress to;
    std::vector<std::uint8_t> bytes;
  };

  struct Node {
    std::unique_ptr<engine::Engine> engine;
    SocketAddress address;
    PublicKey key;
    bool wants_stream = false;
    std::optional<signaling::ConnectionId> stream;
    std::vector<std::uint8_t> to_hub;
    std::vector<std::uint8_t> to_node;
  };

  explicit EngineWorld(Direct direct) : direct_(direct) {
    key_b_ = GeneratePrivateKey(random_);
    PrivateKey key_a = GeneratePrivateKey(random_);
    const PublicKey device = DerivePublicKey(GeneratePrivateKey(random_));
    a_.key = DerivePublicKey(key_a);
    b_.key = DerivePublicKey(key_b_);
    a_.address = kAddressA;
    b_.address = kAddressB;
    box_ = signaling::PeerBox::Make(key_b_, b_.key, a_.key);
    Make(a_, std::move(key_a), 1, b_.key, &device);
    Make(b_, key_b_.Clone(), 2, a_.key, nullptr);
    a_.engine->SetEndpoint(now_, 1, {kDevice});
    for (Node* node : {&a_, &b_}) {
      node->engine->SetLocalAddresses(now_, {node->address});
      node->engine->SetOfferedServers(now_, 0, MakeServers());
      node->engine->Start(now_);
    }
    Drain();
  }

  /// What is never to arrive, for a test to say.
  std::function<bool(const Packet&)> lose = [](const Packet&) { return false; };

  [[nodiscard]] TimePoint now() const { return now_; }

  [[nodiscard]] FakeRandom& random() { return random_; }

  [[nodiscard]] Node& a() { return a_; }

  [[nodiscard]] Node& b() { return b_; }

  /// Seals what b would say to a.
  [[nodiscard]] const signaling::PeerBox& box() const { return *box_; }

  /// What is under way, oldest first.
  [[nodiscard]] std::deque<Packet>& packets() { return packets_; }

  /// Takes what everybody has to say. Bounded: no input makes anybody talk for ever.
  void Drain() {
    for (int rounds = 0; DrainOnce(); ++rounds) {
      FLOE_CHECK(rounds < 100);
    }
  }

  /// What is under way arrives, and what is said to it, up to `rounds` times.
  void Deliver(int rounds) {
    for (; rounds > 0; --rounds) {
      CarryStreams();
      Drain();
      for (Packet& packet : std::exchange(packets_, {})) {
        Receive(packet);
        Drain();
      }
    }
  }

  void Receive(const Packet& packet) {
    if (packet.to.transport == Transport::kTcp) {
      ReceiveTcp(packet);
      return;
    }
    if (packet.to == kAddressA) {
      a_.engine->HandleDatagram(now_, packet.to, packet.from, packet.bytes);
    } else if (packet.to == kAddressB) {
      b_.engine->HandleDatagram(now_, packet.to, packet.from, packet.bytes);
    } else if (packet.to == kRelay) {
      relay_.HandleDatagram(now_, packet.from, packet.to, packet.bytes);
    } else if (packet.to.ip == kRelay.ip) {
      relay_.HandleRelayed(now_, packet.to, packet.from, packet.bytes);
    }
  }

  /// Each connects at most once to the other, from the same port.
  void ReceiveTcp(const Packet& packet) {
    constexpr std::uint16_t kFrom = 50'000;
    Packet seen = packet;
    if (seen.from.port == ice::kActivePort) {
      seen.from.port = kFrom;
    }
    if (seen.to.port == kFrom) {
      seen.to.port = ice::kActivePort;
    }
    Node& node = seen.to.ip == kAddressA.ip ? a_ : b_;
    node.engine->HandleDatagram(now_, seen.to, seen.from, seen.bytes);
  }

  void CarryStreams() {
    for (Node* node : {&a_, &b_}) {
      if (std::exchange(node->wants_stream, false)) {
        node->stream = next_connection_++;
        hub_.HandleOpened(now_, *node->stream, node->address);
        node->engine->HandleStreamOpened(now_, 0);
        Drain();
      }
      if (node->stream) {
        hub_.HandleBytes(now_, *node->stream, std::exchange(node->to_hub, {}));
        Drain();
      }
      if (node->stream) {
        node->engine->HandleStreamBytes(now_, 0, std::exchange(node->to_node, {}));
        Drain();
      }
    }
  }

  /// Through the rendezvous, as if b had said it.
  void SayToA(const signaling::Message& message) {
    const auto box = box_->Seal(message, random_);
    FLOE_CHECK(box && a_.stream);
    const auto frame =
        SerializeFrame(signaling::Opcode::kText,
                       AsBytes(Serialize(signaling::ReceivedBox{.from = b_.key, .box = *box})));
    a_.to_node.insert(a_.to_node.end(), frame.begin(), frame.end());
    CarryStreams();
  }

  /// Time jumps, as for a machine that was too busy or asleep.
  void Jump(Duration time) {
    now_ += time;
    Wake();
  }

  /// Time passes, and what is sent meanwhile arrives at once.
  void Run(Duration time) {
    const TimePoint end = now_ + time;
    Deliver(4);
    for (int wakes = 0; wakes < 400; ++wakes) {
      const auto next = NextTimeout();
      if (!next || *next > end) {
        break;
      }
      now_ = std::max(now_, *next);
      Wake();
      Deliver(4);
    }
    now_ = end;
  }

  /// The stream of a node breaks.
  void Break(Node& node) {
    if (const auto id = std::exchange(node.stream, std::nullopt)) {
      hub_.HandleClosed(now_, *id);
    }
    node.wants_stream = false;
    node.engine->HandleStreamClosed(now_, 0, "broken");
  }

  [[nodiscard]] static engine::Servers MakeServers() {
    engine::Servers servers;
    servers.stun = {kRelay};
    servers.relays.push_back(
        {.address = kRelay, .username = "floe", .password = SecretString("relay password")});
    return servers;
  }

 private:
  /// Hands out nothing: the engines are given their servers, and their credentials stay good.
  class NoServers final : public signaling::WelcomeSource {
   public:
    [[nodiscard]] std::vector<std::string> StunUrls() override { return {}; }

    [[nodiscard]] std::vector<signaling::TurnCredentials> MakeTurn(
        const PublicKey& /*node*/) override {
      return {};
    }
  };

  static ice::turn::ServerConfig MakeRelayConfig() {
    ice::turn::ServerConfig config;
    config.auth.realm = "floe";
    config.auth.users.push_back({.name = "floe", .password = SecretString("relay password")});
    config.relay_ips = {kRelay.ip};
    return config;
  }

  void Make(Node& node, PrivateKey key, std::uint8_t number, const PublicKey& peer,
            const PublicKey* device) {
    engine::EngineConfig config{.name = "node",
                                .private_key = std::move(key),
                                .addresses = {IpAddress::V4(10, 71, 0, number)}};
    config.rendezvous.push_back({.secure = false, .host = "198.51.100.10", .port = 8080});
    const auto other = static_cast<std::uint8_t>(3 - number);
    config.peers.push_back(
        {.name = "peer", .key = peer, .allowed_ips = {{IpAddress::V4(10, 71, 0, other), 32}}});
    if (device != nullptr) {
      config.peers.push_back({.name = "device",
                              .key = *device,
                              .allowed_ips = {{IpAddress::V4(10, 71, 0, 9), 32}},
                              .is_static = true});
    }
    node.engine = std::make_unique<engine::Engine>(now_, std::chrono::seconds(1'800'000'000),
                                                   std::move(config), random_);
  }

  bool DrainOnce() {
    bool busy = false;
    for (Node* node : {&a_, &b_}) {
      busy = DrainNode(*node) || busy;
    }
    while (auto action = hub_.PollAction()) {
      busy = true;
      TakeHubAction(*action);
    }
    while (const auto action = relay_.PollAction()) {
      busy = true;
      if (const auto* open = std::get_if<ice::turn::OpenRelay>(&*action)) {
        relay_.HandleRelayOpened(now_, open->address);
      }
    }
    while (auto transmit = relay_.PollTransmit()) {
      Send({transmit->local, transmit->remote, std::move(transmit->payload)});
    }
    return busy;
  }

  bool DrainNode(Node& node) {
    bool busy = false;
    while (auto transmit = node.engine->PollTransmit()) {
      const bool any = transmit->local.port == 0;  // To a static peer, from wherever.
      Send({any ? node.address : transmit->local, transmit->remote, std::move(transmit->payload)});
    }
    while (auto action = node.engine->PollAction()) {
      busy = true;
      TakeAction(node, *action);
    }
    while (const auto packet = node.engine->PollPacket()) {
      CheckSource(node, *packet);
    }
    while (node.engine->PollNotice() || node.engine->PollPong()) {
    }
    return busy;
  }

  /// What comes out of the tunnel comes from the other node: nobody else has a key. Or it is said
  /// of what was too large to go in, wherever it was going.
  void CheckSource(const Node& node, Bytes packet) const {
    const auto ip = tunnel::IpPacketView::Parse(packet);
    const std::uint8_t other = &node == &a_ ? 2 : 1;
    constexpr std::size_t kProtocol = 9;
    const bool is_icmp = ip && ip->source().is_v4() && packet[kProtocol] == 1;
    FLOE_CHECK(is_icmp || (ip && ip->source() == IpAddress::V4(10, 71, 0, other)));
  }

  void TakeAction(Node& node, engine::Action& action) {
    if (std::holds_alternative<engine::OpenStream>(action)) {
      FLOE_CHECK(!node.stream);
      node.to_hub.clear();
      node.to_node.clear();
      node.wants_stream = true;
    } else if (auto* write = std::get_if<engine::WriteStream>(&action)) {
      FLOE_CHECK(node.stream.has_value());
      node.to_hub.insert(node.to_hub.end(), write->bytes.begin(), write->bytes.end());
    } else if (std::holds_alternative<engine::CloseStream>(action)) {
      node.wants_stream = false;
      if (const auto id = std::exchange(node.stream, std::nullopt)) {
        hub_.HandleBytes(now_, *id, std::exchange(node.to_hub, {}));
        hub_.HandleClosed(now_, *id);
      }
    }
  }

  void TakeHubAction(signaling::HubAction& action) {
    const auto* write = std::get_if<signaling::HubWrite>(&action);
    const signaling::ConnectionId id =
        write != nullptr ? write->id : std::get<signaling::HubClose>(action).id;
    for (Node* node : {&a_, &b_}) {
      if (node->stream != id) {
        continue;
      }
      if (write != nullptr) {
        hub_.HandleWritten(now_, id, write->bytes.size());
        node->to_node.insert(node->to_node.end(), write->bytes.begin(), write->bytes.end());
        return;
      }
      node->engine->HandleStreamBytes(now_, 0, std::exchange(node->to_node, {}));
      DrainNode(*node);
      if (node->stream == id) {
        node->stream.reset();
        node->engine->HandleStreamClosed(now_, 0, "closed");
      }
    }
  }

  void Send(Packet packet) {
    const bool is_direct = packet.from.ip != kRelay.ip && packet.to.ip != kRelay.ip;
    if ((is_direct && direct_ == Direct::kBlocked) || lose(packet)) {
      return;
    }
    if (packets_.size() < 256) {
      packets_.push_back(std::move(packet));
    }
  }

  void Wake() {
    hub_.HandleTimeout(now_);
    relay_.HandleTimeout(now_);
    for (Node* node : {&a_, &b_}) {
      for (int rounds = 0; node->engine->NextTimeout() && *node->engine->NextTimeout() <= now_;
           ++rounds) {
        FLOE_CHECK(rounds < 100);  // It must let us sleep at last.
        node->engine->HandleTimeout(now_);
        DrainNode(*node);
      }
    }
    Drain();
  }

  [[nodiscard]] std::optional<TimePoint> NextTimeout() const {
    std::optional<TimePoint> next;
    for (const auto& time : {a_.engine->NextTimeout(), b_.engine->NextTimeout(), hub_.NextTimeout(),
                             relay_.NextTimeout()}) {
      if (time && (!next || *time < *next)) {
        next = time;
      }
    }
    return next;
  }

  Direct direct_;
  TimePoint now_{std::chrono::hours(1)};
  FakeRandom random_;
  NoServers no_servers_;
  signaling::Hub hub_{{}, no_servers_, random_};
  ice::turn::Server relay_{MakeRelayConfig(), random_};
  PrivateKey key_b_;
  std::optional<signaling::PeerBox> box_;
  Node a_;
  Node b_;
  signaling::ConnectionId next_connection_ = 1;
  std::deque<Packet> packets_;
};

}  // namespace floe::test
