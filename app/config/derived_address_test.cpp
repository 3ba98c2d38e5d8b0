#include "app/config/derived_address.h"

#include <gtest/gtest.h>

namespace floe::config {
namespace {

// Computed with an independent implementation: Python's
// hashlib.blake2b(key, digest_size=10), for the public keys of RFC 7748 section 6.1.
TEST(DeriveAddressTest, AgreesWithAnotherBlake2b) {
  const auto alice = ParsePublicKey("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=");
  ASSERT_TRUE(alice.has_value());
  EXPECT_EQ(ToString(DeriveAddress(*alice)), "fd66:6c6f:6500:4853:d39b:d727:2475:2487");

  const auto bob = ParsePublicKey("3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=");
  ASSERT_TRUE(bob.has_value());
  EXPECT_EQ(ToString(DeriveAddress(*bob)), "fd66:6c6f:6500:624b:cd2d:502e:901c:49fe");
}

}  // namespace
}  // namespace floe::config
