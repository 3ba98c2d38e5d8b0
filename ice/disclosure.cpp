#include "ice/disclosure.h"

#include <algorithm>

namespace floe::ice {

std::optional<Candidate> Disclosure::Tell(const Candidate& candidate) const {
  constexpr std::uint16_t kDiscard = 9;  // RFC 8839 section 5.1: what stands for a withheld port.
  const bool relayed = candidate.type == CandidateType::kRelayed;
  if ((relay_only && !relayed) || (!relayed && Hides(candidate.address.ip))) {
    return std::nullopt;
  }
  Candidate told = candidate;
  if (told.related && (relay_only || Hides(told.related->ip))) {
    told.related = SocketAddress{IpAddress{.family = candidate.address.ip.family}, kDiscard};
  }
  return told;
}

bool Disclosure::Hides(const IpAddress& ip) const {
  return (public_only && (ip.is_private() || ip.is_link_local())) ||
         std::ranges::any_of(hidden, [&](const IpPrefix& prefix) { return prefix.Contains(ip); });
}

}  // namespace floe::ice
