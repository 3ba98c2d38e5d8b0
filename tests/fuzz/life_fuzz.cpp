// The lives of whole nodes in a bad world, chosen by the fuzzer: see tests/sim/life.h.

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "tests/sim/life.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using floe::sim::Choices;
  using floe::sim::Life;
  Choices choices(floe::Bytes(data, size));
  const auto failure = Life(choices, {.events = 20, .sites = 4, .max_nodes = 2}).Run();
  if (failure) {
    std::fprintf(stderr, "%s\n", failure->c_str());
    std::abort();
  }
  return 0;
}
