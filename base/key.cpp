#include "base/key.h"

#include <algorithm>
#include <sodium.h>

#include "base/base64.h"

namespace floe {

PrivateKey GeneratePrivateKey(RandomSource& random) {
  PrivateKey key;
  random.Fill(key.mutable_bytes());
  key.data()[0] &= 248U;
  key.data()[31] = static_cast<std::uint8_t>((key.data()[31] & 127U) | 64U);
  return key;
}

PublicKey DerivePublicKey(const PrivateKey& key) {
  PublicKey derived;
  crypto_scalarmult_base(derived.bytes.data(), key.data());
  return derived;
}

std::optional<SharedSecret> DiffieHellman(const PrivateKey& own, const PublicKey& peer) {
  SharedSecret shared;
  if (crypto_scalarmult(shared.data(), own.data(), peer.bytes.data()) != 0) {
    return std::nullopt;
  }
  return shared;
}

std::string ToString(const PublicKey& key) {
  return EncodeBase64(key.bytes);
}

std::optional<PublicKey> ParsePublicKey(std::string_view text) {
  const auto bytes = DecodeBase64(text);
  if (!bytes || bytes->size() != kKeySize) {
    return std::nullopt;
  }
  PublicKey key;
  std::ranges::copy(*bytes, key.bytes.begin());
  return key;
}

std::optional<Secret<kKeySize>> ParseSecretKey(std::string_view text) {
  auto bytes = DecodeBase64(text);
  if (!bytes || bytes->size() != kKeySize) {
    return std::nullopt;
  }
  std::optional<Secret<kKeySize>> key(std::in_place, Bytes(*bytes));
  sodium_memzero(bytes->data(), bytes->size());
  return key;
}

SecretString RevealKey(const Secret<kKeySize>& key) {
  return SecretString(EncodeBase64(key.bytes()));
}

}  // namespace floe
