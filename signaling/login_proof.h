// How a node proves to a rendezvous server that it holds its private key, and to that server alone.
//
// proof = BLAKE2b-256(key = X25519(static, server's key),
//                     "floe.hello/1" | nonce | node's public key | server's key | binding)
//
// Only the holder of one of the two private keys can make it, and the nonce makes it good for one
// connection. With a channel binding (RFC 9266), which is there if the challenge asks for it, the
// proof is good for one TLS connection: whoever poses as the server to the node, with a certificate
// of his own, cannot pass challenge and proof on. No signature: it convinces nobody else that the
// node was there.

#pragma once

#include <optional>

#include "base/key.h"
#include "signaling/protocol.h"

namespace floe::signaling {

/// The node's side. Nothing if the challenge holds a key of small order, or asks for a binding that
/// there is not.
[[nodiscard]] std::optional<Proof> MakeLoginProof(
    const PrivateKey& own, const PublicKey& own_key, const Challenge& challenge,
    const std::optional<ChannelBinding>& binding = {});

/// The server's side: `server` is the private key of `challenge.key`. In constant time.
[[nodiscard]] bool VerifyLoginProof(const PrivateKey& server, const Challenge& challenge,
                                    const Hello& hello,
                                    const std::optional<ChannelBinding>& binding = {});

}  // namespace floe::signaling
