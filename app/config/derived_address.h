// The address that follows from a node's public key.
//
// The first 48 bits are fd66:6c6f:6500 ("floe" in ASCII), the other 80 are BLAKE2b (RFC 7693) of
// the key, with an output of 10 bytes and no key.

#pragma once

#include "base/key.h"
#include "base/socket_address.h"

namespace floe::config {

/// An IPv6 address in fd66:6c6f:6500::/48. Two machines that know each other's keys know each
/// other's addresses.
[[nodiscard]] IpAddress DeriveAddress(const PublicKey& key);

}  // namespace floe::config
