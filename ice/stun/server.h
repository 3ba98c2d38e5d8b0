// What a STUN server answers to a Binding request.  Source: RFC 8489 sections 6.3 and 12.

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/socket_address.h"
#include "ice/stun/message.h"

namespace floe::ice::stun {

/// The answer to `request`, which came from `source`: success with XOR-MAPPED-ADDRESS, or 420 if
/// it asks for something unknown. Nothing if it is no Binding request, or its FINGERPRINT is wrong.
///
/// Keeps no state and authenticates nobody, so anyone may have it sent to an address that is not
/// his. It is therefore as small as it can be: no SOFTWARE, no reason phrase, and FINGERPRINT
/// only if the request spent as many bytes on one.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> AnswerBinding(const MessageView& request,
                                                                     const SocketAddress& source);

}  // namespace floe::ice::stun
