#include "tunnel/transport.h"

#include <algorithm>
#include <array>
#include <sodium.h>

#include "base/check.h"

namespace floe::tunnel {
namespace {

using Nonce = std::array<std::uint8_t, crypto_aead_chacha20poly1305_ietf_NPUBBYTES>;

// 4 bytes of zero, then the counter, little-endian.
Nonce NonceOf(std::uint64_t counter) {
  Nonce nonce{};
  StoreLe<std::uint64_t>(nonce, 4, counter);
  return nonce;
}

}  // namespace

void Seal(const DerivedKey& key, std::uint32_t receiver, std::uint64_t counter, Bytes inner,
          MutableBytes out) {
  FLOE_CHECK(out.size() == SealedSize(inner.size()));
  WriteMessageType(out, MessageType::kTransport);
  StoreLe<std::uint32_t>(out, transport::kReceiver, receiver);
  StoreLe<std::uint64_t>(out, transport::kCounter, counter);

  const MutableBytes packet = out.subspan(transport::kPacket);
  const MutableBytes padded = packet.first(PaddedSize(inner.size()));
  std::ranges::copy(inner, padded.begin());
  std::ranges::fill(padded.subspan(inner.size()), std::uint8_t{0});
  const Nonce nonce = NonceOf(counter);
  crypto_aead_chacha20poly1305_ietf_encrypt(packet.data(), nullptr, padded.data(), padded.size(),
                                            nullptr, 0, nullptr, nonce.data(), key.data());
}

bool Open(const DerivedKey& key, std::uint64_t counter, Bytes sealed, MutableBytes out) {
  FLOE_CHECK(sealed.size() == out.size() + kTagSize);
  const Nonce nonce = NonceOf(counter);
  return crypto_aead_chacha20poly1305_ietf_decrypt(out.data(), nullptr, nullptr, sealed.data(),
                                                   sealed.size(), nullptr, 0, nonce.data(),
                                                   key.data()) == 0;
}

}  // namespace floe::tunnel
