// What two nodes at two sites can reach at best, from the theory of NATs and not from the
// simulator.
//
// Source: RFC 4787 (behaviours), RFC 5128 section 3.3 (which of them UDP hole punching passes).

#pragma once

#include <cstdint>
#include <string_view>

#include "tests/sim/site.h"

namespace floe::sim {

enum class Best : std::uint8_t {
  kDirect,  // UDP between the two
  kRelay,   // UDP through a relay that has IPv4 and IPv6
  kNone,    // no UDP at all: a relay over TCP or TLS, if there is one
};

[[nodiscard]] std::string_view ToString(Best best);

/// For sites as the kinds say, each behind its own router, without block rules.
[[nodiscard]] Best Oracle(SiteKind a, SiteKind b);

}  // namespace floe::sim
