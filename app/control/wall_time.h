// The time of day, for people and for JSON.  Source: RFC 3339 section 5.6.

#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace floe::control {

using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// "2026-11-23T07:20:17.123Z", always in UTC.
[[nodiscard]] std::string FormatRfc3339(WallTime time);

/// Reads what FormatRfc3339() writes, with or without the fraction. No other offset than Z.
[[nodiscard]] std::optional<WallTime> ParseRfc3339(std::string_view text);

}  // namespace floe::control
