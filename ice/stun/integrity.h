// What proves that a STUN message is genuine, and that it is STUN at all.
//
// Source: RFC 8489 sections 14.5 (MESSAGE-INTEGRITY), 14.6 (MESSAGE-INTEGRITY-SHA256) and
// 14.7 (FINGERPRINT). Each covers the message up to its own header, with the length field of the
// message set as if the message ended right behind it.

#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "ice/stun/hmac.h"
#include "ice/stun/message.h"

namespace floe::ice::stun {

/// The value of MESSAGE-INTEGRITY for a message whose bytes before that attribute are `head`
/// (header included, at least kHeaderSize).
[[nodiscard]] Sha1Tag ComputeIntegrity(Bytes head, Bytes key);
[[nodiscard]] Sha256Tag ComputeIntegritySha256(Bytes head, Bytes key);

/// The value of FINGERPRINT, likewise.
[[nodiscard]] std::uint32_t ComputeFingerprint(Bytes head);

/// True if the message has a MESSAGE-INTEGRITY that `key` made. In constant time.
[[nodiscard]] bool VerifyIntegrity(const MessageView& message, Bytes key);

/// The same for MESSAGE-INTEGRITY-SHA256. Truncated values are refused: no usage floe speaks
/// allows them (RFC 8489 section 14.6).
[[nodiscard]] bool VerifyIntegritySha256(const MessageView& message, Bytes key);

/// True if the message ends in a FINGERPRINT that fits. False if there is none.
[[nodiscard]] bool VerifyFingerprint(const MessageView& message);

}  // namespace floe::ice::stun
