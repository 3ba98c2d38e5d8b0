// Which peers a verb is about, and whether they are as asked.

#pragma once

#include <string>
#include <vector>

#include "app/control/status.h"
#include "app/floe/command_line.h"
#include "base/result.h"

namespace floe::cli {

/// `status` with only the peers named, in that order; with all of them if none is named. Fails with
/// the first name that no peer has.
[[nodiscard]] Result<control::Status, std::string> Select(control::Status status,
                                                          const std::vector<std::string>& names);

[[nodiscard]] bool IsUp(const control::PeerStatus& peer);
/// Up, over a direct path.
[[nodiscard]] bool IsDirect(const control::PeerStatus& peer);

/// Whether the answer to `check` is yes. `selected` comes from Select(); `named` says whether the
/// user named peers, as readiness does not depend on peers nobody asked for.
[[nodiscard]] bool Passes(const control::Status& selected, Check check, bool named);

}  // namespace floe::cli
