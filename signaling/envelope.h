// Boxes that only one peer can open, and only that peer can have sealed: the rendezvous sees who
// writes to whom and when, and nothing else.
//
// A box is base64 of
//   nonce 24 | XChaCha20-Poly1305(key, nonce, JSON of the message) n | tag 16     bytes
// with key = BLAKE2b-256(key = X25519(static, static), "floe.box/1" | from | to). The key names
// the direction, so a box sent back to its sender does not open. A box that is repeated does open:
// Negotiation tells old messages from new ones.
// Source: draft-irtf-cfrg-xchacha-03, RFC 7693 (BLAKE2), RFC 7748 (X25519).

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/key.h"
#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "signaling/box.h"
#include "signaling/message.h"

namespace floe::signaling {

enum class EnvelopeError : std::uint8_t {
  kTooLong,   // More than kMaxBoxSize; when sealing, a message of more than kMaxMessageSize.
  kEncoding,  // Not base64, or too short for a nonce and a tag.
  kForged,    // Not sealed by this peer for us.
  kMessage,   // Sealed by this peer, but no message.
};

[[nodiscard]] std::string_view ToString(EnvelopeError error);

/// What it takes to write to one peer and read from it. Costs one X25519 to make, none to use.
class PeerBox {
 public:
  /// Nothing if `peer` is a point of small order, or ourselves. `self` is the public key of `own`.
  [[nodiscard]] static std::optional<PeerBox> Make(const PrivateKey& own, const PublicKey& self,
                                                   const PublicKey& peer);

  /// Fails with kTooLong only: candidates that do not fit go into further messages.
  [[nodiscard]] Result<std::string, EnvelopeError> Seal(const Message& message,
                                                        RandomSource& random) const;

  [[nodiscard]] Result<Message, EnvelopeError> Open(std::string_view box) const;

 private:
  PeerBox(Secret<32> seal_key, Secret<32> open_key);

  Secret<32> seal_key_;
  Secret<32> open_key_;
};

}  // namespace floe::signaling
