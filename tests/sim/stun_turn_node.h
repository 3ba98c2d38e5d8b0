// The STUN and TURN server on a simulated host.

#pragma once

#include <cstdint>
#include <optional>
#include <set>

#include "base/random.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/turn/server.h"
#include "tests/sim/node.h"

namespace floe::sim {

/// Listens on kPort of all addresses of its host. A restarted server is another node: what it had
/// allocated is gone.
class StunTurnNode final : public Node {
 public:
  static constexpr std::uint16_t kPort = 3478;

  /// `config.relay_ips` are addresses of the host. `random` must outlive this.
  StunTurnNode(ice::turn::ServerConfig config, RandomSource& random)
      : server_(std::move(config), random) {}

  void HandleDatagram(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                      Bytes datagram) override;
  void HandleTimeout(TimePoint now) override;
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const override;
  [[nodiscard]] std::optional<Transmit> PollTransmit() override;

  /// For its counters.
  [[nodiscard]] const ice::turn::Server& server() const { return server_; }

 private:
  /// Opens and closes relayed ports; here that cannot fail.
  void Act(TimePoint now);

  ice::turn::Server server_;
  std::set<SocketAddress> relayed_;
};

}  // namespace floe::sim
