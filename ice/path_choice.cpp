#include "ice/path_choice.h"

namespace floe::ice {
namespace {

bool IsClearlyFaster(Duration candidate, Duration current) {
  return current - candidate >= kSwitchMargin &&
         candidate * 100 <= current * (100 - kSwitchPercent);
}

}  // namespace

PathTier TierOf(CandidateType local, CandidateType remote, Transport transport,
                RelayTransport relay) {
  const bool local_relayed = local == CandidateType::kRelayed;
  const bool remote_relayed = remote == CandidateType::kRelayed;
  if (local_relayed && relay != RelayTransport::kUdp) {
    return relay == RelayTransport::kTcp ? PathTier::kRelayTcp : PathTier::kRelayTls;
  }
  if (local_relayed && remote_relayed) {
    return PathTier::kTwoRelays;
  }
  if (local_relayed || remote_relayed) {
    return PathTier::kOneRelay;
  }
  if (transport == Transport::kTcp) {
    return PathTier::kDirectTcp;
  }
  const bool lan = local == CandidateType::kHost && remote == CandidateType::kHost;
  return lan ? PathTier::kLan : PathTier::kDirect;
}

bool IsDirect(PathTier tier) {
  return tier <= PathTier::kDirectTcp;
}

std::optional<std::size_t> ChoosePath(std::span<const PathSample> paths,
                                      std::optional<std::size_t> current) {
  std::optional<std::size_t> best;
  if (current && paths[*current].alive) {
    best = current;
  }
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (!paths[i].alive || i == best) {
      continue;
    }
    if (!best || paths[i].tier < paths[*best].tier) {
      best = i;
      continue;
    }
    if (paths[i].tier > paths[*best].tier) {
      continue;
    }
    const bool incumbent = best == current;
    if (incumbent ? IsClearlyFaster(paths[i].rtt, paths[*best].rtt)
                  : paths[i].rtt < paths[*best].rtt) {
      best = i;
    }
  }
  return best;
}

}  // namespace floe::ice
