// How large a box may be: what both the sealer and the carrier of boxes must know.

#pragma once

#include <cstddef>

namespace floe::signaling {

/// Characters of base64. With the frame around it a box stays below the 8 KiB that the rendezvous
/// takes: 7680 = (24 + kMaxMessageSize + 16) / 3 * 4 (message.h).
inline constexpr std::size_t kMaxBoxSize = 7680;

}  // namespace floe::signaling
