// HMAC and the two hashes STUN keys are made with.  Source: RFC 2104, RFC 8489 section 9.2.2.

#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "base/bytes.h"
#include "base/secret.h"

namespace floe::ice::stun {

using Sha1Tag = std::array<std::uint8_t, 20>;
using Sha256Tag = std::array<std::uint8_t, 32>;

/// HMAC over the parts, one behind the other.
[[nodiscard]] Sha1Tag HmacSha1(Bytes key, std::initializer_list<Bytes> parts);
[[nodiscard]] Sha256Tag HmacSha256(Bytes key, std::initializer_list<Bytes> parts);

/// The key of the long-term credential mechanism: MD5(username ":" realm ":" password).
/// The password is taken as it is: credentials that need RFC 8265 preparation come prepared.
[[nodiscard]] Secret<16> LongTermKey(std::string_view username, std::string_view realm,
                                     std::string_view password);

/// The same with SHA-256, for a server that offers it (RFC 8489 section 18.5.1.2).
[[nodiscard]] Secret<32> LongTermKeySha256(std::string_view username, std::string_view realm,
                                           std::string_view password);

/// SHA-256(username ":" realm), which USERHASH has in place of the name (RFC 8489 section 14.4).
[[nodiscard]] Sha256Tag UserHash(std::string_view username, std::string_view realm);

}  // namespace floe::ice::stun
