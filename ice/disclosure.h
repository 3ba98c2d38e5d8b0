// What of our candidates a peer is told.
//
// Source: RFC 8828 section 5.2 (modes), RFC 8839 section 5.1 (raddr and rport may be withheld).

#pragma once

#include <optional>
#include <vector>

#include "base/socket_address.h"
#include "ice/candidate.h"

namespace floe::ice {

/// By default everything. A candidate that is not told is still checked from: a peer whom its check
/// reaches sees where it came from, unless relay_only keeps such checks from being made.
struct Disclosure {
  bool relay_only = false;   // Mode 4: relayed addresses, and nothing about what is behind them.
  bool public_only = false;  // Mode 3: no addresses of private networks, as raddr neither.
  std::vector<IpPrefix> hidden;  // Whatever is in these is not told.

  /// The candidate as it may be told, or nothing. What may not be told of a candidate's related
  /// address becomes 0.0.0.0 or ::, port 9.
  [[nodiscard]] std::optional<Candidate> Tell(const Candidate& candidate) const;
  [[nodiscard]] bool Hides(const IpAddress& ip) const;
};

}  // namespace floe::ice
