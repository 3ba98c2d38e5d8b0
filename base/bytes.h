// Views of raw bytes, and reads and writes at a fixed offset, big-endian and little-endian.

#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace floe {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

/// The bytes of a text. Borrows it.
[[nodiscard]] inline Bytes AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// Bytes as a text. Borrows them.
[[nodiscard]] inline std::string_view AsText(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Reads a big-endian T. Requires offset + sizeof(T) <= bytes.size(): the caller has checked.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T LoadBe(Bytes bytes, std::size_t offset) {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes.subspan(offset, sizeof(T))) {
    value = (value << 8U) | byte;
  }
  return static_cast<T>(value);
}

/// Writes a big-endian T. Requires offset + sizeof(T) <= bytes.size(): the caller has checked.
template <std::unsigned_integral T>
constexpr void StoreBe(MutableBytes bytes, std::size_t offset, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    const std::size_t shift = 8 * (sizeof(T) - 1 - i);
    bytes[offset + i] = static_cast<std::uint8_t>(std::uint64_t{value} >> shift);
  }
}

/// Reads a little-endian T. Requires offset + sizeof(T) <= bytes.size(): the caller has checked.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T LoadLe(Bytes bytes, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) {
    value = (value << 8U) | bytes[offset + i];
  }
  return static_cast<T>(value);
}

/// Writes a little-endian T. Requires offset + sizeof(T) <= bytes.size(): the caller has checked.
template <std::unsigned_integral T>
constexpr void StoreLe(MutableBytes bytes, std::size_t offset, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes[offset + i] = static_cast<std::uint8_t>(std::uint64_t{value} >> (8 * i));
  }
}

}  // namespace floe
