// A log of every packet as text, to read after a run or to compare two runs.

#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "tests/sim/packet_observer.h"

namespace floe::sim {

/// What a datagram looks like by its first bytes, as one UDP socket demultiplexes them:
/// "stun-request", "stun-indication", "stun-success", "stun-error", "channel-data",
/// "wg-initiation", "wg-response", "wg-cookie", "wg-data" or "other".
[[nodiscard]] std::string_view KindOf(Bytes datagram);

class TextTrace final : public PacketObserver {
 public:
  void HandlePacket(const PacketRecord& record) override;

  /// One line a record: seconds of virtual time, event, addresses, kind, size in bytes.
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace floe::sim
