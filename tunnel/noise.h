// The handshake: one message each way, and both ends have the keys of a session.
//
// Source: the WireGuard paper sections 5.4.2 to 5.4.5; Noise_IKpsk2. Time, retries, and whether a
// timestamp is late enough are not known here: see peer.h.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "base/key.h"
#include "base/random.h"
#include "tunnel/identity.h"
#include "tunnel/messages.h"
#include "tunnel/symmetric_state.h"
#include "tunnel/tai64n.h"

namespace floe::tunnel {

/// Fills mac1 of a whole handshake message, and mac2 with zeros: no cookie.
void WriteMacs(const Hash& receiver_mac1_key, MutableBytes message);

/// Whether a whole handshake message is addressed to the owner of `own_mac1_key`. Cheap: to be
/// asked before any work with curves.
[[nodiscard]] bool HasValidMac1(const Hash& own_mac1_key, Bytes message);

/// The side that begins, between its initiation and the response to it.
class Initiator {
 public:
  /// Writes an initiation, macs included, and keeps what the response to it will need.
  Initiator(const LocalIdentity& local, const RemoteIdentity& remote, std::uint32_t sender,
            const Tai64n& timestamp, RandomSource& random,
            std::span<std::uint8_t, initiation::kSize> message);

  /// The keys of the session, or nothing if the response is not authentic. That changes nothing:
  /// the true response may still come. `message` has passed HasValidMac1.
  [[nodiscard]] std::optional<TransportKeys> ReadResponse(const LocalIdentity& local,
                                                          const RemoteIdentity& remote,
                                                          const ResponseView& message) const;

  [[nodiscard]] const PrivateKey& ephemeral() const { return ephemeral_; }

 private:
  PrivateKey ephemeral_;
  SymmetricState state_;
};

/// The side that answers. Three steps, because the first tells who the other two are about.
class Responder {
 public:
  /// Learns who the initiator says it is. Nothing if the message does not decrypt. `message` has
  /// passed HasValidMac1.
  [[nodiscard]] static std::optional<Responder> ReadInitiation(const LocalIdentity& local,
                                                               const InitiationView& message);

  /// The static key of the initiator, which the next step proves.
  [[nodiscard]] const PublicKey& initiator() const { return initiator_; }

  /// Proves that the initiator has its key. Nothing if it has not; then the Responder is of no
  /// more use. `remote` is that of initiator().
  [[nodiscard]] std::optional<Tai64n> ReadTimestamp(const RemoteIdentity& remote,
                                                    const InitiationView& message);

  /// Writes the response, macs included. Nothing if the initiator's ephemeral key is of small
  /// order. Comes after ReadTimestamp, once.
  [[nodiscard]] std::optional<TransportKeys> WriteResponse(
      const RemoteIdentity& remote, const InitiationView& message, std::uint32_t sender,
      RandomSource& random, std::span<std::uint8_t, response::kSize> out);

  /// After WriteResponse.
  [[nodiscard]] const PrivateKey& ephemeral() const { return ephemeral_; }

 private:
  explicit Responder(SymmetricState state) : state_(std::move(state)) {}

  PrivateKey ephemeral_;
  SymmetricState state_;
  PublicKey initiator_;
};

}  // namespace floe::tunnel
