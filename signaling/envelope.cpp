#include "signaling/envelope.h"

#include <algorithm>
#include <sodium.h>
#include <utility>
#include <vector>

#include "base/base64.h"
#include "base/bytes.h"
#include "base/check.h"

namespace floe::signaling {
namespace {

constexpr std::string_view kLabel = "floe.box/1";
constexpr std::size_t kNonceSize = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;  // 24 bytes
constexpr std::size_t kTagSize = crypto_aead_xchacha20poly1305_ietf_ABYTES;       // 16 bytes

static_assert((kNonceSize + kMaxMessageSize + kTagSize) / 3 * 4 == kMaxBoxSize);
static_assert((kNonceSize + kMaxMessageSize + kTagSize) % 3 == 0);

Secret<32> DeriveKey(const SharedSecret& shared, const PublicKey& from, const PublicKey& to) {
  Secret<32> key;
  crypto_generichash_state state{};
  crypto_generichash_init(&state, shared.data(), shared.bytes().size(), key.bytes().size());
  for (const Bytes part : {AsBytes(kLabel), Bytes(from.bytes), Bytes(to.bytes)}) {
    crypto_generichash_update(&state, part.data(), part.size());
  }
  crypto_generichash_final(&state, key.data(), key.bytes().size());
  sodium_memzero(&state, sizeof(state));
  return key;
}

}  // namespace

std::string_view ToString(EnvelopeError error) {
  switch (error) {
    case EnvelopeError::kTooLong:
      return "too long";
    case EnvelopeError::kEncoding:
      return "not a box";
    case EnvelopeError::kForged:
      return "not sealed by this peer for us";
    case EnvelopeError::kMessage:
      return "a box without a message";
  }
  return "?";
}

PeerBox::PeerBox(Secret<32> seal_key, Secret<32> open_key)
    : seal_key_(std::move(seal_key)), open_key_(std::move(open_key)) {}

std::optional<PeerBox> PeerBox::Make(const PrivateKey& own, const PublicKey& self,
                                     const PublicKey& peer) {
  if (peer == self) {
    return std::nullopt;  // Both directions would share one key.
  }
  const auto shared = DiffieHellman(own, peer);
  if (!shared) {
    return std::nullopt;
  }
  return PeerBox(DeriveKey(*shared, self, peer), DeriveKey(*shared, peer, self));
}

Result<std::string, EnvelopeError> PeerBox::Seal(const Message& message,
                                                 RandomSource& random) const {
  // The text holds the ICE password, so it is zeroed when it goes.
  const SecretString text(Serialize(message));
  if (text.text().size() > kMaxMessageSize) {
    return Fail(EnvelopeError::kTooLong);
  }
  std::vector<std::uint8_t> box(kNonceSize + text.text().size() + kTagSize);
  const MutableBytes nonce = MutableBytes(box).first(kNonceSize);
  random.Fill(nonce);
  const Bytes plain = AsBytes(text.text());
  const int sealed = crypto_aead_xchacha20poly1305_ietf_encrypt(
      box.data() + kNonceSize, nullptr, plain.data(), plain.size(), nullptr, 0, nullptr,
      nonce.data(), seal_key_.data());
  FLOE_CHECK(sealed == 0);
  return EncodeBase64(box);
}

Result<Message, EnvelopeError> PeerBox::Open(std::string_view box) const {
  if (box.size() > kMaxBoxSize) {
    return Fail(EnvelopeError::kTooLong);
  }
  // libsodium 1.0.18 takes bytes above ASCII for '/': a box is to have one text only.
  if (!std::ranges::all_of(box, [](char c) { return c >= '+' && c <= 'z'; })) {
    return Fail(EnvelopeError::kEncoding);
  }
  const auto bytes = DecodeBase64(box);
  if (!bytes || bytes->size() < kNonceSize + kTagSize) {
    return Fail(EnvelopeError::kEncoding);
  }
  const Bytes nonce = Bytes(*bytes).first(kNonceSize);
  const Bytes sealed = Bytes(*bytes).subspan(kNonceSize);
  std::string text(sealed.size() - kTagSize, '\0');
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(reinterpret_cast<std::uint8_t*>(text.data()),
                                                 nullptr, nullptr, sealed.data(), sealed.size(),
                                                 nullptr, 0, nonce.data(), open_key_.data()) != 0) {
    return Fail(EnvelopeError::kForged);
  }
  auto message = ParseMessage(text);
  sodium_memzero(text.data(), text.size());
  if (!message) {
    return Fail(EnvelopeError::kMessage);
  }
  return *std::move(message);
}

}  // namespace floe::signaling
