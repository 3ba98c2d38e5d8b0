#include "tunnel/cipher.h"

#include <algorithm>
#include <array>
#include <memory>
#include <openssl/evp.h>
#include <sodium.h>
#include <vector>

#include "base/check.h"
#include "tunnel/messages.h"

namespace floe::tunnel {
namespace {

using Nonce = std::array<std::uint8_t, crypto_aead_chacha20poly1305_ietf_NPUBBYTES>;

// 4 bytes of zero, then the counter, little-endian.
Nonce NonceOf(std::uint64_t counter) {
  Nonce nonce{};
  StoreLe<std::uint64_t>(nonce, 4, counter);
  return nonce;
}

class SodiumCipher final : public Cipher {
 public:
  [[nodiscard]] std::string_view name() const override { return "libsodium"; }

  void Seal(const DerivedKey& key, std::uint64_t counter, Bytes plain,
            MutableBytes sealed) const override {
    const Nonce nonce = NonceOf(counter);
    crypto_aead_chacha20poly1305_ietf_encrypt(sealed.data(), nullptr, plain.data(), plain.size(),
                                              nullptr, 0, nullptr, nonce.data(), key.data());
  }

  [[nodiscard]] bool Open(const DerivedKey& key, std::uint64_t counter, Bytes sealed,
                          MutableBytes plain) const override {
    const Nonce nonce = NonceOf(counter);
    return crypto_aead_chacha20poly1305_ietf_decrypt(plain.data(), nullptr, nullptr, sealed.data(),
                                                     sealed.size(), nullptr, 0, nonce.data(),
                                                     key.data()) == 0;
  }
};

/// libsodium's ChaCha20 takes 512 bytes at a time and is slow with the rest of a packet. This one
/// gives it whole multiples, and takes the key of Poly1305 from the same pass: block 0 of the key
/// stream lies in front of the packet.
class PaddedSodiumCipher final : public Cipher {
 public:
  [[nodiscard]] std::string_view name() const override { return "libsodium, padded"; }

  void Seal(const DerivedKey& key, std::uint64_t counter, Bytes plain,
            MutableBytes sealed) const override {
    OneTimeKey tag_key;
    ApplyKeyStream(key, counter, plain, sealed.data(), tag_key);
    Authenticate(tag_key, sealed.first(plain.size()), sealed.subspan(plain.size()));
  }

  [[nodiscard]] bool Open(const DerivedKey& key, std::uint64_t counter, Bytes sealed,
                          MutableBytes plain) const override {
    OneTimeKey tag_key;
    ApplyKeyStream(key, counter, sealed.first(plain.size()), plain.data(), tag_key);
    std::array<std::uint8_t, kTagSize> tag{};
    Authenticate(tag_key, sealed.first(plain.size()), tag);
    return sodium_memcmp(tag.data(), sealed.data() + plain.size(), kTagSize) == 0;
  }

 private:
  static constexpr std::size_t kStride = 512;  // bytes that libsodium's AVX2 code does in a step
  static_assert(kStride <= kCipherSlack);

  using OneTimeKey = Secret<crypto_onetimeauth_poly1305_KEYBYTES>;

  static void ApplyKeyStream(const DerivedKey& key, std::uint64_t counter, Bytes in,
                             std::uint8_t* out, OneTimeKey& tag_key) {
    const std::size_t size = (kCipherHeadroom + in.size() + kStride - 1) / kStride * kStride;
    const Nonce nonce = NonceOf(counter);
    const std::uint8_t* in_front = in.data() - kCipherHeadroom;
    std::uint8_t* out_front = out - kCipherHeadroom;
    std::array<std::uint8_t, kCipherHeadroom> kept{};
    std::copy_n(out_front, kept.size(), kept.begin());

    crypto_stream_chacha20_ietf_xor_ic(out_front, in_front, size, nonce.data(), 0, key.data());

    for (std::size_t i = 0; i < kKeySize; ++i) {
      tag_key.mutable_bytes()[i] = out_front[i] ^ in_front[i];
    }
    std::ranges::copy(kept, out_front);
  }

  /// RFC 8439 section 2.8: the ciphertext, zeroes up to a multiple of 16, and two lengths.
  static void Authenticate(const OneTimeKey& key, Bytes text, MutableBytes tag) {
    std::array<std::uint8_t, 32> end{};
    const std::size_t padding = (16 - text.size() % 16) % 16;
    StoreLe<std::uint64_t>(end, padding + 8, text.size());
    crypto_onetimeauth_poly1305_state state;
    crypto_onetimeauth_poly1305_init(&state, key.data());
    crypto_onetimeauth_poly1305_update(&state, text.data(), text.size());
    crypto_onetimeauth_poly1305_update(&state, end.data(), padding + 16);
    crypto_onetimeauth_poly1305_final(&state, tag.data());
    sodium_memzero(&state, sizeof state);
  }
};

class OpenSslCipher final : public Cipher {
 public:
  [[nodiscard]] std::string_view name() const override { return "OpenSSL"; }

