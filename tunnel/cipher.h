// The cipher of transport packets, ChaCha20-Poly1305 (RFC 8439) without associated data, in several
// makes that give the same bytes.
//
// Source: the WireGuard paper section 5.4.6, RFC 8439 section 2.8.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "tunnel/blake2s.h"

namespace floe::tunnel {

// Ciphers work on whole blocks, beyond the bytes they are given. Of the input that is only read; of
// the output what is in front is put back, and what is behind is lost.
inline constexpr std::size_t kCipherHeadroom = 64;  // bytes in front of input and output
inline constexpr std::size_t kCipherSlack = 512;    // bytes behind input and output

/// Without state, for any number of threads.
class Cipher {
 public:
  virtual ~Cipher() = default;

  Cipher(const Cipher&) = delete;
  Cipher& operator=(const Cipher&) = delete;

  /// For people: "libsodium", as `floe status -d` shows it.
  [[nodiscard]] virtual std::string_view name() const = 0;

  /// `sealed` is kTagSize longer than `plain`. Neither they nor the room around them, which the
  /// caller provides, overlap. A counter must not be used twice with one key.
  virtual void Seal(const DerivedKey& key, std::uint64_t counter, Bytes plain,
                    MutableBytes sealed) const = 0;

  /// As above. False if `sealed` is not authentic; then nothing in `plain` is of use.
  [[nodiscard]] virtual bool Open(const DerivedKey& key, std::uint64_t counter, Bytes sealed,
                                  MutableBytes plain) const = 0;

 protected:
  Cipher() = default;
};

/// The plain call of libsodium, which the others are compared with.
[[nodiscard]] const Cipher& ReferenceCipher();

/// All there are, the one to use by default first and the reference last.
[[nodiscard]] std::span<const Cipher* const> AllCiphers();

/// Whether it gives the bytes of the reference both ways at every size of a packet, and refuses
/// what was changed. Takes some milliseconds.
[[nodiscard]] bool AgreesWithReference(const Cipher& cipher);

}  // namespace floe::tunnel
