// Finds the messages in the bytes of a stream to a TURN server.
//
// Source: RFC 8489 section 6.2.2 (STUN says how long it is), RFC 8656 section 12.5 (ChannelData is
// padded to a multiple of four over streams). There is no other framing.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"

namespace floe::ice::turn {

class StreamFramer {
 public:
  /// Takes what was read. Call Poll() until it has nothing before the next call: then never more
  /// than one message is kept, of 64 KiB.
  void HandleBytes(Bytes bytes);

  /// The next whole message: STUN, or ChannelData with its padding. Borrows this object until the
  /// next call of either function.
  [[nodiscard]] std::optional<Bytes> Poll();

  /// What stands there is neither STUN nor ChannelData, so that nobody knows where the next message
  /// begins. For ever: the stream is of no more use.
  [[nodiscard]] bool is_broken() const { return broken_; }

 private:
  std::vector<std::uint8_t> buffer_;
  std::size_t read_ = 0;  // How much of it Poll() has handed out.
  bool broken_ = false;
};

/// Adds what ChannelData lacks to a multiple of four. STUN is one already.
void PadForStream(std::vector<std::uint8_t>& message);

}  // namespace floe::ice::turn
