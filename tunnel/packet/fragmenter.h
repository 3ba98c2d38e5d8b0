// Cuts an inner packet that is larger than a path has room for into fragments, which the host that
// it is for puts together.
//
// Source: RFC 791 section 3.2, RFC 8200 section 4.5, RFC 6864 (IPv4 identification).

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace floe::tunnel {

/// In order, none larger than `room`. What is a fragment already is cut further. `id` is for
/// packets that have no identification of their own; two of them to one host should not have the
/// same within a minute. Empty if a header is not whole, or `room` is too small for one with eight
/// bytes of payload, or the packet is a fragment of what is larger than a packet can be.
[[nodiscard]] std::vector<std::vector<std::uint8_t>> Fragment(Bytes packet, std::size_t room,
                                                              std::uint32_t id);

}  // namespace floe::tunnel
