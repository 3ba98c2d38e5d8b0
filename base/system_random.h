// Randomness from the operating system.

#pragma once

#include "base/random.h"

namespace floe {

/// Needs sodium_init(), which its constructor calls.
class SystemRandom final : public RandomSource {
 public:
  SystemRandom();
  void Fill(MutableBytes out) override;
};

}  // namespace floe
