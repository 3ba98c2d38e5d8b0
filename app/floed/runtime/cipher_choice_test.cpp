#include "app/floed/runtime/cipher_choice.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace floe::daemon {
namespace {

using config::CipherChoice;

TEST(CipherChoiceTest, TakesTheOneThatIsWanted) {
  EXPECT_EQ(ChooseCipher(CipherChoice::kPadded).name(), "libsodium, padded");
  EXPECT_EQ(ChooseCipher(CipherChoice::kOpenSsl).name(), "OpenSSL");
  EXPECT_EQ(ChooseCipher(CipherChoice::kReference).name(), "libsodium");
}

TEST(CipherChoiceTest, TheFastestIsOneOfThoseThereAre) {
  const tunnel::Cipher& fastest = ChooseCipher(CipherChoice::kFastest);

  EXPECT_NE(std::ranges::find(tunnel::AllCiphers(), &fastest), tunnel::AllCiphers().end());
}

}  // namespace
}  // namespace floe::daemon
