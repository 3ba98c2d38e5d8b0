// Nodes and one rendezvous server in virtual time, joined by streams in memory.

#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/key.h"
#include "signaling/client.h"
#include "signaling/hub.h"
#include "tests/support/fake_random.h"

namespace floe::test {

/// One TURN server for everybody; counts how often it was asked.
class FakeWelcomeSource final : public signaling::WelcomeSource {
 public:
  [[nodiscard]] std::vector<std::string> StunUrls() override { return {"stun:198.51.100.10:3478"}; }

  [[nodiscard]] std::vector<signaling::TurnCredentials> MakeTurn(const PublicKey& node) override {
    ++made;
    std::vector<signaling::TurnCredentials> turn;
    turn.push_back({{"turn:198.51.100.10:3478?transport=udp"},
                    ToString(node) + "/" + std::to_string(made),
                    SecretString("secret"),
                    std::chrono::seconds(3600)});
    return turn;
  }

  int made = 0;
};

class SignalingWorld {
  FakeRandom random_;  // Before what borrows it.

 public:
  /// What becomes of a node's streams.
  enum class Network { kUp, kRefuses, kBlackHole };

  struct Node {
    PrivateKey key;
    PublicKey public_key;
    std::unique_ptr<signaling::Client> client;
    Network network = Network::kUp;
    std::optional<signaling::ConnectionId> stream;  // The client's end, from Connect on.
    std::vector<signaling::ClientEvent> events;
    std::vector<TimePoint> connects;  // When it asked for a stream.

    /// The events of one kind.
    template <typename Event>
    [[nodiscard]] std::vector<const Event*> All() const {
      std::vector<const Event*> found;
      for (const signaling::ClientEvent& event : events) {
        if (const Event* one = std::get_if<Event>(&event)) {
          found.push_back(one);
        }
      }
      return found;
    }
  };

  static constexpr Duration kOneWay = std::chrono::milliseconds(10);

  SignalingWorld() : hub({}, source, random_) {}

  Node& AddNode() { return AddNode(GeneratePrivateKey(random_)); }

  Node& AddNode(PrivateKey key) {
    nodes_.push_back(std::make_unique<Node>());
    Node& node = *nodes_.back();
    node.key = std::move(key);
    node.public_key = DerivePublicKey(node.key);
    signaling::ClientConfig config{.url = signaling::ParseUrl("ws://198.51.100.10:8080").value()};
    node.client = std::make_unique<signaling::Client>(config, node.key, node.public_key, random_);
    return node;
  }

  /// A node that is logged in.
  Node& AddOnlineNode() {
    Node& node = AddNode();
    node.client->Start(now);
    Run(std::chrono::seconds(1));
    return node;
  }

  /// Lets time pass.
  void Run(Duration duration) {
    const TimePoint end = now + duration;
    Drain();
    while (true) {
      const std::optional<TimePoint> next = NextTimeout();
      if (!next || *next > end) {
        break;
      }
      now = std::max(now, *next);
      Step();
      Drain();
    }
    now = end;
  }

  FakeWelcomeSource source;
  signaling::Hub hub;
  TimePoint now{};

 private:
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const {
    std::optional<TimePoint> next = hub.NextTimeout();
    const auto include = [&next](std::optional<TimePoint> time) {
      if (time) {
        next = next ? std::min(*next, *time) : time;
      }
    };
    for (const auto& node : nodes_) {
      include(node->client->NextTimeout());
    }
    if (!due_.empty()) {
      include(due_.begin()->first);
    }
    return next;
  }

  void Step() {
    while (!due_.empty() && due_.begin()->first <= now) {
      const std::function<void()> deliver = std::move(due_.begin()->second);
      due_.erase(due_.begin());
      deliver();
      Drain();
    }
    hub.HandleTimeout(now);
    for (const auto& node : nodes_) {
      node->client->HandleTimeout(now);
    }
  }

  void Drain() {
    for (const auto& node : nodes_) {
      while (auto action = node->client->PollAction()) {
        std::visit([&](auto& one) { Act(*node, one); }, *action);
      }
      while (auto event = node->client->PollEvent()) {
        node->events.push_back(std::move(*event));
      }
    }
    while (auto action = hub.PollAction()) {
      std::visit([&](auto& one) { Act(one); }, *action);
    }
  }

  void Later(Duration delay, std::function<void()> what) {
    due_.emplace(now + delay, std::move(what));
  }

  void Act(Node& node, signaling::Connect& /*connect*/) {
    const signaling::ConnectionId id = ++last_stream_;
    node.stream = id;
    node.connects.push_back(now);
    if (node.network == Network::kBlackHole) {
      return;
    }
    const bool accepted = node.network == Network::kUp;
    if (accepted) {
      Later(kOneWay, [this, id] {
        hub.HandleOpened(now, id, {IpAddress::V4(203, 0, 113, 7), 4711});
        open_[id] = true;
      });
    }
    Later(2 * kOneWay, [this, &node, id, accepted] {
      if (node.stream != id) {
        return;
      }
      if (accepted) {
        node.client->HandleConnected(now);
      } else {
        node.stream.reset();
        node.client->HandleClosed(now, "connection refused");
      }
    });
  }

  void Act(Node& node, signaling::Write& write) {
    if (!node.stream || node.network == Network::kBlackHole) {
      return;
    }
    Later(kOneWay, [this, id = *node.stream, bytes = std::move(write.bytes)] {
      if (open_[id]) {
        hub.HandleBytes(now, id, bytes);
      }
    });
  }

  void Act(Node& node, signaling::Disconnect& /*disconnect*/) {
    const std::optional<signaling::ConnectionId> id = std::exchange(node.stream, std::nullopt);
    if (id && node.network != Network::kBlackHole) {
      Later(kOneWay, [this, id = *id] {
        if (std::exchange(open_[id], false)) {
          hub.HandleClosed(now, id);
        }
      });
    }
  }

  Node* Owner(signaling::ConnectionId id) {
    const auto found =
        std::ranges::find_if(nodes_, [id](const auto& node) { return node->stream == id; });
    const bool reachable = found != nodes_.end() && (*found)->network != Network::kBlackHole;
    return reachable ? found->get() : nullptr;
  }

  void Act(signaling::HubWrite& write) {
    hub.HandleWritten(now, write.id, write.bytes.size());
    Later(kOneWay, [this, id = write.id, bytes = std::move(write.bytes)] {
      if (Node* node = Owner(id)) {
        node->client->HandleBytes(now, bytes);
      }
    });
  }

  void Act(signaling::HubClose& close) {
    open_[close.id] = false;
    Later(kOneWay, [this, id = close.id] {
      if (Node* node = Owner(id)) {
        node->stream.reset();
        node->client->HandleClosed(now, "closed");
      }
    });
  }

  std::vector<std::unique_ptr<Node>> nodes_;
  std::multimap<TimePoint, std::function<void()>> due_;  // In the order in which they were added.
  std::map<signaling::ConnectionId, bool> open_;         // The server's ends.
  signaling::ConnectionId last_stream_ = 0;
};

}  // namespace floe::test
