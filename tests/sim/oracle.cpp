#include "tests/sim/oracle.h"

#include "base/check.h"

namespace floe::sim {
namespace {

/// What decides, of a kind. Behind two NATs: of both together.
struct Traits {
  bool v4 = true;
  bool v6 = false;
  bool udp = true;
  bool mapping_varies = false;   // The outside port depends on the remote.
  bool filters_by_port = false;  // Lets in only from the very port that was sent to.
};

Traits TraitsOf(SiteKind kind) {
  switch (kind) {
    case SiteKind::kNone:
    case SiteKind::kEimEif:
    case SiteKind::kEimAdf:
      return {};
    case SiteKind::kEimApdf:
    case SiteKind::kCgnatEim:
      return {.filters_by_port = true};
    case SiteKind::kSymmetric:
    case SiteKind::kCgnat:
      return {.mapping_varies = true, .filters_by_port = true};
    case SiteKind::kUdpBlocked:
      return {.udp = false};
    case SiteKind::kDualStack:
      return {.v6 = true, .filters_by_port = true};
    case SiteKind::kIpv6Only:
    case SiteKind::kFwOnlyIpv6:
      // A firewall that translates nothing is opened by a packet to the true address.
      return {.v4 = false, .v6 = true};
  }
  FLOE_CHECK(false);
}

}  // namespace

std::string_view ToString(Best best) {
  switch (best) {
    case Best::kDirect:
      return "direct";
    case Best::kRelay:
      return "relay";
    case Best::kNone:
      return "none";
  }
  FLOE_CHECK(false);
}

Best Oracle(SiteKind a, SiteKind b) {
  const Traits first = TraitsOf(a);
  const Traits second = TraitsOf(b);
  if (!first.udp || !second.udp) {
    return Best::kNone;
  }
  if (first.v6 && second.v6) {
    return Best::kDirect;
  }
  if (!first.v4 || !second.v4) {
    return Best::kRelay;
  }
  // A port that nobody can know beforehand meets a filter that wants to know it.
  const bool fails = (first.mapping_varies && second.filters_by_port) ||
                     (second.mapping_varies && first.filters_by_port);
  return fails ? Best::kRelay : Best::kDirect;
}

}  // namespace floe::sim
