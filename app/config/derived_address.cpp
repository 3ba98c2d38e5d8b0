#include "app/config/derived_address.h"

#include <algorithm>
#include <array>
#include <sodium.h>

#include "base/check.h"

namespace floe::config {
namespace {

constexpr std::array<std::uint8_t, 6> kPrefix = {0xfd, 0x66, 0x6c, 0x6f, 0x65, 0x00};

}  // namespace

IpAddress DeriveAddress(const PublicKey& key) {
  std::array<std::uint8_t, 16> octets{};
  std::ranges::copy(kPrefix, octets.begin());
  // libsodium recommends 16 bytes or more, which a hash against collisions would need. Ten bytes
  // are what an address has room for; whoever finds a second key for it still lacks the first.
  const auto rest = MutableBytes(octets).subspan(kPrefix.size());
  FLOE_CHECK(crypto_generichash(rest.data(), rest.size(), key.bytes.data(), key.bytes.size(),
                                nullptr, 0) == 0);
  return IpAddress::FromBytes(octets);
}

}  // namespace floe::config
