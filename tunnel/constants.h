// The constants of the protocol, under the paper's names.
//
// Source: the WireGuard paper, section 6.1, and sections 5.4.1 and 5.4.6 for the two that follow.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace floe::tunnel {

inline constexpr std::uint64_t kRekeyAfterMessages = std::uint64_t{1} << 60U;
inline constexpr std::uint64_t kRejectAfterMessages = ~std::uint64_t{0} - (1U << 13U);

inline constexpr Duration kRekeyAfterTime = std::chrono::seconds(120);
inline constexpr Duration kRejectAfterTime = std::chrono::seconds(180);
inline constexpr Duration kRekeyAttemptTime = std::chrono::seconds(90);
inline constexpr Duration kRekeyTimeout = std::chrono::seconds(5);
inline constexpr Duration kKeepaliveTimeout = std::chrono::seconds(10);

/// Added to kRekeyTimeout, up to this much, so that two ends do not retry in step for ever.
inline constexpr Duration kMaxJitter = std::chrono::milliseconds(333);

/// Keys are forgotten this long after the last handshake (section 6.3).
inline constexpr Duration kEraseAfterTime = 3 * kRejectAfterTime;

/// At most one initiation of a peer is answered in this time: 50 a second.
inline constexpr Duration kInitiationInterval = std::chrono::milliseconds(20);

/// How long a cookie is good, on both sides (sections 5.4.4 and 5.4.7).
inline constexpr Duration kCookieLifetime = std::chrono::seconds(120);

/// Our choice: a response that takes longer than this is no answer any more.
inline constexpr Duration kResponseDeadline = std::chrono::seconds(15);

/// Our choice: how far apart the two answers of a crossing may arrive. More than paths differ in
/// delay, less than a restart takes.
inline constexpr Duration kCrossingWindow = std::chrono::seconds(1);

/// Our choice: initiations of ours that may be answered at the same time, one for each path.
inline constexpr std::size_t kMaxInitiationsInFlight = 4;

/// Our choice: inner packets that wait for a session, for each peer.
inline constexpr std::size_t kMaxQueuedPackets = 128;

/// As in the Linux implementation.
inline constexpr std::size_t kMaxPeers = 65'536;

/// What the path to a peer is taken to carry of an inner packet until it is known better, in bytes:
/// with all that goes around it, 1500 over IPv6 and a relay.
inline constexpr std::size_t kDefaultRoom = 1408;

/// Handshakes go before data where a network knows DSCP: AF41, as in the Linux implementation.
inline constexpr std::uint8_t kHandshakeTos = 0x88;

}  // namespace floe::tunnel
