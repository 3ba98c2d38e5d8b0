// Bytes as a test vector prints them.

#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace floe::test {

/// Two lower-case digits a byte.
inline std::string ToHex(Bytes bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0x0FU];
  }
  return text;
}

}  // namespace floe::test
