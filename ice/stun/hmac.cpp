#include "ice/stun/hmac.h"

#include <memory>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/check.h"

namespace floe::ice::stun {
namespace {

struct FreeMac {
  void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }

  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

using MacContext = std::unique_ptr<EVP_MAC_CTX, FreeMac>;

/// An HMAC context that knows its digest and waits for a key. Looking algorithms up is what costs
/// in OpenSSL 3, so each is looked up once and copied from then on.
MacContext MakeTemplate(const char* digest) {
  const std::unique_ptr<EVP_MAC, FreeMac> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  FLOE_CHECK(mac != nullptr);
  MacContext context(EVP_MAC_CTX_new(mac.get()));
  FLOE_CHECK(context != nullptr);
  // OpenSSL takes the name as char*, and does not write to it.
  const std::array<OSSL_PARAM, 2> parameters = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(digest), 0),
      OSSL_PARAM_construct_end()};
  FLOE_CHECK(EVP_MAC_CTX_set_params(context.get(), parameters.data()) == 1);
  return context;
}

template <typename Tag>
Tag Hmac(const EVP_MAC_CTX* pattern, Bytes key, std::initializer_list<Bytes> parts) {
  const MacContext context(EVP_MAC_CTX_dup(pattern));
  FLOE_CHECK(context != nullptr);
  // A null key would mean "the key from before"; an empty one has to point somewhere.
  constexpr std::uint8_t kNothing = 0;
  const std::uint8_t* key_data = key.empty() ? &kNothing : key.data();
  FLOE_CHECK(EVP_MAC_init(context.get(), key_data, key.size(), nullptr) == 1);
  for (const Bytes part : parts) {
    FLOE_CHECK(EVP_MAC_update(context.get(), part.data(), part.size()) == 1);
  }
  Tag tag{};
  std::size_t size = 0;
  FLOE_CHECK(EVP_MAC_final(context.get(), tag.data(), &size, tag.size()) == 1 &&
             size == tag.size());
  return tag;
}

struct FreeDigest {
  void operator()(EVP_MD* digest) const { EVP_MD_free(digest); }

  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

using Digest = std::unique_ptr<EVP_MD, FreeDigest>;

void HashParts(const EVP_MD* digest, std::initializer_list<std::string_view> parts,
               MutableBytes hash) {
  const std::unique_ptr<EVP_MD_CTX, FreeDigest> context(EVP_MD_CTX_new());
  FLOE_CHECK(digest != nullptr && context != nullptr);
  FLOE_CHECK(EVP_DigestInit_ex2(context.get(), digest, nullptr) == 1);
  for (const std::string_view part : parts) {
    FLOE_CHECK(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
  }
  unsigned int size = 0;
  FLOE_CHECK(EVP_DigestFinal_ex(context.get(), hash.data(), &size) == 1 && size == hash.size());
}

const EVP_MD* Sha256() {
  static const Digest kSha256(EVP_MD_fetch(nullptr, "SHA256", nullptr));
  return kSha256.get();
}

}  // namespace

Sha1Tag HmacSha1(Bytes key, std::initializer_list<Bytes> parts) {
  static const MacContext kPattern = MakeTemplate("SHA1");
  return Hmac<Sha1Tag>(kPattern.get(), key, parts);
}

Sha256Tag HmacSha256(Bytes key, std::initializer_list<Bytes> parts) {
  static const MacContext kPattern = MakeTemplate("SHA256");
  return Hmac<Sha256Tag>(kPattern.get(), key, parts);
}

Secret<16> LongTermKey(std::string_view username, std::string_view realm,
                       std::string_view password) {
  // MD5 is what the protocol says; a machine in FIPS mode would otherwise refuse it.
  static const Digest kMd5(EVP_MD_fetch(nullptr, "MD5", "-fips"));
  Secret<16> key;
  HashParts(kMd5.get(), {username, ":", realm, ":", password}, key.mutable_bytes());
  return key;
}

Secret<32> LongTermKeySha256(std::string_view username, std::string_view realm,
                             std::string_view password) {
  Secret<32> key;
  HashParts(Sha256(), {username, ":", realm, ":", password}, key.mutable_bytes());
  return key;
}

Sha256Tag UserHash(std::string_view username, std::string_view realm) {
  Sha256Tag hash{};
  HashParts(Sha256(), {username, ":", realm}, hash);
  return hash;
}

}  // namespace floe::ice::stun
