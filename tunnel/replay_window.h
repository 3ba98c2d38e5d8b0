// Which counters of a session have been received: each is accepted once, in any order, as long as
// it is not too far behind the highest.
//
// Source: RFC 6479, with 8192 bits as in the Linux implementation of WireGuard.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace floe::tunnel {

class ReplayWindow {
 public:
  static constexpr std::size_t kBits = 8192;
  /// How far behind the highest a counter may be. One word less than there are bits: the highest
  /// word is being filled.
  static constexpr std::uint64_t kReach = kBits - 64;

  /// Whether Accept would be right: the counter is neither accepted already nor out of reach.
  [[nodiscard]] bool IsFresh(std::uint64_t counter) const;

  /// Remembers a fresh counter, once its packet has proven authentic.
  void Accept(std::uint64_t counter);

 private:
  static constexpr std::size_t kWords = kBits / 64;

  // A ring of bits. Of kWords, but one is enough for the first 64 counters: most sessions of a peer
  // that is idle see no more.
  std::vector<std::uint64_t> seen_ = std::vector<std::uint64_t>(1);
  std::uint64_t highest_ = 0;
};

}  // namespace floe::tunnel
