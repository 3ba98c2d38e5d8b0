// The chaining key and the running hash of a handshake.
//
// Source: the WireGuard paper section 5.4 (C and H there), Noise revision 34 section 5.2.

#pragma once

#include "base/key.h"
#include "tunnel/blake2s.h"

namespace floe::tunnel {

/// The keys of a session, one for each direction.
struct TransportKeys {
  DerivedKey send;
  DerivedKey receive;
};

class SymmetricState {
 public:
  /// Begins a handshake with `responder`, on either end.
  explicit SymmetricState(const PublicKey& responder);

  [[nodiscard]] SymmetricState Clone() const;

  [[nodiscard]] const DerivedKey& chaining_key() const { return chaining_key_; }

  [[nodiscard]] const Hash& hash() const { return hash_; }

  void MixHash(Bytes data);
  void MixKey(Bytes input);
  /// As MixKey, and gives the key that encrypts the next field.
  [[nodiscard]] DerivedKey MixKeyForField(Bytes input);
  /// Mixes into both; gives the key that encrypts the next field.
  [[nodiscard]] DerivedKey MixPresharedKey(const PresharedKey& key);

  /// `sealed` is a tag longer than `plain`: the caller has checked.
  void SealField(const DerivedKey& key, Bytes plain, MutableBytes sealed);
  /// False, and nothing is mixed in, if `sealed` is not authentic. Sizes as above.
  [[nodiscard]] bool OpenField(const DerivedKey& key, Bytes sealed, MutableBytes plain);

  /// The keys of the session: the first is the initiator's to send with.
  [[nodiscard]] std::array<DerivedKey, 2> Split() const;

 private:
  SymmetricState(DerivedKey chaining_key, const Hash& hash);

  DerivedKey chaining_key_;
  Hash hash_;
};

}  // namespace floe::tunnel
