// What a tunnel dropped, by reason. Each drop raises exactly one of these.

#pragma once

#include <cstdint>

namespace floe::tunnel {

struct Counters {
  // Datagrams from the network.
  std::uint64_t malformed = 0;            // No known type, or a size that the type cannot have.
  std::uint64_t bad_mac1 = 0;             // Not addressed to our key.
  std::uint64_t unknown_key = 0;          // An initiation from a key that is no peer.
  std::uint64_t bad_handshake = 0;        // Does not decrypt: forged, or another preshared key.
  std::uint64_t replayed_initiation = 0;  // Its timestamp is not later than the last one.
  std::uint64_t flooded_initiation = 0;   // Within 20 ms of the last one.
  std::uint64_t unknown_index = 0;        // For a session or handshake that we do not have.
  std::uint64_t late_response = 0;        // To an initiation that is too old.
  std::uint64_t forged_cookie_reply = 0;  // To no message of ours, or does not decrypt.
  std::uint64_t cookie_needed = 0;        // Handshakes put off under load, most with a cookie.
  std::uint64_t limited_handshake = 0;    // With a cookie, but too many of this source or of all.
  std::uint64_t expired_session = 0;      // Too old a session, or too high a counter.
  std::uint64_t replayed_transport = 0;   // Counter seen, or behind the window.
  std::uint64_t forged_transport = 0;     // Does not authenticate.
  std::uint64_t malformed_inner = 0;      // Authentic, but no whole IP packet.
  std::uint64_t spoofed_inner = 0;        // Authentic, but the source is not the peer's.
  std::uint64_t congested = 0;            // Marked CE outside, and inside nobody would hear it.

  // Packets from the TUN device.
  std::uint64_t malformed_packet = 0;      // No whole IP packet.
  std::uint64_t unroutable_packet = 0;     // The destination is no peer's.
  std::uint64_t queue_overflow = 0;        // Pushed out while waiting for a session.
  std::uint64_t undeliverable_packet = 0;  // Still waiting when the handshake was given up.
  std::uint64_t too_big_told = 0;          // Larger than the room; the sender was told by ICMP.
  std::uint64_t too_big_untold = 0;        // Likewise, and was not: not allowed, or too often.
};

/// What was done to packets that went on, because of the room of a path.
struct RoomCounters {
  std::uint64_t fragmented = 0;   // Cut into fragments.
  std::uint64_t clamped_mss = 0;  // Told the end of a TCP connection a smaller segment size.
};

}  // namespace floe::tunnel
