#include "signaling/login_proof.h"

#include <sodium.h>
#include <string_view>

#include "base/check.h"

namespace floe::signaling {
namespace {

constexpr std::string_view kLabel = "floe.hello/1";

Proof Compute(const SharedSecret& shared, const PublicKey& node, const Challenge& challenge,
              const std::optional<ChannelBinding>& binding) {
  crypto_generichash_state state;
  Proof proof{};
  const auto update = [&state](Bytes bytes) {
    crypto_generichash_update(&state, bytes.data(), bytes.size());
  };
  const int started =
      crypto_generichash_init(&state, shared.data(), shared.bytes().size(), proof.size());
  FLOE_CHECK(started == 0);  // Fails for sizes out of range alone.
  update(AsBytes(kLabel));
  update(challenge.nonce);
  update(node.bytes);
  update(challenge.key.bytes);
  if (challenge.bound) {
    update(*binding);
  }
  crypto_generichash_final(&state, proof.data(), proof.size());
  sodium_memzero(&state, sizeof(state));
  return proof;
}

}  // namespace

std::optional<Proof> MakeLoginProof(const PrivateKey& own, const PublicKey& own_key,
                                    const Challenge& challenge,
                                    const std::optional<ChannelBinding>& binding) {
  if (challenge.bound && !binding) {
    return std::nullopt;
  }
  const std::optional<SharedSecret> shared = DiffieHellman(own, challenge.key);
  return shared ? std::optional(Compute(*shared, own_key, challenge, binding)) : std::nullopt;
}

bool VerifyLoginProof(const PrivateKey& server, const Challenge& challenge, const Hello& hello,
                      const std::optional<ChannelBinding>& binding) {
  const std::optional<SharedSecret> shared = DiffieHellman(server, hello.key);
  if (!shared || (challenge.bound && !binding)) {
    return false;
  }
  const Proof wanted = Compute(*shared, hello.key, challenge, binding);
  return sodium_memcmp(wanted.data(), hello.proof.data(), wanted.size()) == 0;
}

}  // namespace floe::signaling
