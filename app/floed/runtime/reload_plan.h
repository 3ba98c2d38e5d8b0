// What has to be done to get from one configuration to another while the daemon runs.

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "app/config/config.h"

namespace floe::daemon {

/// Peers are the same if their keys are, rendezvous servers if their URLs are.
struct ReloadPlan {
  /// For each peer after: its place among those before, if it was there. So for the servers.
  std::vector<std::optional<std::size_t>> peers;
  std::vector<std::optional<std::size_t>> rendezvous;

  std::vector<std::size_t> added;    // Places among the peers after...
  std::vector<std::size_t> changed;  // ...too...
  std::vector<std::size_t> removed;  // ...and among those before.
  std::vector<std::size_t> removed_rendezvous;

  bool servers = false;               // STUN servers or relays are others.
  std::vector<std::string> settings;  // The keys that differ and can be changed: "log.level".
  std::vector<std::string> fixed;     // Those that cannot, without a restart.
};

[[nodiscard]] ReloadPlan MakeReloadPlan(const config::Config& before, const config::Config& after);

}  // namespace floe::daemon
