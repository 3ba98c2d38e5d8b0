// The times and counts of Agent, for its own files.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "ice/agent.h"

namespace floe::ice {

inline constexpr Duration kPatience = std::chrono::milliseconds(39'500);  // RFC 8863 section 4
inline constexpr Duration kConsentTimeout = std::chrono::seconds(30);     // RFC 7675 section 5.1
inline constexpr Duration kRequestLifetime =
    std::chrono::milliseconds(39'500);  // RFC 8489 section 6.2.1, and Ti of section 6.2.2

// Of RFC 8489 section 6.2.1, for checks at the standard pace.
inline constexpr Duration kStandardRto = std::chrono::milliseconds(500);  // At least.
inline constexpr std::uint32_t kStandardSends = 7;                        // Rc
inline constexpr int kFinalWait = 16;                                     // Rm
inline constexpr int kStandardWaits = 63 + kFinalWait;                    // All of them, in RTOs.

// A path is suspect when this much time and this many probes went by without an answer.
inline constexpr std::uint32_t kSuspectProbes = 3;
inline constexpr Duration kSuspectAfter = std::chrono::milliseconds(1500);
inline constexpr Duration kSuspectAfterWithData = std::chrono::seconds(6);  // It may be only load.
inline constexpr Duration kMinProbeGap = std::chrono::milliseconds(250);

// UDP has this much time at the fast pace before a connection is tried beside it.
inline constexpr Duration kTcpHeadStart = std::chrono::milliseconds(500);
inline constexpr std::size_t kTcpShare = 4;  // One in so many candidates of the peer.

/// How long to wait for a better pair than the one that could be nominated. The standard pace has
/// one choice for good, so it takes longer; data flows meanwhile.
[[nodiscard]] inline Duration NominationPatience(Pace pace) {
  return std::chrono::milliseconds(pace == Pace::kFast ? 200 : 500);
}

}  // namespace floe::ice
