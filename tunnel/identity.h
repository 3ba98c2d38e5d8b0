// The two ends of a handshake: their static keys, and what follows from these once and for all.
//
// Source: the WireGuard paper sections 5.4.2 (Noise's static-static secret) and 5.4.4 (mac1).

#pragma once

#include <optional>
#include <utility>

#include "base/key.h"
#include "tunnel/blake2s.h"

namespace floe::tunnel {

/// This node.
class LocalIdentity {
 public:
  explicit LocalIdentity(PrivateKey key);

  [[nodiscard]] const PrivateKey& private_key() const { return private_key_; }

  [[nodiscard]] const PublicKey& public_key() const { return public_key_; }

  /// What the mac1 of messages to us is keyed with. Anybody who knows our public key knows it.
  [[nodiscard]] const Hash& mac1_key() const { return mac1_key_; }

 private:
  PrivateKey private_key_;
  PublicKey public_key_;
  Hash mac1_key_;
};

/// A peer, as seen from one LocalIdentity.
class RemoteIdentity {
 public:
  /// Nothing if the key is ours, or a point of small order. Without a preshared key, all zero.
  [[nodiscard]] static std::optional<RemoteIdentity> Make(const LocalIdentity& local,
                                                          const PublicKey& key,
                                                          PresharedKey preshared_key);

  [[nodiscard]] const PublicKey& public_key() const { return public_key_; }

  [[nodiscard]] const PresharedKey& preshared_key() const { return preshared_key_; }

  void set_preshared_key(PresharedKey key) { preshared_key_ = std::move(key); }

  /// The key agreement of the two static keys.
  [[nodiscard]] const SharedSecret& static_static() const { return static_static_; }

  /// What the mac1 of messages to the peer is keyed with.
  [[nodiscard]] const Hash& mac1_key() const { return mac1_key_; }

 private:
  RemoteIdentity(const PublicKey& key, PresharedKey preshared_key, SharedSecret static_static);

  PublicKey public_key_;
  PresharedKey preshared_key_;
  SharedSecret static_static_;
  Hash mac1_key_;
};

}  // namespace floe::tunnel
