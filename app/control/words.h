// Enumerators and the words that stand for them on the wire.

#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace floe::control {

template <typename T, std::size_t N>
using Words = std::array<std::pair<T, std::string_view>, N>;

template <typename T, std::size_t N>
[[nodiscard]] constexpr std::string_view WordFor(const Words<T, N>& words, T value) {
  for (const auto& [known, word] : words) {
    if (known == value) {
      return word;
    }
  }
  return "unknown";
}

template <typename T, std::size_t N>
[[nodiscard]] constexpr std::optional<T> FromWord(const Words<T, N>& words, std::string_view text) {
  for (const auto& [value, word] : words) {
    if (word == text) {
      return value;
    }
  }
  return std::nullopt;
}

}  // namespace floe::control
