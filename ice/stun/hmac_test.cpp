#include "ice/stun/hmac.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <string>

namespace floe::ice::stun {
namespace {

std::string Hex(Bytes bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

TEST(HmacTest, MatchesRfc2202Case2) {
  EXPECT_EQ(Hex(HmacSha1(AsBytes("Jefe"), {AsBytes("what do ya want for nothing?")})),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

TEST(HmacTest, MatchesRfc4231Case2) {
  EXPECT_EQ(Hex(HmacSha256(AsBytes("Jefe"), {AsBytes("what do ya want for nothing?")})),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(HmacTest, JoinsItsParts) {
  EXPECT_EQ(HmacSha1(AsBytes("k"), {AsBytes("ab"), Bytes{}, AsBytes("c")}),
            HmacSha1(AsBytes("k"), {AsBytes("abc")}));
}

TEST(HmacTest, TakesAnEmptyKeyForItself) {
  static_cast<void>(HmacSha1(AsBytes("another"), {AsBytes("x")}));
  // HMAC-SHA1 of the empty string under the empty key.
  EXPECT_EQ(Hex(HmacSha1(Bytes{}, {})), "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
}

TEST(HmacTest, HidesUsernames) {
  // The message of RFC 8489 appendix B.1.
  EXPECT_EQ(Hex(UserHash("\xE3\x83\x9E\xE3\x83\x88\xE3\x83\xAA\xE3\x83\x83\xE3\x82\xAF\xE3\x82\xB9",
                         "example.org")),
            "4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704");
}

TEST(HmacTest, MakesLongTermKeys) {
  // The example of RFC 8489 section 9.2.2.
  EXPECT_EQ(Hex(LongTermKey("user", "realm", "pass").bytes()), "8493fbc53ba582fb4c044c456bdc40eb");
  EXPECT_EQ(Hex(LongTermKeySha256("user", "realm", "pass").bytes()),
            "07e934117abd40836e7c6329b54731b2b2d2a5f9a71f544922d75e0730d8251b");
}

}  // namespace
}  // namespace floe::ice::stun
