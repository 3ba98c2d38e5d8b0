// floe-ice: floe's ICE agent on standard input and output, to be paired with other ICE stacks.
//
// Source: DESIGN.md, "floe-ice".

#include <cstdio>
#include <utility>

#include "tests/tools/floe_ice/options.h"
#include "tests/tools/floe_ice/runtime.h"

int main(int argc, char** argv) {
  auto options = floe::tools::ParseOptions(argc, argv);
  if (!options) {
    std::fputs(options.error().text.c_str(), options.error().code == 0 ? stdout : stderr);
    return options.error().code;
  }
  auto runtime = floe::tools::Runtime::Make(std::move(*options));
  const auto done = runtime ? (*runtime)->Run() : floe::Fail(runtime.error());
  if (!done) {
    std::fprintf(stderr, "floe-ice: %s: %s\n", done.error().context.c_str(),
                 done.error().code.message().c_str());
    return 1;
  }
  return 0;
}
