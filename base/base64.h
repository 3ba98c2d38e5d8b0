// Base64 with padding, the form in which WireGuard writes keys.  Source: RFC 4648 section 4.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace floe {

[[nodiscard]] std::string EncodeBase64(Bytes bytes);

/// Refuses white space, missing or wrong padding, and any other character.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> DecodeBase64(std::string_view text);

}  // namespace floe
