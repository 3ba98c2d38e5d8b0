// One node that knows many others, each of which knows only it: what a node with a thousand peers
// costs.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/key.h"
#include "base/time.h"
#include "tests/sim/engine_node.h"
#include "tests/sim/host.h"
#include "tests/sim/node.h"
#include "tests/sim/rendezvous_node.h"
#include "tests/sim/simulation.h"
#include "tests/sim/stun_turn_node.h"

namespace floe::sim {

/// An EngineNode whose heap is counted (tests/support/heap_count.h).
class CountedNode final : public Node {
 public:
  CountedNode(TimePoint now, std::chrono::nanoseconds unix_time, engine::EngineConfig config,
              RandomSource& random);
  ~CountedNode() override;

  void HandleDatagram(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                      Bytes datagram) override;
  void HandleTimeout(TimePoint now) override;
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const override;
  [[nodiscard]] std::optional<Transmit> PollTransmit() override;
  void HandleAddresses(TimePoint now, std::span<const IpAddress> addresses) override;
  void HandleStreamOpened(TimePoint now, StreamId id, const SocketAddress& remote) override;
  void HandleStreamBytes(TimePoint now, StreamId id, Bytes bytes) override;
  void HandleStreamClosed(TimePoint now, StreamId id) override;
  [[nodiscard]] std::optional<StreamAction> PollStream() override;

  [[nodiscard]] EngineNode& node() { return *node_; }

 private:
  std::unique_ptr<EngineNode> node_;
};

struct StarOptions {
  std::uint64_t seed = 1;
  std::size_t peers = 1;   // That the hub is configured with.
  std::size_t online = 0;  // Of them, those that run.
};

/// The hub has an IPv4 address behind a port-restricted NAT, a public IPv6 address, and a relay.
/// Each peer has two IPv4 addresses and one IPv6 address, all public, and the relay: to the hub
/// that is as many pairs as to a peer in a home.
class Star {
 public:
  explicit Star(const StarOptions& options);

  [[nodiscard]] Simulation& sim() { return sim_; }

  [[nodiscard]] EngineNode& hub() { return hub_->node(); }

  [[nodiscard]] Host& hub_host() { return *hub_host_; }

  [[nodiscard]] EngineNode& spoke(std::size_t index) { return *spokes_[index]; }

  [[nodiscard]] Host& spoke_host(std::size_t index) { return *spoke_hosts_[index]; }

  [[nodiscard]] const ice::turn::Server& relay() const { return relay_->server(); }

  /// How many peers the hub has a direct path to and a session with.
  [[nodiscard]] std::size_t linked();

  /// Bytes on the heap that are the hub's.
  [[nodiscard]] static std::size_t hub_heap();

 private:
  void AddSpoke(std::size_t index, const PublicKey& hub);

  [[nodiscard]] engine::EngineConfig MakeConfig(const PrivateKey& key, const IpAddress& address);

  Simulation sim_;
  FixedWelcome welcome_;
  Host* rendezvous_host_ = nullptr;
  std::unique_ptr<RendezvousNode> rendezvous_;
  std::unique_ptr<StunTurnNode> relay_;
  Host* hub_host_ = nullptr;
  std::unique_ptr<CountedNode> hub_;
  std::vector<PrivateKey> keys_;  // Of the spokes.
  std::vector<Host*> spoke_hosts_;
  std::vector<std::unique_ptr<EngineNode>> spokes_;
};

}  // namespace floe::sim
