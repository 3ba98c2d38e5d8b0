// What was dropped and why, in the words of `floe status`.

#pragma once

#include <vector>

#include "app/control/status.h"
#include "app/floed/engine/engine.h"
#include "app/floed/runtime/packet_path.h"
#include "tunnel/counters.h"

namespace floe::daemon {

/// Only what has been counted at all. The names are those of the fields.
[[nodiscard]] std::vector<control::DropStatus> ReportDrops(const tunnel::Counters& tunnel,
                                                           const engine::EngineCounters& engine,
                                                           const PathCounters& path);

}  // namespace floe::daemon
