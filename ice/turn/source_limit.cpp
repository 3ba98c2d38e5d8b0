#include "ice/turn/source_limit.h"

#include <algorithm>
#include <sodium.h>

#include "base/bytes.h"

namespace floe::ice::turn {
namespace {

constexpr Duration kPrice = Duration(std::chrono::seconds(1)) / SourceLimit::kPerSecond;
constexpr std::size_t kSiteOctets = 8;  // Of an IPv6 address: 64 bits.

static_assert(crypto_shorthash_KEYBYTES == 16);

}  // namespace

SourceLimit::SourceLimit(RandomSource& random) : full_(kPlaces) {
  random.Fill(key_);
}

std::size_t SourceLimit::PlaceOf(const IpAddress& source) const {
  const IpAddress ip = source.Unmapped();
  const Bytes site = ip.is_v4() ? ip.octets() : ip.octets().first(kSiteOctets);
  std::array<std::uint8_t, crypto_shorthash_BYTES> hash{};
  crypto_shorthash(hash.data(), site.data(), site.size(), key_.data());
  return LoadBe<std::uint64_t>(hash, 0) % kPlaces;
}

bool SourceLimit::Take(TimePoint now, const IpAddress& source) {
  TimePoint& full = full_[PlaceOf(source)];
  const TimePoint after = std::max(full, now) + kPrice;
  if (after - now > kBurst * kPrice) {
    return false;
  }
  full = after;
  return true;
}

}  // namespace floe::ice::turn
