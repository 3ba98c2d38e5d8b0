#include "tests/sim/stun_turn_node.h"

#include <utility>
#include <variant>

namespace floe::sim {

void StunTurnNode::HandleDatagram(TimePoint now, const SocketAddress& local,
                                  const SocketAddress& remote, Bytes datagram) {
  if (relayed_.contains(local)) {
    server_.HandleRelayed(now, local, remote, datagram);
  } else if (local.port == kPort) {
    server_.HandleDatagram(now, remote, local, datagram);
  }
  Act(now);
}

void StunTurnNode::HandleTimeout(TimePoint now) {
  server_.HandleTimeout(now);
  Act(now);
}

std::optional<TimePoint> StunTurnNode::NextTimeout() const {
  return server_.NextTimeout();
}

std::optional<Node::Transmit> StunTurnNode::PollTransmit() {
  auto transmit = server_.PollTransmit();
  if (!transmit) {
    return std::nullopt;
  }
  return Transmit{.local = transmit->local,
                  .remote = transmit->remote,
                  .payload = std::move(transmit->payload)};
}

void StunTurnNode::Act(TimePoint now) {
  while (const auto action = server_.PollAction()) {
    if (const auto* open = std::get_if<ice::turn::OpenRelay>(&*action)) {
      relayed_.insert(open->address);
      server_.HandleRelayOpened(now, open->address);
    } else {
      relayed_.erase(std::get<ice::turn::CloseRelay>(*action).address);
    }
  }
}

}  // namespace floe::sim
