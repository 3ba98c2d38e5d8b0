// How many answers a source gets from the server before it has proved who it is.
//
// Such an answer goes to whatever address a datagram claims to come from, so it can be turned on
// somebody else. It is hardly longer than what asked for it, and there are not many of them.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/random.h"
#include "base/socket_address.h"
#include "base/time.h"

namespace floe::ice::turn {

/// A source is an IPv4 address, or a /64 of IPv6, which is what a site has at least. The table has
/// a fixed size, and each source a place in it by a keyed hash: those that share a place share what
/// it gives, and nobody can choose with whom.
class SourceLimit {
 public:
  static constexpr int kPerSecond = 10;
  static constexpr int kBurst = 50;  // Many machines may start at once behind one NAT.
  static constexpr std::size_t kPlaces = 16'384;

  explicit SourceLimit(RandomSource& random);

  /// Whether `source` is to be answered now, which is then counted.
  [[nodiscard]] bool Take(TimePoint now, const IpAddress& source);

 private:
  [[nodiscard]] std::size_t PlaceOf(const IpAddress& source) const;

  std::array<std::uint8_t, 16> key_{};
  std::vector<TimePoint> full_;  // When a place has all of kBurst again.
};

}  // namespace floe::ice::turn
