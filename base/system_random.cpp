#include "base/system_random.h"

#include <sodium.h>

#include "base/check.h"

namespace floe {

SystemRandom::SystemRandom() {
  FLOE_CHECK(sodium_init() >= 0);
}

void SystemRandom::Fill(MutableBytes out) {
  randombytes_buf(out.data(), out.size());
}

}  // namespace floe
