// How a node proves to a rendezvous server that it holds its private key, and to that server alone.
//
// proof = BLAKE2b-256(key = X25519(static, server's key),
//                     "floe.hello/1" | nonce | node's public key | server's key)
//
// Only the holder of one of the two private keys can make it, and the nonce makes it good for one
// connection. No signature: it convinces nobody else that the node was there.

#pragma once

#include <optional>

#include "base/key.h"
#include "signaling/protocol.h"

namespace floe::signaling {

/// The node's side. Nothing if the challenge holds a key of small order.
[[nodiscard]] std::optional<Proof> MakeLoginProof(const PrivateKey& own, const PublicKey& own_key,
                                                  const Challenge& challenge);

/// The server's side: `server` is the private key of `challenge.key`. In constant time.
[[nodiscard]] bool VerifyLoginProof(const PrivateKey& server, const Challenge& challenge,
                                    const Hello& hello);

}  // namespace floe::signaling
