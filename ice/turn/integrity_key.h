// A long-term key together with the kind of integrity it is for.
//
// Source: RFC 8489 sections 9.2 and 18.5 (password algorithms). MD5 goes with MESSAGE-INTEGRITY,
// SHA-256 with MESSAGE-INTEGRITY-SHA256; a message carries one of the two, because servers older
// than RFC 8489 answer 420 to the second.

#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/secret.h"
#include "ice/stun/builder.h"
#include "ice/stun/message.h"

namespace floe::ice::turn {

/// Numbers of RFC 8489 section 18.5.
enum class PasswordAlgorithm : std::uint16_t { kMd5 = 0x0001, kSha256 = 0x0002 };

/// What PASSWORD-ALGORITHM holds for SHA-256, and PASSWORD-ALGORITHMS when only that is offered:
/// the number, and no parameters.
inline constexpr std::uint32_t kSha256Value = 0x0002'0000;

/// The first characters of a nonce that carries feature flags (RFC 8489 section 9.2).
inline constexpr std::string_view kNonceCookie = "obMatJos2";

/// True if the value of a PASSWORD-ALGORITHMS attribute lists SHA-256.
[[nodiscard]] bool ListsSha256(Bytes algorithms);

class IntegrityKey {
 public:
  IntegrityKey() = default;
  IntegrityKey(PasswordAlgorithm algorithm, std::string_view username, std::string_view realm,
               std::string_view password);

  [[nodiscard]] IntegrityKey Clone() const;

  [[nodiscard]] PasswordAlgorithm algorithm() const { return algorithm_; }

  /// Adds the integrity attribute of this key.
  void Seal(stun::Builder& builder) const;

  /// True if this key sealed `message`. In constant time.
  [[nodiscard]] bool Verify(const stun::MessageView& message) const;

 private:
  [[nodiscard]] Bytes bytes() const;

  PasswordAlgorithm algorithm_ = PasswordAlgorithm::kMd5;
  Secret<32> key_;  // The first 16 bytes alone with MD5.
};

}  // namespace floe::ice::turn
