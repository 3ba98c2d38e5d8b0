// The question for the address of a name of the local network, and its answer.
//
// Source: RFC 6762 (multicast DNS), RFC 1035 section 4 (messages). One kind of question is asked,
// and of an answer nothing is read but the addresses of the name that was asked for.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/socket_address.h"

namespace floe::ice::mdns {

inline constexpr std::uint16_t kPort = 5353;

/// 224.0.0.251 or ff02::fb, RFC 6762 section 3.
[[nodiscard]] SocketAddress GroupAddress(IpFamily family);

/// Whether it is a name to ask for: labels of letters, digits and hyphens, the last being "local".
[[nodiscard]] bool IsLocalName(std::string_view name);

/// Asks for the A and AAAA records of `name`, for which IsLocalName() holds.
[[nodiscard]] std::vector<std::uint8_t> MakeQuery(std::string_view name, std::uint16_t id);

/// The first address that a response gives to `name`. Nothing for another question's answer, a
/// query, an error, or what is no DNS message. The id of the response has to be `id`, or 0 as that
/// of one to everybody is (RFC 6762 section 18.1).
[[nodiscard]] std::optional<IpAddress> ParseAnswer(Bytes message, std::string_view name,
                                                   std::uint16_t id);

}  // namespace floe::ice::mdns
