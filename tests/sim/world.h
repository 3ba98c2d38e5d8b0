// Two sites with a whole node each, and on the internet between them a rendezvous and a server for
// STUN and TURN: what most scenarios begin with.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/key.h"
#include "base/time.h"
#include "tests/sim/engine_node.h"
#include "tests/sim/host.h"
#include "tests/sim/rendezvous_node.h"
#include "tests/sim/simulation.h"
#include "tests/sim/site.h"
#include "tests/sim/stun_turn_node.h"

namespace floe::sim {

struct WorldOptions {
  std::uint64_t seed = 1;
  SiteKind a = SiteKind::kEimApdf;
  SiteKind b = SiteKind::kEimApdf;
  bool one_lan = false;                            // Both nodes at site a.
  Duration delay = std::chrono::milliseconds(10);  // One way, of each site's line.
  double loss = 0;                                 // Of each site's line, each way.
  bool relay = true;
  bool predict_a = false;  // Port prediction.
  bool predict_b = false;
  bool second_stun = false;         // What it takes to tell a hard NAT from an easy one.
  std::optional<NatOptions> nat_a;  // Instead of what the kind says.
};

class World {
 public:
  explicit World(const WorldOptions& options);

  [[nodiscard]] Simulation& sim() { return sim_; }

  [[nodiscard]] Site& site_a() { return *site_a_; }

  [[nodiscard]] Site& site_b() { return *site_b_; }

  [[nodiscard]] Host& host_a() { return *host_a_; }

  [[nodiscard]] Host& host_b() { return *host_b_; }

  [[nodiscard]] Host& rendezvous_host() { return *rendezvous_host_; }

  [[nodiscard]] Host& relay_host() { return *relay_host_; }

  [[nodiscard]] EngineNode& a() { return *a_; }

  [[nodiscard]] EngineNode& b() { return *b_; }

  void StartA();
  void StartB();
  /// The program ends without a word.
  void KillA();
  void KillB();
  void StartRendezvous();
  void KillRendezvous();

  /// Both ends have a session and a path; of this kind, if one is named.
  [[nodiscard]] bool Linked(std::optional<bool> direct = std::nullopt) const;

  /// Pings from a to b each `interval` until one is answered. False if none is before the deadline.
  [[nodiscard]] bool PingUntilAnswered(TimePoint deadline,
                                       Duration interval = std::chrono::milliseconds(100));

  /// Both ends in words, for the message of a test that failed.
  [[nodiscard]] std::string Describe() const;

  /// Runs until `done`. False if it takes longer than `limit`.
  template <typename Done>
  [[nodiscard]] bool Within(Duration limit, Done done) {
    return sim_.RunUntil(done, sim_.now() + limit);
  }

 private:
  [[nodiscard]] std::unique_ptr<EngineNode> MakeNode(const PrivateKey& own, const PublicKey& peer,
                                                     std::uint8_t number);

  WorldOptions options_;
  Simulation sim_;
  PrivateKey key_a_;
  PrivateKey key_b_;
  FixedWelcome welcome_;
  Host* rendezvous_host_ = nullptr;
  Host* relay_host_ = nullptr;
  Site* site_a_ = nullptr;
  Site* site_b_ = nullptr;
  Host* host_a_ = nullptr;
  Host* host_b_ = nullptr;
  std::unique_ptr<RendezvousNode> rendezvous_;
  std::unique_ptr<StunTurnNode> relay_;
  std::unique_ptr<StunTurnNode> stun_;
  std::unique_ptr<EngineNode> a_;
  std::unique_ptr<EngineNode> b_;
};

}  // namespace floe::sim
