// A RandomSource whose bytes follow from a seed, so that a test can be run again.

#pragma once

#include <cstdint>

#include "base/random.h"

namespace floe::test {

class FakeRandom final : public RandomSource {
 public:
  explicit FakeRandom(std::uint64_t seed = 1) : state_(seed) {}

  void Fill(MutableBytes out) override {
    for (std::uint8_t& byte : out) {
      byte = static_cast<std::uint8_t>(Next() >> 32U);
    }
  }

  /// splitmix64 (Steele, Lea, Flood 2014).
  std::uint64_t Next() {
    state_ += 0x9E37'79B9'7F4A'7C15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58'476D'1CE4'E5B9;
    z = (z ^ (z >> 27U)) * 0x94D0'49BB'1331'11EB;
    return z ^ (z >> 31U);
  }

 private:
  std::uint64_t state_;
};

}  // namespace floe::test
