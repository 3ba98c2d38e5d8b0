// Feeds arbitrary frames to the WebSocket reader, whole and in pieces, which must read the same.
// The first byte says which end reads and how large the pieces are.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "signaling/utf8.h"
#include "signaling/websocket.h"

namespace {

using floe::Bytes;
using floe::signaling::WebSocketEvent;
using floe::signaling::WebSocketReader;
using floe::signaling::WebSocketRole;

constexpr std::size_t kMaxMessage = 512;

std::vector<WebSocketEvent> Read(WebSocketRole role, Bytes input, std::size_t step) {
  WebSocketReader reader(role, kMaxMessage);
  std::vector<WebSocketEvent> events;
  while (!input.empty()) {
    Bytes piece = input.first(std::min(step, input.size()));
    input = input.subspan(piece.size());
    while (auto event = reader.Read(piece)) {
      events.push_back(std::move(*event));
    }
    if (!piece.empty()) {
      std::abort();
    }
  }
  return events;
}

bool Same(const WebSocketEvent& a, const WebSocketEvent& b) {
  return a.kind == b.kind && a.payload == b.payload && a.code == b.code;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) {
    return 0;
  }
  const WebSocketRole role = (data[0] & 1U) != 0 ? WebSocketRole::kServer : WebSocketRole::kClient;
  const std::size_t step = std::size_t{data[0]} / 2 + 1;
  const Bytes input = Bytes(data, size).subspan(1);

  const auto whole = Read(role, input, input.size());
  const auto pieces = Read(role, input, step);
  if (!std::ranges::equal(whole, pieces, Same)) {
    std::abort();
  }
  for (const WebSocketEvent& event : whole) {
    const bool is_text = event.kind == WebSocketEvent::Kind::kText;
    if (event.payload.size() > kMaxMessage ||
        (is_text && !floe::signaling::IsUtf8(event.payload))) {
      std::abort();
    }
  }
  return 0;
}
