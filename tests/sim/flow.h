// Who sends to whom, as the routers of the simulated internet see it.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/socket_address.h"

namespace floe::sim {

enum class Protocol : std::uint8_t { kUdp, kTcp };

struct Flow {
  Protocol protocol = Protocol::kUdp;
  SocketAddress from;
  SocketAddress to;
};

/// Says whether a packet is to vanish where the rule is set. It sees both directions.
using BlockRule = std::function<bool(const Flow&)>;

/// What the far side is, for BlockFar(); a part that is not set matches everything.
struct FarSide {
  std::optional<Protocol> protocol;
  std::optional<IpAddress> ip;
  std::optional<std::uint16_t> port;
};

/// Blocks packets to and from `far`, like block() of the namespace laboratory.
[[nodiscard]] inline BlockRule BlockFar(FarSide far) {
  return [far](const Flow& flow) {
    const auto matches = [&far](const SocketAddress& end) {
      return far.ip.value_or(end.ip) == end.ip && far.port.value_or(end.port) == end.port;
    };
    return far.protocol.value_or(flow.protocol) == flow.protocol &&
           (matches(flow.from) || matches(flow.to));
  };
}

}  // namespace floe::sim
