#include "signaling/utf8.h"

#include <cstdint>
#include <gtest/gtest.h>
#include <string>

namespace floe::signaling {
namespace {

/// The UTF-8 of a code point by the bit layout of RFC 3629 section 3, whether or not it may be
/// written so.
std::string Encode(std::uint32_t code, int size) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
  const auto tail = [&](unsigned shift) { return byte(0x80U | ((code >> shift) & 0x3FU)); };
  switch (size) {
    case 1:
      return {byte(code)};
    case 2:
      return {byte(0xC0U | (code >> 6U)), tail(0)};
    case 3:
      return {byte(0xE0U | (code >> 12U)), tail(6), tail(0)};
    default:
      return {byte(0xF0U | (code >> 18U)), tail(12), tail(6), tail(0)};
  }
}

int ShortestSize(std::uint32_t code) {
  if (code < 0x80) {
    return 1;
  }
  if (code < 0x800) {
    return 2;
  }
  return code < 0x10000 ? 3 : 4;
}

TEST(Utf8Test, AcceptsEveryCodePointInItsShortestFormAlone) {
  for (std::uint32_t code = 0; code < 0x14'0000; code += code < 0x2'0000 ? 1 : 0x101) {
    const bool legal = code <= 0x10'FFFF && (code < 0xD800 || code > 0xDFFF);
    const int shortest = ShortestSize(code);
    ASSERT_EQ(IsUtf8(Encode(code, shortest)), legal) << code;
    for (int size = shortest + 1; size <= 4; ++size) {
      ASSERT_FALSE(IsUtf8(Encode(code, size))) << code << " in " << size;
    }
  }
}

TEST(Utf8Test, RefusesWhatIsCutShort) {
  const std::string text = "\xF0\x9F\x8C\x8A";

  ASSERT_TRUE(IsUtf8("floe " + text));
  for (std::size_t size = 1; size < text.size(); ++size) {
    EXPECT_FALSE(IsUtf8(text.substr(0, size)));
    EXPECT_FALSE(IsUtf8(text.substr(size)));
    EXPECT_FALSE(IsUtf8(text.substr(0, size) + "a"));
  }
}

}  // namespace
}  // namespace floe::signaling
