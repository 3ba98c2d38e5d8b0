// A decimal number out of a text that must hold nothing else.

#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

namespace floe {

/// The whole of `text` as a number of at most `max`. No sign, no white space.
[[nodiscard]] inline std::optional<std::uint32_t> ParseNumber(std::string_view text,
                                                              std::uint32_t max) {
  std::uint32_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc{} || stop != end || value > max) {
    return std::nullopt;
  }
  return value;
}

}  // namespace floe
