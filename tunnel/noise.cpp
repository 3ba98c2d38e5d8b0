#include "tunnel/noise.h"

#include <algorithm>
#include <sodium.h>
#include <utility>

#include "base/check.h"

namespace floe::tunnel {
namespace {

// Both macs are at the end of both messages.
constexpr std::size_t kMacsSize = 2 * kMacSize;

Mac ComputeMac1(const Hash& mac1_key, Bytes message) {
  return Blake2sMac(mac1_key, message.first(message.size() - kMacsSize));
}

}  // namespace

void WriteMacs(const Hash& receiver_mac1_key, MutableBytes message) {
  const MutableBytes macs = message.last(kMacsSize);
  std::ranges::fill(macs, std::uint8_t{0});
  std::ranges::copy(ComputeMac1(receiver_mac1_key, message), macs.begin());
}

bool HasValidMac1(const Hash& own_mac1_key, Bytes message) {
  const Mac mac1 = ComputeMac1(own_mac1_key, message);
  return sodium_memcmp(mac1.data(), message.last(kMacsSize).data(), kMacSize) == 0;
}

Initiator::Initiator(const LocalIdentity& local, const RemoteIdentity& remote, std::uint32_t sender,
                     const Tai64n& timestamp, RandomSource& random,
                     std::span<std::uint8_t, initiation::kSize> message)
    : ephemeral_(GeneratePrivateKey(random)), state_(remote.public_key()) {
  const PublicKey ephemeral = DerivePublicKey(ephemeral_);
  const auto ephemeral_static = DiffieHellman(ephemeral_, remote.public_key());
  // A RemoteIdentity is no point of small order, so no private key makes the agreement fail.
  FLOE_CHECK(ephemeral_static.has_value());

  const MutableBytes out = message;
  WriteMessageType(out, MessageType::kInitiation);
  StoreLe<std::uint32_t>(out, initiation::kSender, sender);
  std::ranges::copy(ephemeral.bytes, out.subspan(initiation::kEphemeral).begin());

  state_.MixKey(ephemeral.bytes);
  state_.MixHash(ephemeral.bytes);
  state_.SealField(state_.MixKeyForField(ephemeral_static->bytes()), local.public_key().bytes,
                   out.subspan(initiation::kStatic, kKeySize + kTagSize));
  state_.SealField(state_.MixKeyForField(remote.static_static().bytes()), timestamp,
                   out.subspan(initiation::kTimestamp, kTai64nSize + kTagSize));
  WriteMacs(remote.mac1_key(), out);
}

std::optional<TransportKeys> Initiator::ReadResponse(const LocalIdentity& local,
                                                     const RemoteIdentity& remote,
                                                     const ResponseView& message) const {
  const PublicKey ephemeral = message.ephemeral();
  const auto ephemeral_ephemeral = DiffieHellman(ephemeral_, ephemeral);
  const auto static_ephemeral = DiffieHellman(local.private_key(), ephemeral);
  if (!ephemeral_ephemeral || !static_ephemeral) {
    return std::nullopt;
  }

  SymmetricState state = state_.Clone();
  state.MixHash(ephemeral.bytes);
  state.MixKey(ephemeral.bytes);
  state.MixKey(ephemeral_ephemeral->bytes());
  state.MixKey(static_ephemeral->bytes());
  const DerivedKey key = state.MixPresharedKey(remote.preshared_key());
  if (!state.OpenField(key, message.encrypted_empty(), {})) {
    return std::nullopt;
  }
  auto [ours, theirs] = state.Split();
  return TransportKeys{.send = std::move(ours), .receive = std::move(theirs)};
}

std::optional<Responder> Responder::ReadInitiation(const LocalIdentity& local,
                                                   const InitiationView& message) {
  const PublicKey ephemeral = message.ephemeral();
  const auto static_ephemeral = DiffieHellman(local.private_key(), ephemeral);
  if (!static_ephemeral) {
    return std::nullopt;
  }

  Responder responder{SymmetricState(local.public_key())};
  SymmetricState& state = responder.state_;
  state.MixKey(ephemeral.bytes);
  state.MixHash(ephemeral.bytes);
  const DerivedKey key = state.MixKeyForField(static_ephemeral->bytes());
  if (!state.OpenField(key, message.encrypted_static(), responder.initiator_.bytes)) {
    return std::nullopt;
  }
  return responder;
}

std::optional<Tai64n> Responder::ReadTimestamp(const RemoteIdentity& remote,
                                               const InitiationView& message) {
  const DerivedKey key = state_.MixKeyForField(remote.static_static().bytes());
  Tai64n timestamp{};
  if (!state_.OpenField(key, message.encrypted_timestamp(), timestamp)) {
    return std::nullopt;
  }
  return timestamp;
}

std::optional<TransportKeys> Responder::WriteResponse(
    const RemoteIdentity& remote, const InitiationView& message, std::uint32_t sender,
    RandomSource& random, std::span<std::uint8_t, response::kSize> out) {
  ephemeral_ = GeneratePrivateKey(random);
  const PublicKey ephemeral = DerivePublicKey(ephemeral_);
  const auto ephemeral_ephemeral = DiffieHellman(ephemeral_, message.ephemeral());
  const auto ephemeral_static = DiffieHellman(ephemeral_, remote.public_key());
  if (!ephemeral_ephemeral || !ephemeral_static) {
    return std::nullopt;
  }

  const MutableBytes bytes = out;
  WriteMessageType(bytes, MessageType::kResponse);
  StoreLe<std::uint32_t>(bytes, response::kSender, sender);
  StoreLe<std::uint32_t>(bytes, response::kReceiver, message.sender());
  std::ranges::copy(ephemeral.bytes, bytes.subspan(response::kEphemeral).begin());

  state_.MixHash(ephemeral.bytes);
  state_.MixKey(ephemeral.bytes);
  state_.MixKey(ephemeral_ephemeral->bytes());
  state_.MixKey(ephemeral_static->bytes());
  const DerivedKey key = state_.MixPresharedKey(remote.preshared_key());
  state_.SealField(key, {}, bytes.subspan(response::kEmpty, kTagSize));
  WriteMacs(remote.mac1_key(), bytes);

  auto [theirs, ours] = state_.Split();
  return TransportKeys{.send = std::move(ours), .receive = std::move(theirs)};
}

}  // namespace floe::tunnel
