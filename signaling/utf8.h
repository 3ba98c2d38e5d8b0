// Whether bytes are UTF-8.  Source: RFC 3629 section 4.

#pragma once

#include <string_view>

namespace floe::signaling {

/// Refuses overlong forms, surrogates, what is above U+10FFFF, and a sequence cut short.
[[nodiscard]] bool IsUtf8(std::string_view text);

}  // namespace floe::signaling
