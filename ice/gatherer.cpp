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
      for (Relay& relay : relays_) {
        if (relay.client && relay.client->local() == base) {
          LoseRelay(now, relay);
          relay.retry = now;
        }
      }
      RemoveCandidates(base);
    }
  }
  for (const SocketAddress& base : addresses_) {
    if (std::ranges::find(before, base) == before.end()) {
      if (Relay* relay = FindRelay(base)) {
        LoseRelay(now, *relay);  // See IsTaken().
      }
      AddCandidate({.type = CandidateType::kHost,
                    .address = base,
                    .base = base,
                    .priority = ComputePriority(CandidateType::kHost, LocalPreference(base)),
                    .foundation = ComputeFoundation(CandidateType::kHost, base.ip, std::nullopt)});
    }
  }
  MakeBindings(now);
  for (Relay& relay : relays_) {
    if (!relay.client && (!relay.retry || *relay.retry <= now || relay.failures == 0)) {
      StartRelay(now, relay);
    }
  }
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

  if (relays.size() > kMaxServers) {
    relays.resize(kMaxServers);
  }
  for (Relay& relay : relays_) {
    const bool stays = std::ranges::any_of(
        relays, [&](const RelayServer& server) { return server.address == relay.server.address; });
    if (!stays && relay.client) {
      LoseRelay(now, relay);
    }
  }
  std::erase_if(relays_, [&](const Relay& relay) {
    return std::ranges::none_of(
        relays, [&](const RelayServer& server) { return server.address == relay.server.address; });
  });
  for (RelayServer& server : relays) {
    const auto known = std::ranges::find_if(
        relays_, [&](const Relay& relay) { return relay.server.address == server.address; });
    if (known != relays_.end()) {
      // The same username has to stay for an allocation's life (RFC 8656 section 5): credentials
      // that are newer serve the next allocation.
      known->server = std::move(server);
    } else {
      relays_.push_back(Relay{.server = std::move(server)});
      StartRelay(now, relays_.back());
    }
  }
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
  for (Relay& relay : relays_) {
    if (relay.retry) {
      relay.retry = now;
    }
    if (relay.client && relay.client->ready()) {
      relay.client->CheckNow(now);  // The allocation belongs to the address we had.
      DrainRelay(now, relay);
    }
  }
}

Gatherer::Inbound Gatherer::HandleDatagram(TimePoint now, const SocketAddress& local,
                                           const SocketAddress& remote, Bytes datagram) {
  for (Relay& relay : relays_) {
    if (!relay.client || relay.server.address != remote || relay.client->local() != local) {
      continue;
    }
    const auto inbound = relay.client->HandleDatagram(now, datagram);
    if (inbound.verdict == turn::Client::Verdict::kData) {
      return {.verdict = Verdict::kData,
              .local = relay.client->relayed(),
              .remote = inbound.peer,
              .payload = inbound.payload};
    }
    if (inbound.verdict == turn::Client::Verdict::kConsumed) {
      DrainRelay(now, relay);
      return {.verdict = Verdict::kConsumed};
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
                    std::vector<std::uint8_t> payload) {
  Relay* relay = FindRelay(base);
  if (relay == nullptr) {
    transmits_.push_back({base, remote, std::move(payload)});
    return;
  }
  relay->permitted[remote.ip] = now;
  if (const auto channel = relay->channels.find(remote); channel != relay->channels.end()) {
    channel->second = now;
  }
  relay->client->Send(now, remote, payload);
  DrainRelay(now, *relay);
}

void Gatherer::Close(TimePoint now) {
  for (Relay& relay : relays_) {
    LoseRelay(now, relay);
    relay.retry.reset();
  }
  for (const Binding& binding : std::exchange(bindings_, {})) {
    if (binding.mapped) {
      RemoveReflexive(binding.base, *binding.mapped);
    }
  }
}

void Gatherer::HandleTimeout(TimePoint now) {
  for (Binding& binding : bindings_) {
    if (binding.wake <= now) {
      SendBindingRequest(now, binding);
    }
  }
  for (Relay& relay : relays_) {
    if (relay.retry && *relay.retry <= now) {
      StartRelay(now, relay);
    } else if (relay.client && relay.client->NextTimeout() && *relay.client->NextTimeout() <= now) {
      relay.client->HandleTimeout(now);
      ForgetIdle(now, relay);
      DrainRelay(now, relay);
    }
  }
}

/// A server that names our own address, or another relay's, would have all that is sent from there.

void Gatherer::ReportIfDone() {
  const bool done = std::ranges::all_of(bindings_, &Binding::settled) &&
                    std::ranges::all_of(relays_, &Relay::settled);
  if (done && !done_) {
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
  for (const Binding& binding : bindings_) {
    consider(binding.wake);
  }
  for (const Relay& relay : relays_) {
    consider(relay.retry);
    if (relay.client) {
      consider(relay.client->NextTimeout());
    }
  }
  return next;
}

}  // namespace floe::ice
