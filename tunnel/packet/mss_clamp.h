// Lowers what the ends of a TCP connection think that a path takes.
//
// Source: RFC 9293 section 3.7.1, RFC 6691 (the option), RFC 4459 section 3.2 (why in a tunnel).

#pragma once

#include <cstddef>

#include "base/bytes.h"

namespace floe::tunnel {

/// Whether the packet opens a TCP connection, from either end. False for what is not whole.
[[nodiscard]] bool IsTcpSyn(Bytes packet);

/// If the packet is a SYN that asks for larger segments than packets of `room` bytes carry, it asks
/// for those from here on, with the checksum put right. Whether it was changed. `packet` is a whole
/// one.
bool ClampMss(MutableBytes packet, std::size_t room);

}  // namespace floe::tunnel
