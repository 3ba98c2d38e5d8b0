// Durations as people write them.

#pragma once

#include <optional>
#include <string_view>

#include "base/time.h"

namespace floe::config {

/// Parses "5" and "5s" (seconds), "200ms", "1m", "2h", each with an optional fraction ("0.2",
/// "1.5s"). Refuses signs, white space and anything above a year.
[[nodiscard]] std::optional<Duration> ParseDuration(std::string_view text);

}  // namespace floe::config
