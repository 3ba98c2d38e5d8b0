// What the engine knows, in the words of `floe status`.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/config/config.h"
#include "app/control/status.h"
#include "app/control/wall_time.h"
#include "app/floed/engine/engine.h"
#include "app/floed/runtime/packet_path.h"
#include "base/time.h"

namespace floe::daemon {

/// The wall clock at a point of the monotonic one.
struct WallClock {
  TimePoint at;
  control::WallTime wall;

  [[nodiscard]] control::WallTime At(TimePoint time) const;
};

struct ReportContext {
  const config::Config& config;
  const std::vector<engine::PeerId>& peers;         // Of those of `config`, in its order.
  const std::vector<engine::StreamId>& rendezvous;  // Likewise.
  WallClock clock;
  TimePoint now;
  TimePoint started;
  std::uint16_t listen_port = 0;
  std::vector<control::OffloadStatus> offloads;
  PathCounters path;
  std::uint64_t too_big = 0;  // Sends.
  std::string key_log;        // The file that keys are written to. Empty: none.
};

[[nodiscard]] control::Status MakeStatus(const engine::Engine& engine,
                                         const ReportContext& context);

/// The path of one peer, as in MakeStatus().
[[nodiscard]] control::PathStatus MakePathStatus(const engine::Engine& engine, engine::PeerId peer,
                                                 const ReportContext& context);

}  // namespace floe::daemon
