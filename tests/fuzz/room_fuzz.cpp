// What is done to inner packets because of the room of a path: any bytes, first two of which are
// the room.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "tunnel/ip_packet.h"
#include "tunnel/packet/ecn.h"
#include "tunnel/packet/fragmenter.h"
#include "tunnel/packet/mss_clamp.h"
#include "tunnel/packet/too_big.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace floe;
  if (size < 2) {
    return 0;
  }
  const std::size_t room = LoadBe<std::uint16_t>(Bytes(data, size), 0);
  const auto view = tunnel::IpPacketView::Parse(Bytes(data, size).subspan(2));
  static_cast<void>(tunnel::IsTcpSyn(Bytes(data, size).subspan(2)));
  if (!view) {
    return 0;
  }
  std::vector<std::uint8_t> packet(view->bytes().begin(), view->bytes().end());
  for (const auto& fragment : tunnel::Fragment(packet, room, 7)) {
    FLOE_CHECK(fragment.size() <= room);
    FLOE_CHECK(tunnel::IpPacketView::Parse(fragment)->bytes().size() == fragment.size());
  }
  if (const auto message = tunnel::MakeTooBig(packet, room); !message.empty()) {
    FLOE_CHECK(message.size() <= 1280);
    FLOE_CHECK(tunnel::IpPacketView::Parse(message)->destination() == view->source());
    FLOE_CHECK(tunnel::MakeTooBig(message, room).empty());  // It must not answer itself.
  }
  const bool clamped = tunnel::ClampMss(packet, room);
  FLOE_CHECK(!clamped || !tunnel::ClampMss(packet, room));
  if (tunnel::MergeEcn(packet, tunnel::Ecn::kCe)) {
    FLOE_CHECK(tunnel::ReadEcn(packet) == tunnel::Ecn::kCe);
  }
  return 0;
}
