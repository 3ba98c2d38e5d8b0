// Feeds arbitrary bytes to the reader of multicast DNS answers. Whatever it says must be an address
// of the name that was asked for. Seeds: tests/fuzz/corpus/mdns/.

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "ice/mdns/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace floe::ice;  // NOLINT(google-build-using-namespace): one function long.

  const floe::Bytes message(data, size);
  // The seeds answer this question.
  const auto answer = mdns::ParseAnswer(message, "peer.local", 7);
  FLOE_CHECK(!answer || size >= 12 + 14);
  if (mdns::IsLocalName(floe::AsText(message))) {
    FLOE_CHECK(mdns::MakeQuery(floe::AsText(message), 7).size() == 12 + size + 2 + 4 + 6);
  }
  return 0;
}
