// Fuzzes ice/turn/stream_framer: however the bytes are cut, the same messages come out, and never
// more is kept than one of them.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "ice/turn/stream_framer.h"

using floe::Bytes;
using floe::ice::turn::StreamFramer;

namespace {

/// All messages of `input`, read in pieces of `step` bytes; in `broken` whether it ended badly.
std::vector<std::vector<std::uint8_t>> Frame(Bytes input, std::size_t step, bool& broken) {
  StreamFramer framer;
  std::vector<std::vector<std::uint8_t>> messages;
  while (!input.empty()) {
    const Bytes piece = input.first(std::min(step, input.size()));
    input = input.subspan(piece.size());
    framer.HandleBytes(piece);
    while (const auto message = framer.Poll()) {
      FLOE_CHECK(message->size() >= 4 && message->size() % 4 == 0 && message->size() <= 65'555);
      messages.emplace_back(message->begin(), message->end());
    }
  }
  broken = framer.is_broken();
  return messages;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const Bytes input(data + 1, size - 1);
  bool whole_broken = false;
  bool cut_broken = false;
  const auto whole = Frame(input, std::max<std::size_t>(input.size(), 1), whole_broken);
  const auto cut = Frame(input, std::size_t{data[0]} + 1, cut_broken);
  FLOE_CHECK(whole == cut && whole_broken == cut_broken);
  return 0;
}
