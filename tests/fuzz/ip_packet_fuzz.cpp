// Feeds arbitrary bytes to the parser of inner packets. Seeds: tests/fuzz/corpus/ip_packet/.

#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "tunnel/ip_packet.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using floe::tunnel::IpPacketView;

  if (const auto packet = IpPacketView::Parse({data, size})) {
    FLOE_CHECK(packet->bytes().size() <= size);
    FLOE_CHECK(packet->source().family == packet->destination().family);
  }
  return 0;
}
