// Clients, one server and some peers on a network that is not there. For tests alone.

#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <gtest/gtest.h>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
#include "ice/turn/client.h"
#include "ice/turn/server.h"
#include "tests/support/fake_random.h"

namespace floe::ice::turn::test {

using floe::test::FakeRandom;

inline const SocketAddress kServer = *ParseSocketAddress("198.51.100.1:3478");
inline const SocketAddress kAlice = *ParseSocketAddress("203.0.113.1:41820");
inline const SocketAddress kBob = *ParseSocketAddress("203.0.113.2:41820");
inline const SocketAddress kPeer = *ParseSocketAddress("192.0.2.7:7000");
inline constexpr Duration kLatency = std::chrono::milliseconds(10);  // one way

inline std::string Text(Bytes bytes) {
  return std::string(AsText(bytes));
}

struct Datagram {
  SocketAddress from;
  SocketAddress to;
  std::vector<std::uint8_t> payload;
};

/// A client, and what has come out of it.
struct Node {
  Client client;
  std::vector<ClientEvent> events;
  std::vector<std::pair<SocketAddress, std::string>> data;

  [[nodiscard]] const Lost* lost() const {
    return events.empty() ? nullptr : std::get_if<Lost>(&events.back());
  }
};

inline ServerConfig MakeServerConfig() {
  ServerConfig config;
  config.auth.realm = "floe";
  config.auth.users.push_back({.name = "alice", .password = SecretString("wonderland")});
  config.auth.users.push_back({.name = "bob", .password = SecretString("builder")});
  config.relay_ips = {*ParseIpAddress("198.51.100.1"), *ParseIpAddress("2001:db8::1")};
  return config;
}

inline ClientConfig MakeClientConfig(const SocketAddress& local = kAlice,
                                     IpFamily family = IpFamily::kIpv4) {
  return {.local = local,
          .server = kServer,
          .username = "alice",
          .password = SecretString("wonderland"),
          .family = family};
}

class Network {
 public:
  explicit Network(ServerConfig config = MakeServerConfig()) { Restart(std::move(config)); }

  /// A server that remembers nothing takes the place of the one before.
  void Restart(ServerConfig config = MakeServerConfig()) {
    server = std::make_unique<Server>(std::move(config), random);
    relays.clear();
  }

  Node& Add(ClientConfig config = MakeClientConfig()) {
    nodes.push_back(Node{.client = Client(now, std::move(config), random)});
    Drain();
    return nodes.back();
  }

  /// Takes what everybody has to send and say. To be called after an input.
  void Drain() {
    for (Node& node : nodes) {
      while (auto payload = node.client.PollTransmit()) {
        const auto moved = nat.find(node.client.local());
        const SocketAddress from = moved == nat.end() ? node.client.local() : moved->second;
        Post({.from = from, .to = node.client.server(), .payload = *std::move(payload)});
      }
      while (auto event = node.client.PollEvent()) {
        node.events.push_back(*event);
      }
    }
    while (auto action = server->PollAction()) {
      Act(*action);
    }
    while (auto transmit = server->PollTransmit()) {
      Post({.from = transmit->local,
            .to = transmit->remote,
            .payload = std::move(transmit->payload)});
    }
  }

  /// Lets time pass, and everything happen that happens in it.
  void Run(Duration duration) {
    const TimePoint end = now + duration;
    int idle_rounds = 0;
    while (true) {
      Drain();
      const auto next = NextEvent();
      if (!next || *next > end) {
        break;
      }
      idle_rounds = *next > now ? 0 : idle_rounds + 1;
      ASSERT_LT(idle_rounds, 1000) << "somebody wants to be woken for ever without moving on";
      now = std::max(now, *next);
      Step();
    }
    now = end;
  }

  void RunMs(std::int64_t milliseconds) { Run(std::chrono::milliseconds(milliseconds)); }

  /// A peer sends to a relayed address.
  void FromPeer(const SocketAddress& peer, const SocketAddress& relayed, std::string_view text) {
    const Bytes bytes = AsBytes(text);
    Post({.from = peer, .to = relayed, .payload = {bytes.begin(), bytes.end()}});
  }

  TimePoint now = TimePoint{} + std::chrono::hours(1);
  FakeRandom random;
  std::unique_ptr<Server> server;
  std::list<Node> nodes;
  /// Local addresses whose NAT shows another one.
  std::map<SocketAddress, SocketAddress> nat;
  /// Relayed addresses with an open socket, and ports that cannot be opened.
  std::set<SocketAddress> relays;
  std::set<std::uint16_t> taken_ports;
  bool open_relays = true;
  /// What to lose, and how many of each to deliver.
  std::function<bool(const Datagram&)> loses = [](const Datagram&) { return false; };
  int copies = 1;
  /// What has arrived at addresses that are neither the server's nor a client's.
  std::vector<Datagram> peers_got;
  /// Everything the clients have sent.
  std::vector<Datagram> sent_to_server;

 private:
  void Post(Datagram datagram) {
    if (datagram.to == kServer) {
      sent_to_server.push_back(datagram);
    }
    if (loses(datagram)) {
      return;
    }
    for (int i = 0; i < copies; ++i) {
      in_flight_.emplace(now + kLatency, datagram);
    }
  }

  void Act(const ServerAction& action) {
    if (const auto* open = std::get_if<OpenRelay>(&action)) {
      if (!open_relays) {
        return;
      }
      if (taken_ports.contains(open->address.port)) {
        server->HandleRelayFailed(now, open->address);
      } else {
        relays.insert(open->address);
        server->HandleRelayOpened(now, open->address);
      }
      return;
    }
    relays.erase(std::get<CloseRelay>(action).address);
  }

  [[nodiscard]] std::optional<TimePoint> NextEvent() const {
    std::optional<TimePoint> next = server->NextTimeout();
    const auto consider = [&next](std::optional<TimePoint> at) {
      if (at && (!next || *at < *next)) {
        next = at;
      }
    };
    for (const Node& node : nodes) {
      consider(node.client.NextTimeout());
    }
    if (!in_flight_.empty()) {
      consider(in_flight_.begin()->first);
    }
    return next;
  }

  void Step() {
    if (!in_flight_.empty() && in_flight_.begin()->first <= now) {
      const Datagram datagram = std::move(in_flight_.begin()->second);
      in_flight_.erase(in_flight_.begin());
      Deliver(datagram);
      return;
    }
    server->HandleTimeout(now);
    for (Node& node : nodes) {
      node.client.HandleTimeout(now);
    }
  }

  void Deliver(const Datagram& datagram) {
    if (datagram.to == kServer) {
      server->HandleDatagram(now, datagram.from, datagram.to, datagram.payload);
      return;
    }
    if (relays.contains(datagram.to)) {
      server->HandleRelayed(now, datagram.to, datagram.from, datagram.payload);
      return;
    }
    for (Node& node : nodes) {
      const auto moved = nat.find(node.client.local());
      const SocketAddress shown = moved == nat.end() ? node.client.local() : moved->second;
      if (datagram.from != kServer || datagram.to != shown) {
        continue;
      }
      const Client::Inbound inbound = node.client.HandleDatagram(now, datagram.payload);
      if (inbound.verdict == Client::Verdict::kData) {
        node.data.emplace_back(inbound.peer, Text(inbound.payload));
      }
      return;
    }
    peers_got.push_back(datagram);
  }

  std::multimap<TimePoint, Datagram> in_flight_;
};

}  // namespace floe::ice::turn::test
