// Feeds arbitrary text to the parsers of the rendezvous protocol. What they accept must survive
// being written and read again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <variant>

#include "signaling/protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace floe::signaling;  // NOLINT(google-build-using-namespace): one function long.

  const std::string_view text = floe::AsText({data, size});
  const auto write = [](const auto& frame) { return Serialize(frame); };
  if (const auto frame = ParseServerFrame(text)) {
    const std::string written = std::visit(write, *frame);
    const auto again = ParseServerFrame(written);
    if (!again || std::visit(write, *again) != written) {
      std::abort();
    }
  }
  if (const auto frame = ParseClientFrame(text)) {
    const std::string written = std::visit(write, *frame);
    const auto again = ParseClientFrame(written);
    if (!again || std::visit(write, *again) != written) {
      std::abort();
    }
  }
  return 0;
}
