// The life of a few nodes in a bad world: what happens to them is chosen by a seed or by a fuzzer,
// and what must hold all the same is checked after each event.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "tests/sim/choices.h"
#include "tests/sim/fleet.h"
#include "tests/sim/watch.h"

namespace floe::sim {

struct LifeOptions {
  std::size_t events = 12;  // At most.
  std::size_t sites = 6;    // From which nodes come, and to which they roam.
  std::size_t max_nodes = 3;
  bool tell = false;  // Prints each event as it comes.
};

/// Checks that
/// - every two nodes reach each other again within 45 s, and directly within 90 s more where the
///   theory of NATs says that there is a way (oracle.h), and both ends say so;
/// - what a Watch sees is as it must be;
/// - a check that was forged, cut or damaged on its way changes nothing and is not answered;
/// - candidates and pairs stay within their bounds;
/// - a node that stops says no more after a while.
class Life {
 public:
  /// `choices` must outlive it.
  Life(Choices& choices, const LifeOptions& options);

  /// Lives it. What went wrong and how it came to be, or nothing.
  [[nodiscard]] std::optional<std::string> Run();

 private:
  using Happening = void (Life::*)(std::size_t node);

  [[nodiscard]] static FleetOptions Draw(Choices& choices, const LifeOptions& options);
  [[nodiscard]] static std::set<IpAddress> ServersOf(Fleet& fleet);

  [[nodiscard]] std::size_t Below(std::size_t limit) { return choices_.Below(limit); }

  [[nodiscard]] bool failed() const { return failure_.has_value(); }

  void RunFor(Duration duration) { fleet_.sim().RunFor(duration); }

  void Note(const std::string& what);
  void Fail(const std::string& what, std::size_t a, std::size_t b);

  void HappenOnce();
  void Roam(std::size_t node);
  void RebootRouter(std::size_t node);
  void ForgetMappings(std::size_t node);
  void Restart(std::size_t node);
  void RestartRendezvous(std::size_t node);
  void RestartRelays(std::size_t node);
  void BlockDirect(std::size_t node);
  void CutOffServers(std::size_t node);
  void Suspend(std::size_t node);
  void DisturbLine(std::size_t node);
  void Readdress(std::size_t node);
  void UseAnotherInterface(std::size_t node);
  void Forge(std::size_t node);
  void Idle(std::size_t node);

  void ExpectAllLinked(const char* when, Duration within);
  void ExpectLinked(const char* when, std::size_t a, std::size_t b, Duration within);
  void ExpectDirectWherePossible(const char* when);
  void ExpectBounded();
  void ExpectSilenceAfterStop();

  /// A router that keeps ports has none to keep for a second machine on the same port, as long as
  /// it remembers the first: then its NAT is as good as symmetric.
  void NoteArrival(std::size_t site) { ++used_[site]; }

  [[nodiscard]] bool IsMuddled(std::size_t site) const { return used_[site] > 1; }

  [[nodiscard]] std::optional<IpAddress> OutsideOf(std::size_t site);

  [[nodiscard]] static std::string Name(std::size_t node) {
    return std::string(1, char('a' + node));
  }

  LifeOptions options_;
  Choices& choices_;
  Fleet fleet_;
  Watch watch_;
  std::string history_;
  std::optional<std::string> failure_;
  bool calm_ = true;       // The last event has been dealt with.
  bool blocked_ = false;   // Nothing can be direct.
  std::vector<int> used_;  // How many machines each site's router remembers at most.
};

}  // namespace floe::sim
