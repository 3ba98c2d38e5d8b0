// Which of several working paths should carry the data.
//
// A pure rule, so that it can be read and tested on its own. The agent of the controlling side asks
// it what to nominate; the controlled side asks it only while the nominated path is not answering.

#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/time.h"
#include "ice/candidate.h"

namespace floe::ice {

/// Lower is better: every direct path comes before every relayed one.
enum class PathTier : std::uint8_t {
  kLan,        // host to host over UDP
  kDirect,     // through a NAT or a firewall
  kDirectTcp,  // over TCP: what is lost holds up what follows
  kOneRelay,   // one end is a relay
  kTwoRelays,  // both are
  kRelayTcp,   // our relay is reached by TCP: its losses hold up all that follows
  kRelayTls,   // likewise by TLS
};

/// `transport` is that of the pair. `relay` is how we talk to our relay, if the local end is one;
/// the peer's end is as good as it is.
[[nodiscard]] PathTier TierOf(CandidateType local, CandidateType remote,
                              Transport transport = Transport::kUdp,
                              RelayTransport relay = RelayTransport::kUdp);
[[nodiscard]] bool IsDirect(PathTier tier);

struct PathSample {
  PathTier tier = PathTier::kDirect;
  Duration rtt{0};
  bool alive = false;  // A probe on it was answered, and none since has gone unanswered for long.
};

/// A path in use keeps its place unless another of its tier is better by both of these, so that
/// jitter does not make the data flap from one to the other.
inline constexpr Duration kSwitchMargin = std::chrono::milliseconds(10);
inline constexpr int kSwitchPercent = 20;

/// Returns the index of the path to use, or nothing if none is alive. `current` is the one in use.
/// The order of `paths` decides between equals: the first wins.
[[nodiscard]] std::optional<std::size_t> ChoosePath(std::span<const PathSample> paths,
                                                    std::optional<std::size_t> current);

}  // namespace floe::ice
