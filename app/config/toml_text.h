// Values as they are written in TOML.  Source: TOML 1.0.0.

#pragma once

#include <string>
#include <string_view>

namespace floe::config {

/// A basic string.
[[nodiscard]] std::string Quote(std::string_view text);

/// An array of what `write` makes strings of.
template <typename Items, typename Write>
[[nodiscard]] std::string QuoteList(const Items& items, Write write) {
  std::string text;
  for (const auto& item : items) {
    text += (text.empty() ? "" : ", ") + Quote(write(item));
  }
  return "[" + text + "]";
}

}  // namespace floe::config
