// Takes the packets out of a byte stream.
//
// Source: RFC 4571 section 2 (framing): a length of two bytes in network order, then the packet.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"

namespace floe::ice::tcp {

inline constexpr std::size_t kFrameHeaderSize = 2;    // bytes
inline constexpr std::size_t kMaxFrame = UINT16_MAX;  // bytes, without the header

/// Fed with what was read, asked for packets until there is none. Keeps no more than one packet
/// that is not complete, however the stream is cut.
class Deframer {
 public:
  /// Borrows `bytes` until the next Poll() that returns nothing.
  void Feed(Bytes bytes) { input_ = bytes; }

  /// The next packet. One of no bytes is nobody's and left out (RFC 4571 section 2: a null packet).
  /// Borrows this object until the next call.
  [[nodiscard]] std::optional<Bytes> Poll();

 private:
  /// Moves bytes of the input behind those kept, until there are `size`. False if they do not
  /// suffice.
  bool Fill(std::size_t size);

  Bytes input_;
  std::vector<std::uint8_t> kept_;  // The header, and what there is of the packet.
  bool handed_out_ = false;         // What is kept is the packet that the caller has.
};

}  // namespace floe::ice::tcp
