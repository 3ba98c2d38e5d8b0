// Feeds a byte stream to the deframer in pieces: the first byte says how long they are. However it
// is cut, the packets are the same. Seeds: tests/fuzz/corpus/deframer/.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "ice/tcp/deframer.h"

namespace {

using Packets = std::vector<std::vector<std::uint8_t>>;

Packets ReadInPieces(floe::Bytes stream, std::size_t piece) {
  floe::ice::tcp::Deframer deframer;
  Packets packets;
  while (!stream.empty()) {
    const floe::Bytes part = stream.first(std::min(piece, stream.size()));
    deframer.Feed(part);
    while (const auto packet = deframer.Poll()) {
      packets.emplace_back(packet->begin(), packet->end());
    }
    stream = stream.subspan(part.size());
  }
  return packets;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const floe::Bytes stream(data + 1, size - 1);
  FLOE_CHECK(ReadInPieces(stream, 1U + data[0]) == ReadInPieces(stream, size));
  return 0;
}
