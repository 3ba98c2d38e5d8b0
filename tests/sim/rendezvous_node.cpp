#include "tests/sim/rendezvous_node.h"

#include <utility>
#include <variant>

namespace floe::sim {

std::vector<signaling::TurnCredentials> FixedWelcome::MakeTurn(const PublicKey& /*node*/) {
  std::vector<signaling::TurnCredentials> all;
  if (!turn.empty()) {
    all.push_back({.urls = turn, .username = username, .password = password.Clone(), .ttl = ttl});
  }
  return all;
}

std::optional<Node::StreamAction> RendezvousNode::PollStream() {
  auto action = hub_.PollAction();
  if (!action) {
    return std::nullopt;
  }
  if (auto* write = std::get_if<signaling::HubWrite>(&*action)) {
    // A simulated stream takes everything.
    hub_.HandleWritten(now_, write->id, write->bytes.size());
    return WriteStream{.id = write->id, .bytes = std::move(write->bytes)};
  }
  return CloseStream{.id = std::get<signaling::HubClose>(*action).id};
}

}  // namespace floe::sim
