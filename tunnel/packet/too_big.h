// The ICMP message that tells the sender of a packet that it is too big for the tunnel.
//
// Source: RFC 1191 section 4 and RFC 792 (IPv4), RFC 4443 sections 2.4 and 3.2 (IPv6), RFC 1122
// section 3.2.2 and RFC 1812 section 4.3.2 (what may be answered, and how).

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace floe::tunnel {

/// "Fragmentation needed" or "packet too big" about `packet`, a whole one of which at most `room`
/// bytes would have passed. Empty if it must not be answered: an error message of ICMP itself,
/// anything but the first fragment, from or to more than one host.
///
/// It comes from where the packet was going. The kernel would drop one that seems to come from an
/// address of this machine, and this one it takes from the tunnel.
[[nodiscard]] std::vector<std::uint8_t> MakeTooBig(Bytes packet, std::size_t room);

}  // namespace floe::tunnel
