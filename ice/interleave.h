// In which order the addresses of a machine with two families are preferred.
//
// Source: RFC 8421 section 4.

#pragma once

#include <vector>

#include "base/socket_address.h"

namespace floe::ice {

/// IPv6 and IPv4 take turns, IPv6 first, each in the order it comes in; what one has more of comes
/// last. So a family that leads nowhere costs no more than half of the checks.
[[nodiscard]] std::vector<SocketAddress> InterleaveFamilies(
    const std::vector<SocketAddress>& addresses);

}  // namespace floe::ice
