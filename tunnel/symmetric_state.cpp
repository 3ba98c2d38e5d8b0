#include "tunnel/symmetric_state.h"

#include <sodium.h>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "tunnel/messages.h"

namespace floe::tunnel {
namespace {

// Construction and Identifier, section 5.4.
constexpr std::string_view kConstruction = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
constexpr std::string_view kIdentifier = "WireGuard v1 zx2c4 Jason@zx2c4.com";

// Each key encrypts one field, so its nonce is always zero.
constexpr std::array<std::uint8_t, crypto_aead_chacha20poly1305_ietf_NPUBBYTES> kZeroNonce{};

}  // namespace

SymmetricState::SymmetricState(const PublicKey& responder)
    : SymmetricState(DerivedKey(Blake2s({AsBytes(kConstruction)})), Hash{}) {
  hash_ = Blake2s({chaining_key_.bytes(), AsBytes(kIdentifier)});
  MixHash(responder.bytes);
}

SymmetricState::SymmetricState(DerivedKey chaining_key, const Hash& hash)
    : chaining_key_(std::move(chaining_key)), hash_(hash) {}

SymmetricState SymmetricState::Clone() const {
  return {chaining_key_.Clone(), hash_};
}

void SymmetricState::MixHash(Bytes data) {
  hash_ = Blake2s({hash_, data});
}

void SymmetricState::MixKey(Bytes input) {
  auto [chaining_key] = Kdf<1>(chaining_key_.bytes(), input);
  chaining_key_ = std::move(chaining_key);
}

DerivedKey SymmetricState::MixKeyForField(Bytes input) {
  auto [chaining_key, key] = Kdf<2>(chaining_key_.bytes(), input);
  chaining_key_ = std::move(chaining_key);
  return std::move(key);
}

DerivedKey SymmetricState::MixPresharedKey(const PresharedKey& preshared_key) {
  auto [chaining_key, tau, key] = Kdf<3>(chaining_key_.bytes(), preshared_key.bytes());
  chaining_key_ = std::move(chaining_key);
  MixHash(tau.bytes());
  return std::move(key);
}

void SymmetricState::SealField(const DerivedKey& key, Bytes plain, MutableBytes sealed) {
  FLOE_CHECK(sealed.size() == plain.size() + kTagSize);
  crypto_aead_chacha20poly1305_ietf_encrypt(sealed.data(), nullptr, plain.data(), plain.size(),
                                            hash_.data(), hash_.size(), nullptr, kZeroNonce.data(),
                                            key.data());
  MixHash(sealed);
}

bool SymmetricState::OpenField(const DerivedKey& key, Bytes sealed, MutableBytes plain) {
  FLOE_CHECK(sealed.size() == plain.size() + kTagSize);
  if (crypto_aead_chacha20poly1305_ietf_decrypt(plain.data(), nullptr, nullptr, sealed.data(),
                                                sealed.size(), hash_.data(), hash_.size(),
                                                kZeroNonce.data(), key.data()) != 0) {
    return false;
  }
  MixHash(sealed);
  return true;
}

std::array<DerivedKey, 2> SymmetricState::Split() const {
  return Kdf<2>(chaining_key_.bytes(), {});
}

}  // namespace floe::tunnel
