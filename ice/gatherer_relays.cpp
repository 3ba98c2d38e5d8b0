#include <algorithm>
#include <utility>

#include "ice/gatherer.h"

namespace floe::ice {
namespace {

/// Relays by a worse transport have lower priority, whatever the address. libwebrtc does the same.
std::uint16_t RelayPreference(std::uint16_t preference, RelayTransport transport, bool additional) {
  constexpr unsigned kStep = 16'384;
  const unsigned lower = static_cast<unsigned>(transport) * kStep + (additional ? kStep / 2 : 0);
  return static_cast<std::uint16_t>(preference - std::min<unsigned>(lower, preference));
}

}  // namespace

void Gatherer::SetRelays(TimePoint now, std::vector<RelayServer> relays) {
  std::vector<std::pair<std::string, std::vector<RelayServer>>> groups;
  for (RelayServer& server : relays) {
    server.address.transport =
        server.transport == RelayTransport::kUdp ? Transport::kUdp : Transport::kTcp;
    const std::string name = server.host();
    auto group = std::ranges::find(groups, name, [](const auto& entry) { return entry.first; });
    if (group == groups.end() && groups.size() < kMaxServers) {
      group = groups.emplace(groups.end(), name, std::vector<RelayServer>());
    }
    if (group != groups.end() && group->second.size() < kMaxWays) {
      group->second.push_back(std::move(server));
    }
  }
  std::vector<NamedRelay> before = std::exchange(relays_, {});
  for (auto& [name, servers] : groups) {
    const auto known = std::ranges::find(before, name, &NamedRelay::name);
    if (known != before.end()) {
      relays_.push_back(std::move(*known));
      before.erase(known);
    } else {
      relays_.push_back({.name = name,
                         .relay = std::make_unique<Relay>(RelayOutbox{.transmits = transmits_,
                                                                      .actions = stream_actions_,
                                                                      .events = relay_events_,
                                                                      .next_stream = next_stream_},
                                                          random_)});
      relays_.back().relay->SetLocalAddresses(now, addresses_);
    }
    relays_.back().relay->SetServers(now, std::move(servers));
  }
  for (const NamedRelay& gone : before) {
    gone.relay->Close(now);
  }
  DrainRelays(now);
}

void Gatherer::DrainRelays(TimePoint now) {
  bool moved = false;
  while (!relay_events_.empty()) {
    const RelayEvent event = std::move(relay_events_.front());
    relay_events_.pop_front();
    const auto* mapping = std::get_if<RelayMapping>(&event);
    moved = moved || (mapping != nullptr && mapping->before && mapping->after);
    HandleRelayEvent(now, event);
  }
  ReportIfDone();
  if (moved) {
    HandleNetworkChange(now);  // Last, because it drains the relays too.
  }
}

void Gatherer::HandleRelayEvent(TimePoint now, const RelayEvent& event) {
  if (const auto* found = std::get_if<RelayFound>(&event)) {
    if (IsTaken(found->relayed) || (found->additional && IsTaken(*found->additional))) {
      // By the way that has found it, and by no other: those were asked first.
      for (const NamedRelay& entry : relays_) {
        entry.relay->Refuse(now, *found);
      }
      return;
    }
    AddRelayed(*found, found->relayed);
    if (found->additional) {
      AddRelayed(*found, *found->additional);
    }
  } else if (const auto* gone = std::get_if<RelayGone>(&event)) {
    RemoveCandidates(gone->relayed);
  } else if (const auto* mapping = std::get_if<RelayMapping>(&event)) {
    if (mapping->before) {
      RemoveReflexive(mapping->local, *mapping->before);
    }
    if (mapping->after) {
      AddReflexive(mapping->local, *mapping->after, mapping->server);
    }
  } else if (const auto* refused = std::get_if<RelayRefused>(&event)) {
    events_.emplace_back(*refused);
  } else {
    events_.emplace_back(std::get<RelayedUnreachable>(event));
  }
}

void Gatherer::AddRelayed(const RelayFound& found, const SocketAddress& relayed) {
  const bool additional = relayed != found.relayed;
  AddCandidate(
      {.type = CandidateType::kRelayed,
       .address = relayed,
       .base = relayed,
       .priority = ComputePriority(
           CandidateType::kRelayed,
           RelayPreference(LocalPreference(found.local), found.transport, additional)),
       .foundation = ComputeFoundation(CandidateType::kRelayed, relayed.ip, found.server.ip),
       .related = found.mapped,
       .relay_transport = found.transport});
}

bool Gatherer::HandleStreamOpened(TimePoint now, StreamId id, const SocketAddress& local) {
  const bool mine = std::ranges::any_of(relays_, [&](const NamedRelay& entry) {
    return entry.relay->HandleStreamOpened(now, id, local);
  });
  DrainRelays(now);
  return mine;
}

bool Gatherer::HandleStreamBytes(TimePoint now, StreamId id, Bytes bytes) {
  const bool mine = std::ranges::any_of(relays_, [&](const NamedRelay& entry) {
    return entry.relay->HandleStreamBytes(now, id, bytes, received_);
  });
  DrainRelays(now);
  return mine;
}

bool Gatherer::HandleStreamClosed(TimePoint now, StreamId id, std::string_view reason) {
  const bool mine = std::ranges::any_of(relays_, [&](const NamedRelay& entry) {
    return entry.relay->HandleStreamClosed(now, id, reason);
  });
  DrainRelays(now);
  return mine;
}

std::optional<StreamAction> Gatherer::PollStreamAction() {
  if (stream_actions_.empty()) {
    return std::nullopt;
  }
  StreamAction action = std::move(stream_actions_.front());
  stream_actions_.pop_front();
  return action;
}

std::optional<Relayed> Gatherer::PollReceived() {
  if (received_.empty()) {
    return std::nullopt;
  }
  Relayed received = std::move(received_.front());
  received_.pop_front();
  return received;
}

void Gatherer::UseForData(TimePoint now, const SocketAddress& base, const SocketAddress& remote) {
  if (Relay* relay = FindRelay(base)) {
    relay->UseForData(now, base, remote);
    DrainRelays(now);
  }
}

/// A server that names our own address, or another relay's, would have all that is sent from there.
bool Gatherer::IsTaken(const SocketAddress& relayed) const {
  return std::ranges::find(addresses_, relayed) != addresses_.end() ||
         std::ranges::any_of(candidates_, [&](const Candidate& candidate) {
           return candidate.type == CandidateType::kRelayed && candidate.base == relayed;
         });
}

Relay* Gatherer::FindRelay(const SocketAddress& relayed) {
  const auto found = std::ranges::find_if(
      relays_, [&](const NamedRelay& entry) { return entry.relay->Find(relayed) != nullptr; });
  return found == relays_.end() ? nullptr : found->relay.get();
}

bool Gatherer::IsRelayed(const SocketAddress& base) const {
  return RelayOf(base).has_value();
}

std::optional<SocketAddress> Gatherer::RelayOf(const SocketAddress& base) const {
  for (const NamedRelay& entry : relays_) {
    if (const RelayWay* way = entry.relay->Find(base)) {
      return way->server().address;
    }
  }
  return std::nullopt;
}

std::optional<RelayTransport> Gatherer::RelayTransportOf(const SocketAddress& base) const {
  for (const NamedRelay& entry : relays_) {
    if (const RelayWay* way = entry.relay->Find(base)) {
      return way->transport();
    }
  }
  return std::nullopt;
}

}  // namespace floe::ice
