// Several whole nodes that all know each other, each at one of several sites, with one or more
// rendezvous and relay servers between them: what long and random runs need. For two nodes and one
// event, world.h is simpler.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/key.h"
#include "base/time.h"
#include "tests/sim/engine_node.h"
#include "tests/sim/host.h"
#include "tests/sim/oracle.h"
#include "tests/sim/rendezvous_node.h"
#include "tests/sim/simulation.h"
#include "tests/sim/site.h"
#include "tests/sim/stun_turn_node.h"

namespace floe::sim {

struct FleetOptions {
  std::uint64_t seed = 1;
  std::vector<SiteKind> sites;  // Of which the first `nodes` begin with a node each.
  std::size_t nodes = 2;
  std::size_t rendezvous = 1;
  std::size_t relays = 1;
  double loss = 0;                                         // Of each site's line, each way.
  Duration udp_timeout = std::chrono::seconds(120);        // Of every NAT.
  Duration rendezvous_gap = std::chrono::milliseconds(0);  // One way, more for each that follows.
};

class Fleet {
 public:
  explicit Fleet(FleetOptions options);

  [[nodiscard]] Simulation& sim() { return sim_; }

  [[nodiscard]] std::size_t size() const { return members_.size(); }

  [[nodiscard]] Site& site(std::size_t index) { return *sites_[index]; }

  [[nodiscard]] std::size_t site_count() const { return sites_.size(); }

  [[nodiscard]] std::size_t rendezvous_count() const { return rendezvous_.size(); }

  [[nodiscard]] std::size_t relay_count() const { return relays_.size(); }

  [[nodiscard]] double loss() const { return options_.loss; }

  [[nodiscard]] Host& host(std::size_t node) { return *members_[node].host; }

  /// Of the rendezvous and relays, whether they run or not.
  [[nodiscard]] std::vector<Host*> servers() const;

  /// Requires that it runs.
  [[nodiscard]] EngineNode& node(std::size_t node) { return *members_[node].node; }

  /// Where a node is, by index.
  [[nodiscard]] std::size_t SiteOf(std::size_t node) const { return members_[node].site; }

  void Start(std::size_t node);
  /// The program ends without a word.
  void Kill(std::size_t node);
  void Roam(std::size_t node, std::size_t site);

  [[nodiscard]] bool runs(std::size_t node) const { return members_[node].node != nullptr; }

  void StartRendezvous(std::size_t index);
  void KillRendezvous(std::size_t index);
  void StartRelay(std::size_t index);
  void KillRelay(std::size_t index);

  /// The number under which one node knows another.
  [[nodiscard]] static engine::PeerId PeerOf(std::size_t node, std::size_t other) {
    return static_cast<engine::PeerId>(other < node ? other : other - 1);
  }

  /// Pings from one to another each `interval` until one is answered. False if none is in time.
  [[nodiscard]] bool PingUntilAnswered(std::size_t from, std::size_t to, TimePoint deadline,
                                       Duration interval = std::chrono::milliseconds(200));

  /// What both ends say of the path between two; nothing while either has none, or they differ.
  [[nodiscard]] std::optional<bool> IsDirect(std::size_t a, std::size_t b);

  /// What two nodes can reach at best where they are.
  [[nodiscard]] Best BestOf(std::size_t a, std::size_t b) const;

  [[nodiscard]] std::string Describe(std::size_t node);

 private:
  struct Member {
    PrivateKey key;
    Host* host = nullptr;
    std::unique_ptr<EngineNode> node;
    std::size_t site = 0;
  };

  struct Rendezvous {
    Host* host = nullptr;
    std::unique_ptr<RendezvousNode> node;
  };

  struct Relay {
    Host* host = nullptr;
    std::unique_ptr<StunTurnNode> node;
  };

  FleetOptions options_;
  Simulation sim_;
  FixedWelcome welcome_;
  std::vector<Site*> sites_;
  std::vector<Rendezvous> rendezvous_;
  std::vector<Relay> relays_;
  std::vector<Member> members_;
};

}  // namespace floe::sim
