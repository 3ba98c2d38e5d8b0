#include "tunnel/blake2s.h"

#include <memory>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string>
#include <utility>

#include "base/check.h"

namespace floe::tunnel {
namespace {

template <auto kFree>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using Digest = std::unique_ptr<EVP_MD, Deleter<EVP_MD_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using MacAlgorithm = std::unique_ptr<EVP_MAC, Deleter<EVP_MAC_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Deleter<EVP_MAC_CTX_free>>;

// A call of OpenSSL below fails only without memory or without its default provider. Neither is
// anything that a packet can bring about, and there is nothing to go on with.

// Fetched once: a fetch by name costs more than the hash of a handshake message.
const EVP_MD* Blake2sDigest() {
  static const Digest digest(EVP_MD_fetch(nullptr, "BLAKE2S-256", nullptr));
  FLOE_CHECK(digest != nullptr);
  return digest.get();
}

EVP_MAC* Blake2sMacAlgorithm() {
  static const MacAlgorithm algorithm(EVP_MAC_fetch(nullptr, "BLAKE2SMAC", nullptr));
  FLOE_CHECK(algorithm != nullptr);
  return algorithm.get();
}

EVP_MAC* HmacAlgorithm() {
  static const MacAlgorithm algorithm(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  FLOE_CHECK(algorithm != nullptr);
  return algorithm.get();
}

void ComputeMac(EVP_MAC* algorithm, const OSSL_PARAM* parameters, Bytes key,
                std::initializer_list<Bytes> parts, MutableBytes out) {
  const MacContext context(EVP_MAC_CTX_new(algorithm));
  FLOE_CHECK(context != nullptr);
  FLOE_CHECK(EVP_MAC_init(context.get(), key.data(), key.size(), parameters) == 1);
  for (const Bytes part : parts) {
    FLOE_CHECK(part.empty() || EVP_MAC_update(context.get(), part.data(), part.size()) == 1);
  }
  std::size_t size = 0;
  FLOE_CHECK(EVP_MAC_final(context.get(), out.data(), &size, out.size()) == 1);
  FLOE_CHECK(size == out.size());
}

}  // namespace

Hash Blake2s(std::initializer_list<Bytes> parts) {
  const DigestContext context(EVP_MD_CTX_new());
  FLOE_CHECK(context != nullptr);
  FLOE_CHECK(EVP_DigestInit_ex2(context.get(), Blake2sDigest(), nullptr) == 1);
  for (const Bytes part : parts) {
    FLOE_CHECK(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
  }
  Hash hash{};
  FLOE_CHECK(EVP_DigestFinal_ex(context.get(), hash.data(), nullptr) == 1);
  return hash;
}

Mac Blake2sMac(Bytes key, Bytes message) {
  std::size_t size = kMacSize;
  const std::array<OSSL_PARAM, 2> parameters = {
      OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
      OSSL_PARAM_construct_end(),
  };
  Mac mac{};
  ComputeMac(Blake2sMacAlgorithm(), parameters.data(), key, {message}, mac);
  return mac;
}

DerivedKey HmacBlake2s(Bytes key, std::initializer_list<Bytes> parts) {
  std::string digest = "BLAKE2S-256";
  const std::array<OSSL_PARAM, 2> parameters = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end(),
  };
  DerivedKey mac;
  ComputeMac(HmacAlgorithm(), parameters.data(), key, parts, mac.mutable_bytes());
  return mac;
}

// RFC 5869: T(0) is empty, T(i) = Hmac(extracted, T(i - 1) || i).
void DeriveKeys(Bytes key, Bytes input, std::span<DerivedKey> outputs) {
  const DerivedKey extracted = HmacBlake2s(key, {input});
  Bytes previous;
  std::uint8_t number = 0;
  for (DerivedKey& output : outputs) {
    ++number;
    output = HmacBlake2s(extracted.bytes(), {previous, Bytes(&number, 1)});
    previous = output.bytes();
  }
}

}  // namespace floe::tunnel
