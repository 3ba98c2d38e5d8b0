#include "ice/gatherer.h"

#include <algorithm>
#include <utility>

#include "ice/interleave.h"

namespace floe::ice {

std::string_view ToString(NatKind kind) {
  switch (kind) {
    case NatKind::kUnknown:
      return "unknown";
    case NatKind::kNone:
      return "none";
    case NatKind::kEasy:
      return "easy";
    case NatKind::kHard:
      return "hard";
    case NatKind::kBlocked:
      return "blocked";
  }
  return "unknown";
}

Gatherer::Gatherer(RandomSource& random) : random_(random) {}

void Gatherer::SetLocalAddresses(TimePoint now, const std::vector<SocketAddress>& addresses) {
  const std::vector<SocketAddress> before =
      std::exchange(addresses_, InterleaveFamilies(addresses));
  for (const SocketAddress& base : before) {
    if (std::ranges::find(addresses_, base) == addresses_.end()) {
      std::erase_if(bindings_, [&](const Binding& binding) { return binding.base == base; });
      RemoveCandidates(base);
      port_mappings_.erase(base);
      guesses_.erase(base);
    }
  }
  for (const SocketAddress& base : addresses_) {
    if (std::ranges::find(before, base) == before.end()) {
      if (Relay* relay = FindRelay(base)) {
        relay->Lose(now, base);  // See IsTaken().
        DrainRelays(now);
      }
      AddCandidate({.type = CandidateType::kHost,
                    .address = base,
                    .base = base,
                    .priority = ComputePriority(CandidateType::kHost, LocalPreference(base)),
                    .foundation = ComputeFoundation(CandidateType::kHost, base.ip, std::nullopt)});
    }
  }
  MakeBindings(now);
  for (const NamedRelay& entry : relays_) {
    entry.relay->SetLocalAddresses(now, addresses_);
  }
  DrainRelays(now);
}

void Gatherer::SetServers(TimePoint now, const std::vector<SocketAddress>& stun,
                          std::vector<RelayServer> relays) {
  stun_servers_.assign(
      stun.begin(), stun.begin() + static_cast<std::ptrdiff_t>(std::min(stun.size(), kMaxServers)));
  const auto kept =
      std::stable_partition(bindings_.begin(), bindings_.end(), [&](const Binding& binding) {
        return std::ranges::find(stun_servers_, binding.server) != stun_servers_.end();
      });
  const std::vector<Binding> gone(std::make_move_iterator(kept),
                                  std::make_move_iterator(bindings_.end()));
  bindings_.erase(kept, bindings_.end());
  MakeBindings(now);

  SetRelays(now, std::move(relays));
  for (const Binding& binding : gone) {
    if (binding.mapped) {  // Nobody looks after that mapping any more.
      RemoveReflexive(binding.base, *binding.mapped);
    }
  }
  done_ = false;
}

void Gatherer::HandleNetworkChange(TimePoint now) {
  for (Binding& binding : bindings_) {
    binding.sends = 0;
    binding.wake = now;
  }
  for (const NamedRelay& entry : relays_) {
    entry.relay->HandleNetworkChange(now);
  }
  DrainRelays(now);
}

Gatherer::Inbound Gatherer::HandleDatagram(TimePoint now, const SocketAddress& local,
                                           const SocketAddress& remote, Bytes datagram) {
  for (const NamedRelay& entry : relays_) {
    const RelayInbound inbound = entry.relay->HandleDatagram(now, local, remote, datagram);
    switch (inbound.verdict) {
      case turn::Client::Verdict::kNotMine:
        break;
      case turn::Client::Verdict::kConsumed:
        DrainRelays(now);
        return {.verdict = Verdict::kConsumed};
      case turn::Client::Verdict::kData:
        return {.verdict = Verdict::kData,
                .local = inbound.local,
                .remote = inbound.remote,
                .payload = inbound.payload};
    }
  }
  return {.verdict = HandleBindingResponse(now, local, remote, datagram) ? Verdict::kConsumed
                                                                         : Verdict::kNotMine};
}

void Gatherer::AddCandidate(Candidate candidate) {
  const bool known = std::ranges::any_of(candidates_, [&](const Candidate& other) {
    return other.address == candidate.address && other.base == candidate.base;
  });
  if (!known) {
    candidates_.push_back(candidate);
    events_.emplace_back(CandidateAdded{std::move(candidate)});
  }
}

void Gatherer::RemoveCandidates(const SocketAddress& base) {
  std::erase_if(candidates_, [&](const Candidate& candidate) {
    if (candidate.base != base) {
      return false;
    }
    events_.emplace_back(CandidateRemoved{candidate});
    return true;
  });
}

std::uint16_t Gatherer::LocalPreference(const SocketAddress& base) const {
  const auto place = std::ranges::find(addresses_, base) - addresses_.begin();
  return static_cast<std::uint16_t>(65535 - std::min<std::ptrdiff_t>(place, 65535));
}

void Gatherer::Send(TimePoint now, const SocketAddress& base, const SocketAddress& remote,
                    std::vector<std::uint8_t> payload, Handling handling) {
  Relay* relay = FindRelay(base);
  if (relay == nullptr) {
    transmits_.push_back({base, remote, std::move(payload), handling});
    return;
  }
  const auto before = static_cast<std::ptrdiff_t>(transmits_.size());
  relay->Send(now, base, remote, payload);
  for (auto it = transmits_.begin() + before; it != transmits_.end(); ++it) {
    it->handling = handling;
  }
  DrainRelays(now);
}

std::optional<Gatherer::Underlying> Gatherer::UnderlyingOf(TimePoint now, const SocketAddress& base,
                                                           const SocketAddress& remote) const {
  for (const NamedRelay& entry : relays_) {
    if (const RelayWay* way = entry.relay->Find(base)) {
      const auto channel = way->ChannelTo(now, remote);
      return channel ? std::optional(Underlying{way->local(), way->target(), channel})
                     : std::nullopt;
    }
  }
  return base.transport == Transport::kUdp ? std::optional(Underlying{base, remote, std::nullopt})
                                           : std::nullopt;
}

void Gatherer::Close(TimePoint now) {
  for (const NamedRelay& entry : relays_) {
    entry.relay->Close(now);
  }
  DrainRelays(now);
  for (const Binding& binding : std::exchange(bindings_, {})) {
    if (binding.mapped) {
      RemoveReflexive(binding.base, *binding.mapped);
    }
  }
}

void Gatherer::HandleTimeout(TimePoint now) {
  if (discovery_) {
    discovery_->HandleTimeout(now);
    DrainDiscovery();
  }
  for (Binding& binding : bindings_) {
    if (binding.wake <= now) {
      SendBindingRequest(now, binding);
    }
  }
  for (const NamedRelay& entry : relays_) {
    if (entry.relay->NextTimeout() && *entry.relay->NextTimeout() <= now) {
      entry.relay->HandleTimeout(now);
    }
  }
  DrainRelays(now);
}

bool Gatherer::is_settled() const {
  return std::ranges::all_of(bindings_, &Binding::settled) &&
         std::ranges::all_of(relays_,
                             [](const NamedRelay& entry) { return entry.relay->settled(); });
}

void Gatherer::ReportIfDone() {
  if (is_settled() && !done_) {
    done_ = true;
    events_.emplace_back(GatheringDone{});
  }
}

std::optional<Transmit> Gatherer::PollTransmit() {
  if (transmits_.empty()) {
    return std::nullopt;
  }
  Transmit transmit = std::move(transmits_.front());
  transmits_.pop_front();
  return transmit;
}

std::optional<GathererEvent> Gatherer::PollEvent() {
  if (events_.empty()) {
    return std::nullopt;
  }
  GathererEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::optional<TimePoint> Gatherer::NextTimeout() const {
  std::optional<TimePoint> next;
  const auto consider = [&next](std::optional<TimePoint> time) {
    if (time && (!next || *time < *next)) {
      next = time;
    }
  };
  if (discovery_) {
    consider(discovery_->NextTimeout());
  }
  for (const Binding& binding : bindings_) {
    consider(binding.wake);
  }
  for (const NamedRelay& entry : relays_) {
    consider(entry.relay->NextTimeout());
  }
  return next;
}

}  // namespace floe::ice
