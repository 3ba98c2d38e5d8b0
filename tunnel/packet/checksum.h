// The Internet checksum.
//
// Source: RFC 1071, RFC 9293 section 3.1 and RFC 8200 section 8.1 (pseudo-headers).

#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace floe::tunnel {

/// A ones' complement sum that is not folded yet. Sums of pieces of even size may be added.
[[nodiscard]] std::uint64_t Sum(Bytes bytes);

/// Folded to 16 bits, not complemented.
[[nodiscard]] std::uint16_t Fold(std::uint64_t sum);

/// What a checksum field holds.
[[nodiscard]] inline std::uint16_t Checksum(std::uint64_t sum) {
  return static_cast<std::uint16_t>(~Fold(sum));
}

/// Of the addresses, the protocol and the length of a transport header with its payload. `packet`
/// is an IPv4 or IPv6 packet whose fixed header is whole.
[[nodiscard]] std::uint64_t PseudoHeaderSum(Bytes packet, std::uint8_t protocol,
                                            std::size_t length);

}  // namespace floe::tunnel
