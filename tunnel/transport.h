// Seal and open: one inner packet into one transport message, and back. Free of any state, so that
// whoever carries packets may call them on any thread.
//
// Source: the WireGuard paper section 5.4.6.

#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "tunnel/messages.h"
#include "tunnel/symmetric_state.h"

namespace floe::tunnel {

inline constexpr std::size_t kPaddingMultiple = 16;  // bytes

/// The size of an inner packet of `size` bytes with its padding. A keepalive, 0, has none.
[[nodiscard]] constexpr std::size_t PaddedSize(std::size_t size) {
  return (size + kPaddingMultiple - 1) / kPaddingMultiple * kPaddingMultiple;
}

/// The size of the transport message that carries an inner packet of `size` bytes.
[[nodiscard]] constexpr std::size_t SealedSize(std::size_t size) {
  return transport::kPacket + PaddedSize(size) + kTagSize;
}

/// Writes a whole transport message. `out` is SealedSize(inner.size()) bytes and does not overlap
/// `inner`: the caller has checked. A counter must not be used twice with one key.
void Seal(const DerivedKey& key, std::uint32_t receiver, std::uint64_t counter, Bytes inner,
          MutableBytes out);

/// Writes the inner packet and its padding to `out`, which is a tag shorter than `sealed`. False if
/// `sealed` is not authentic; then nothing in `out` is of use.
[[nodiscard]] bool Open(const DerivedKey& key, std::uint64_t counter, Bytes sealed,
                        MutableBytes out);

}  // namespace floe::tunnel
