// The timestamp of an initiation: later ones compare greater, byte by byte.
//
// Source: the WireGuard paper section 5.4.2, TAI64N (cr.yp.to/libtai/tai64.html).

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace floe::tunnel {

inline constexpr std::size_t kTai64nSize = 12;  // bytes: 8 of seconds, 4 of nanoseconds, big-endian

/// Compares as time does. All zero is earlier than any time since 1970.
using Tai64n = std::array<std::uint8_t, kTai64nSize>;

/// `unix_time` counts from 1970. TAI was 10 seconds ahead of UTC then; leap seconds since are left
/// out, as everybody does, because only the order matters.
[[nodiscard]] inline Tai64n ToTai64n(std::chrono::nanoseconds unix_time) {
  constexpr std::uint64_t kBase = (std::uint64_t{1} << 62U) + 10;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(unix_time);
  Tai64n stamp{};
  StoreBe<std::uint64_t>(stamp, 0, kBase + static_cast<std::uint64_t>(seconds.count()));
  StoreBe<std::uint32_t>(stamp, 8, static_cast<std::uint32_t>((unix_time - seconds).count()));
  return stamp;
}

}  // namespace floe::tunnel
