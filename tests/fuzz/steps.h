// Reads the input of a fuzz target as a row of steps: one byte that says what to do, one byte of
// length, that many bytes.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace floe::fuzz {

/// Calls `act(what, argument)` for each step, at most `max_steps` times.
template <typename Act>
void ForEachStep(Bytes input, int max_steps, Act act) {
  for (int step = 0; step < max_steps && input.size() >= 2; ++step) {
    const std::uint8_t what = input[0];
    const std::size_t length = std::min<std::size_t>(input[1], input.size() - 2);
    act(what, input.subspan(2, length));
    input = input.subspan(2 + length);
  }
}

/// Takes the first byte of `argument`; 0 if there is none.
inline std::uint8_t TakeByte(Bytes& argument) {
  if (argument.empty()) {
    return 0;
  }
  const std::uint8_t byte = argument[0];
  argument = argument.subspan(1);
  return byte;
}

/// Changes `bytes` as pairs of `damage` say: a place, and what is XORed into the byte there.
inline void Spoil(MutableBytes bytes, Bytes damage) {
  for (std::size_t i = 0; i + 1 < damage.size() && !bytes.empty(); i += 2) {
    bytes[damage[i] % bytes.size()] ^= damage[i + 1];
  }
}

}  // namespace floe::fuzz
