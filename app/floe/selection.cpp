#include "app/floe/selection.h"

#include <algorithm>
#include <utility>

namespace floe::cli {

using control::PeerStatus;
using control::RendezvousStatus;
using control::Status;

Result<Status, std::string> Select(Status status, const std::vector<std::string>& names) {
  if (names.empty()) {
    return status;
  }
  std::vector<PeerStatus> selected;
  for (const std::string& name : names) {
    const PeerStatus* const peer = control::FindPeer(status, name);
    if (peer == nullptr) {
      return Fail(name);
    }
    selected.push_back(*peer);
  }
  status.peers = std::move(selected);
  return status;
}

bool IsUp(const PeerStatus& peer) {
  return peer.state == control::PeerState::kUp;
}

bool IsDirect(const PeerStatus& peer) {
  return IsUp(peer) && peer.path.kind == control::PathKind::kDirect;
}

bool Passes(const Status& selected, Check check, bool named) {
  const auto connected = [](const RendezvousStatus& server) {
    return server.state == control::ServerState::kConnected;
  };
  switch (check) {
    case Check::kLive:
      return true;
    case Check::kReady:
      return (selected.rendezvous.empty() || std::ranges::any_of(selected.rendezvous, connected)) &&
             (!named || std::ranges::all_of(selected.peers, IsUp));
    case Check::kDirect:
      return !selected.peers.empty() && std::ranges::all_of(selected.peers, IsDirect);
  }
  return false;
}

}  // namespace floe::cli
