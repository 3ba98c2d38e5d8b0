// The keys of a node, as WireGuard knows them.  Source: RFC 7748 (X25519).

#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/random.h"
#include "base/secret.h"

namespace floe {

inline constexpr std::size_t kKeySize = 32;  // bytes

/// Names a node. Not a secret.
struct PublicKey {
  std::array<std::uint8_t, kKeySize> bytes{};

  auto operator<=>(const PublicKey&) const = default;
};

using PrivateKey = Secret<kKeySize>;
using PresharedKey = Secret<kKeySize>;
using SharedSecret = Secret<kKeySize>;

/// A clamped X25519 private key (RFC 7748 section 5).
[[nodiscard]] PrivateKey GeneratePrivateKey(RandomSource& random);

[[nodiscard]] PublicKey DerivePublicKey(const PrivateKey& key);

/// X25519. Nothing if `peer` is a point of small order, whose result anybody could guess.
[[nodiscard]] std::optional<SharedSecret> DiffieHellman(const PrivateKey& own,
                                                        const PublicKey& peer);

/// WireGuard's text form: 44 characters of base64. Surrounding white space is not accepted.
[[nodiscard]] std::string ToString(const PublicKey& key);
[[nodiscard]] std::optional<PublicKey> ParsePublicKey(std::string_view text);
[[nodiscard]] std::optional<Secret<kKeySize>> ParseSecretKey(std::string_view text);
/// For writing a key file, and nothing else.
[[nodiscard]] SecretString RevealKey(const Secret<kKeySize>& key);

struct PublicKeyHash {
  [[nodiscard]] std::size_t operator()(const PublicKey& key) const noexcept {
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size()});
  }
};

}  // namespace floe
