// Seal and open: one inner packet into one transport message, and back.
//
// Source: the WireGuard paper section 5.4.6.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "tunnel/cipher.h"
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

/// Seals and opens with one cipher, in buffers that have the room it needs. For one thread.
class Sealer {
 public:
  /// `cipher` outlives it.
  explicit Sealer(const Cipher& cipher) : cipher_(cipher) {}

  [[nodiscard]] const Cipher& cipher() const { return cipher_; }

  /// A whole transport message. A counter must not be used twice with one key.
  [[nodiscard]] std::vector<std::uint8_t> Seal(const DerivedKey& key, std::uint32_t receiver,
                                               std::uint64_t counter, Bytes inner);

  /// The inner packet and its padding. Nothing if `sealed`, which is at least a tag, is not
  /// authentic.
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> Open(const DerivedKey& key,
                                                              std::uint64_t counter, Bytes sealed);

 private:
  const Cipher& cipher_;
  std::vector<std::uint8_t> in_;
  std::vector<std::uint8_t> out_;
};

}  // namespace floe::tunnel
