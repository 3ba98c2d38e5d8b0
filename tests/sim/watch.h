// What must hold of all packets, whatever happens: looked at from the wires.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
#include "tests/sim/packet_observer.h"

namespace floe::sim {

/// Checks that
/// - tunnel data goes from one address straight to another only while a check was answered on that
///   way in the last 30 s (RFC 7675 section 5.1);
/// - no address is asked more often than the pace allows, and one that never answers gets little
///   (RFC 8445 section 19.5.1).
class Watch final : public PacketObserver {
 public:
  struct Packet {
    Flow flow;
    std::vector<std::uint8_t> payload;
  };

  /// `servers` are no peers, so these rules are not for them.
  explicit Watch(std::set<IpAddress> servers) : servers_(std::move(servers)) {}

  void HandlePacket(const PacketRecord& record) override;

  /// The first thing that was wrong.
  [[nodiscard]] const std::optional<std::string>& failure() const { return failure_; }

  /// Checks and their answers that reached a node lately, the last one last.
  [[nodiscard]] const std::deque<Packet>& checks() const { return checks_; }

  [[nodiscard]] std::uint64_t sent() const { return sent_; }

 private:
  /// From one of our addresses to a remote one.
  using Way = std::pair<SocketAddress, SocketAddress>;

  struct Asking {
    TimePoint second;            // Began then.
    std::size_t in_second = 0;   // Checks.
    std::size_t unanswered = 0;  // Checks since an answer, or for ever.
    TimePoint since;             // Of the first of those.
  };

  void HandleSent(const PacketRecord& record);
  void HandleDelivered(const PacketRecord& record);
  void Fail(const PacketRecord& record, const std::string& what);

  std::set<IpAddress> servers_;
  std::map<Way, TimePoint> answered_;
  std::map<Way, Asking> asked_;
  std::deque<Packet> checks_;
  std::uint64_t sent_ = 0;
  std::optional<std::string> failure_;
};

}  // namespace floe::sim