  void Seal(const DerivedKey& key, std::uint64_t counter, Bytes plain,
            MutableBytes sealed) const override {
    FLOE_CHECK(Start(key, counter, /*enc=*/1) && Update(plain, sealed));
    const MutableBytes tag = sealed.subspan(plain.size());
    int size = 0;
    FLOE_CHECK(EVP_CipherFinal_ex(Context(), tag.data(), &size) == 1 &&
               EVP_CIPHER_CTX_ctrl(Context(), EVP_CTRL_AEAD_GET_TAG, kTagSize, tag.data()) == 1);
  }

  [[nodiscard]] bool Open(const DerivedKey& key, std::uint64_t counter, Bytes sealed,
                          MutableBytes plain) const override {
    std::array<std::uint8_t, kTagSize> tag{};
    std::ranges::copy(sealed.last(kTagSize), tag.begin());
    int size = 0;
    return Start(key, counter, /*enc=*/0) &&
           EVP_CIPHER_CTX_ctrl(Context(), EVP_CTRL_AEAD_SET_TAG, kTagSize, tag.data()) == 1 &&
           Update(sealed.first(plain.size()), plain) &&
           EVP_CipherFinal_ex(Context(), tag.data(), &size) == 1;
  }

 private:
  /// One for each thread, with the cipher fetched once: that is slow.
  static EVP_CIPHER_CTX* Context() {
    struct Deleter {
      void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
    };

    thread_local const std::unique_ptr<EVP_CIPHER_CTX, Deleter> context = [] {
      std::unique_ptr<EVP_CIPHER_CTX, Deleter> made(EVP_CIPHER_CTX_new());
      FLOE_CHECK(made && EVP_CipherInit_ex(made.get(), EVP_chacha20_poly1305(), nullptr, nullptr,
                                           nullptr, 1) == 1);
      return made;
    }();
    return context.get();
  }

  static bool Start(const DerivedKey& key, std::uint64_t counter, int enc) {
    const Nonce nonce = NonceOf(counter);
    return EVP_CipherInit_ex(Context(), nullptr, nullptr, key.data(), nonce.data(), enc) == 1;
  }

  static bool Update(Bytes in, MutableBytes out) {
    int size = 0;
    return in.empty() || EVP_CipherUpdate(Context(), out.data(), &size, in.data(),
                                          static_cast<int>(in.size())) == 1;
  }
};

}  // namespace

const Cipher& ReferenceCipher() {
  static const SodiumCipher cipher;
  return cipher;
}

std::span<const Cipher* const> AllCiphers() {
  static const PaddedSodiumCipher padded;
  static const OpenSslCipher openssl;
  static const std::array<const Cipher*, 3> all{&padded, &openssl, &ReferenceCipher()};
  return all;
}

bool AgreesWithReference(const Cipher& cipher) {
  constexpr std::size_t kMaxSize = 2200;  // bytes
  constexpr std::size_t kRoom = kCipherHeadroom + kMaxSize + kTagSize + kCipherSlack;
  DerivedKey key;
  std::vector<std::uint8_t> plain(kRoom);
  std::vector<std::uint8_t> sealed(kRoom);
  std::vector<std::uint8_t> opened(kRoom);
  std::vector<std::uint8_t> expected(kMaxSize + kTagSize);
  randombytes_buf_deterministic(plain.data(), plain.size(), key.data());
  for (std::size_t size = 0; size < kMaxSize; ++size) {
    const Bytes in = Bytes(plain).subspan(kCipherHeadroom, size);
    const MutableBytes wanted = MutableBytes(expected).first(size + kTagSize);
    const MutableBytes out = MutableBytes(sealed).subspan(kCipherHeadroom, size + kTagSize);
    const MutableBytes back = MutableBytes(opened).subspan(kCipherHeadroom, size);
    ReferenceCipher().Seal(key, size, in, wanted);
    cipher.Seal(key, size, in, out);
    if (!std::ranges::equal(out, wanted) || !cipher.Open(key, size, out, back) ||
        !std::ranges::equal(back, in)) {
      return false;
    }
    out[size / 2] ^= 1U;
    if (cipher.Open(key, size, out, back)) {
      return false;
    }
  }
  return true;
}

}  // namespace floe::tunnel
