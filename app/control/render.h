// Puts the status of a node into words and columns, for people.

#pragma once

#include <cstdint>
#include <string>

#include "app/control/reply.h"
#include "app/control/status.h"
#include "app/control/wall_time.h"
#include "base/time.h"

namespace floe::control {

enum class Detail : std::uint8_t {
  kTable,  // A line for each peer.
  kFull,   // A paragraph for each peer: `floe status -d`.
};

/// `now` is what ages are counted from. Characters that could move a terminal's cursor, which a
/// peer may have had a hand in, become '?'. Ends in a line feed.
[[nodiscard]] std::string RenderStatus(const Status& status, WallTime now, Detail detail);

/// "direct 203.0.113.7:41820 (srflx)", "relay 192.0.2.1:50012 (turn/tls)" or "-".
[[nodiscard]] std::string RenderPath(const PathStatus& path);

/// "1 peer added, 2 removed; log.level changed", or that nothing has.
[[nodiscard]] std::string RenderReload(const ReloadReply& reply);

// The pieces, as in "3d2h", "1.2 GiB", "0.4ms".
[[nodiscard]] std::string RenderAge(Duration age);
[[nodiscard]] std::string RenderBytes(std::uint64_t count);
[[nodiscard]] std::string RenderMilliseconds(double milliseconds);

}  // namespace floe::control
