#include "signaling/utf8.h"

#include <cstddef>
#include <cstdint>

namespace floe::signaling {
namespace {

/// What may follow a first byte: how many bytes, and the range of the first of them. The bounds are
/// what refuses overlong forms, surrogates and numbers that are too large.
struct Tail {
  std::size_t size = 0;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xBF;
};

/// The table of RFC 3629 section 4, for a first byte of 0x80 and up. Size 0: no first byte.
Tail TailOf(std::uint8_t first) {
  if (first >= 0xC2 && first <= 0xDF) {
    return {.size = 1};
  }
  if (first >= 0xE0 && first <= 0xEF) {
    const bool surrogates = first == 0xED;
    return {.size = 2,
            .low = static_cast<std::uint8_t>(first == 0xE0 ? 0xA0 : 0x80),
            .high = static_cast<std::uint8_t>(surrogates ? 0x9F : 0xBF)};
  }
  if (first >= 0xF0 && first <= 0xF4) {
    return {.size = 3,
            .low = static_cast<std::uint8_t>(first == 0xF0 ? 0x90 : 0x80),
            .high = static_cast<std::uint8_t>(first == 0xF4 ? 0x8F : 0xBF)};
  }
  return {};
}

}  // namespace

bool IsUtf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto first = static_cast<std::uint8_t>(text[i]);
    if (first < 0x80) {
      continue;
    }
    Tail tail = TailOf(first);
    if (tail.size == 0 || text.size() - i <= tail.size) {
      return false;
    }
    for (; tail.size > 0; --tail.size) {
      const auto next = static_cast<std::uint8_t>(text[++i]);
      if (next < tail.low || next > tail.high) {
        return false;
      }
      tail.low = 0x80;
      tail.high = 0xBF;
    }
  }
  return true;
}

}  // namespace floe::signaling
