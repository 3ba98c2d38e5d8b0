// The congestion marks of inner packets, and how those of outer ones are joined to them.
//
// Source: RFC 3168 section 5 (the field), RFC 6040 section 4 (tunnels).

#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace floe::tunnel {

/// The lower two bits of the TOS octet or traffic class.
enum class Ecn : std::uint8_t {
  kNotEct = 0,  // The ends do not speak ECN: congestion is told by dropping.
  kEct1 = 1,
  kEct0 = 2,
  kCe = 3,  // Congestion experienced.
};

[[nodiscard]] constexpr Ecn EcnOf(std::uint8_t tos) {
  return static_cast<Ecn>(tos & 3U);
}

/// Of an IP packet. kNotEct for what is too short to have a mark, or no IP packet.
[[nodiscard]] Ecn ReadEcn(Bytes packet);

/// What the outer header of an inner packet holds in normal mode, RFC 6040 section 4.1: its mark,
/// and a DSCP of 0, which tells nobody what is inside (the pipe model of RFC 2983).
[[nodiscard]] inline std::uint8_t OuterTos(Bytes inner) {
  return static_cast<std::uint8_t>(ReadEcn(inner));
}

/// Joins the mark that a datagram came with to the packet that was inside, RFC 6040 section 4.2.
/// `inner` is an IP packet whose fixed header is whole; its header checksum stays right. False: it
/// is to be dropped, because the network has said "congestion" of a packet whose ends would not
/// hear it.
[[nodiscard]] bool MergeEcn(MutableBytes inner, Ecn outer);

}  // namespace floe::tunnel
