// BLAKE2s as WireGuard uses it: hash, keyed hash of 16 bytes, HMAC, and the key derivation on HMAC.
//
// Source: the WireGuard paper section 5.4 (Hash, Mac, Hmac, Kdf), RFC 7693, RFC 2104, RFC 5869.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "base/bytes.h"
#include "base/secret.h"

namespace floe::tunnel {

inline constexpr std::size_t kHashSize = 32;  // bytes
inline constexpr std::size_t kMacSize = 16;   // bytes

using Hash = std::array<std::uint8_t, kHashSize>;
using Mac = std::array<std::uint8_t, kMacSize>;
using DerivedKey = Secret<kHashSize>;

/// The hash of all parts, one behind the other.
[[nodiscard]] Hash Blake2s(std::initializer_list<Bytes> parts);

/// BLAKE2s in its keyed mode with 16 bytes of output. `key` is 1 to 32 bytes.
[[nodiscard]] Mac Blake2sMac(Bytes key, Bytes message);

/// HMAC with BLAKE2s as its hash, which is not BLAKE2's keyed mode. `key` is not empty.
[[nodiscard]] DerivedKey HmacBlake2s(Bytes key, std::initializer_list<Bytes> parts);

/// Fills all of `outputs`, at most 255 of them: the paper's Kdf_n.
void DeriveKeys(Bytes key, Bytes input, std::span<DerivedKey> outputs);

/// The paper's Kdf_N.
template <std::size_t N>
[[nodiscard]] std::array<DerivedKey, N> Kdf(Bytes key, Bytes input) {
  std::array<DerivedKey, N> outputs;
  DeriveKeys(key, input, outputs);
  return outputs;
}

}  // namespace floe::tunnel
