// Puts a STUN message together.  Source: RFC 8489 sections 5 and 14.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/socket_address.h"
#include "ice/stun/message.h"

namespace floe::ice::stun {

/// A fresh id. It is all that tells an answer from a forgery before there is a key, so `random`
/// must not be guessable (RFC 8489 section 5).
[[nodiscard]] TransactionId NewTransactionId(RandomSource& random);

/// Attributes appear in the order of the calls: integrity goes behind everything it covers, and
/// FINGERPRINT is the last call. The message stays below 64 KiB: the caller bounds what it adds.
class Builder {
 public:
  /// `capacity` is what to reserve, in bytes; most messages fit without it.
  Builder(Class message_class, Method method, const TransactionId& id, std::size_t capacity = 256);

  Builder& Add(AttributeType type, Bytes value);

  Builder& AddFlag(AttributeType type) { return Add(type, {}); }

  Builder& AddU32(AttributeType type, std::uint32_t value);
  Builder& AddU64(AttributeType type, std::uint64_t value);
  /// A value of 4 bytes, the first of which is `value` and the others 0.
  Builder& AddU8(AttributeType type, std::uint8_t value);

  Builder& AddText(AttributeType type, std::string_view text) { return Add(type, AsBytes(text)); }

  /// XORed with cookie and transaction id.
  Builder& AddAddress(AttributeType type, const SocketAddress& address);
  /// As it is: MAPPED-ADDRESS, ALTERNATE-SERVER, OTHER-ADDRESS, RESPONSE-ORIGIN.
  Builder& AddPlainAddress(AttributeType type, const SocketAddress& address);
  /// ERROR-CODE. The reason may be empty: the number says it all.
  Builder& AddErrorCode(ErrorCode code, std::string_view reason = {});
  Builder& AddUnknownAttributes(std::span<const AttributeType> types);

  Builder& AddIntegrity(Bytes key);
  Builder& AddIntegritySha256(Bytes key);
  Builder& AddFingerprint();

  /// Of what there is so far, in bytes.
  [[nodiscard]] std::size_t size() const { return message_.size(); }

  /// The finished message. The builder is empty afterwards.
  [[nodiscard]] std::vector<std::uint8_t> Take();

 private:
  TransactionId id_;
  std::vector<std::uint8_t> message_;
};

}  // namespace floe::ice::stun
