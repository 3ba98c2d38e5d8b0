#include "ice/gatherer.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"

namespace floe::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A Binding request is repeated after these, then given up until the next round. The first gaps
// are shorter than RFC 8489's 500 ms: servers are few, and a lost datagram must not cost a link
// half a second.
constexpr std::array<Duration, 7> kBindingGaps{
    milliseconds(200),  milliseconds(400),  milliseconds(800), milliseconds(1600),
    milliseconds(3200), milliseconds(6400), milliseconds(6400)};
constexpr Duration kBindingKeepalive = seconds(25);  // RFC 8445 section 11 allows 15 s and more.
constexpr Duration kBindingRest = seconds(30);       // After a round without an answer.
constexpr std::array<Duration, 5> kRelayRetries{seconds(1), seconds(2), seconds(5), seconds(15),
                                                seconds(60)};
constexpr Duration kIdle = seconds(300);  // A permission or channel that is not used is given up.

}  // namespace

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
  const std::vector<SocketAddress> before = std::exchange(addresses_, addresses);
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

void Gatherer::MakeBindings(TimePoint now) {
  for (const SocketAddress& base : addresses_) {
    for (const SocketAddress& server : stun_servers_) {
      const bool known = std::ranges::any_of(bindings_, [&](const Binding& binding) {
        return binding.base == base && binding.server == server;
      });
      if (!known && server.ip.family == base.ip.family && !base.ip.is_link_local()) {
        bindings_.push_back(Binding{.base = base, .server = server, .wake = now});
        SendBindingRequest(now, bindings_.back());
      }
    }
  }
}

void Gatherer::SendBindingRequest(TimePoint now, Binding& binding) {
  if (binding.sends == 0) {
    binding.ids.clear();
  }
  if (binding.sends == kBindingGaps.size()) {
    if (binding.mapped) {  // It answered once and is silent: what it said may be wrong by now.
      RemoveReflexive(binding.base, *std::exchange(binding.mapped, std::nullopt));
    }
    binding.sends = 0;
    binding.settled = true;
    binding.wake = now + kBindingRest;
    ReportIfDone();
    return;
  }
  binding.ids.push_back(stun::NewTransactionId(random_));
  stun::Builder builder(stun::Class::kRequest, stun::Method::kBinding, binding.ids.back());
  builder.AddFingerprint();
  transmits_.push_back({binding.base, binding.server, builder.Take()});
  binding.wake = now + kBindingGaps[binding.sends++];
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

bool Gatherer::HandleBindingResponse(TimePoint now, const SocketAddress& local,
                                     const SocketAddress& remote, Bytes datagram) {
  const auto message = stun::MessageView::Parse(datagram);
  if (!message || message->method() != stun::Method::kBinding) {
    return false;
  }
  const auto id = message->transaction_id();
  const auto found = std::ranges::find_if(bindings_, [&](const Binding& binding) {
    return std::ranges::find(binding.ids, id) != binding.ids.end();
  });
  if (found == bindings_.end() || found->server != remote || found->base != local) {
    return false;
  }
  if (message->message_class() != stun::Class::kSuccess) {
    return true;  // Repeated and given up like one that is lost.
  }
  const auto mapped = stun::FindMappedAddress(*message);
  if (!mapped) {
    return true;
  }
  found->ids.clear();
  found->sends = 0;
  found->settled = true;
  found->wake = now + kBindingKeepalive;
  if (found->mapped != mapped->Unmapped()) {
    const auto before = std::exchange(found->mapped, mapped->Unmapped());
    if (before) {
      RemoveReflexive(local, *before);
    }
    AddReflexive(local, *found->mapped, remote);
  }
  ReportIfDone();
  return true;
}

void Gatherer::AddReflexive(const SocketAddress& base, const SocketAddress& mapped,
                            const SocketAddress& server) {
  if (mapped == base || !IsUsableRemote(mapped)) {
    return;  // RFC 8445 section 5.1.3: redundant with the host candidate.
  }
  AddCandidate(
      {.type = CandidateType::kServerReflexive,
       .address = mapped,
       .base = base,
       .priority = ComputePriority(CandidateType::kServerReflexive, LocalPreference(base)),
       .foundation = ComputeFoundation(CandidateType::kServerReflexive, base.ip, server.ip),
       .related = base});
}

void Gatherer::RemoveReflexive(const SocketAddress& base, const SocketAddress& mapped) {
  const bool others =
      std::ranges::any_of(bindings_,
                          [&](const Binding& binding) {
                            return binding.base == base && binding.mapped == mapped;
                          }) ||
      std::ranges::any_of(relays_, [&](const Relay& relay) {
        return relay.client && relay.client->local() == base && relay.mapped == mapped;
      });
  const auto gone = std::ranges::find_if(candidates_, [&](const Candidate& candidate) {
    return candidate.type == CandidateType::kServerReflexive && candidate.base == base &&
           candidate.address == mapped;
  });
  if (!others && gone != candidates_.end()) {
    events_.emplace_back(CandidateRemoved{*gone});
    candidates_.erase(gone);
  }
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

void Gatherer::StartRelay(TimePoint now, Relay& relay) {
  relay.retry.reset();
  std::vector<SocketAddress> bases;
  std::ranges::copy_if(addresses_, std::back_inserter(bases), [&](const SocketAddress& address) {
    return address.ip.family == relay.server.address.ip.family && !address.ip.is_link_local();
  });
  if (bases.empty()) {
    relay.settled = true;
    return;  // SetLocalAddresses tries again.
  }
  // The preferred one first; but an interface may lead nowhere, so each has its turn.
  const SocketAddress& base = bases[relay.turn % bases.size()];
  relay.client =
      std::make_unique<turn::Client>(now,
                                     turn::ClientConfig{.local = base,
                                                        .server = relay.server.address,
                                                        .username = relay.server.username,
                                                        .password = relay.server.password.Clone()},
                                     random_);
  DrainRelay(now, relay);
}

void Gatherer::LoseRelay(TimePoint now, Relay& relay) {
  if (relay.client) {
    relay.client->Close(now);
    while (auto bytes = relay.client->PollTransmit()) {
      transmits_.push_back({relay.client->local(), relay.server.address, std::move(*bytes)});
    }
    SetRelayMapped(relay, std::nullopt);
    relay.client.reset();
  }
  if (relay.relayed) {
    RemoveCandidates(*std::exchange(relay.relayed, std::nullopt));
  }
  relay.permitted.clear();
  relay.channels.clear();
}

void Gatherer::SetRelayMapped(Relay& relay, std::optional<SocketAddress> mapped) {
  const SocketAddress base = relay.client->local();
  const auto before = std::exchange(relay.mapped, mapped);
  if (before && before != mapped) {
    RemoveReflexive(base, *before);
  }
  if (mapped) {
    AddReflexive(base, *mapped, relay.server.address);
  }
}

void Gatherer::DrainRelay(TimePoint now, Relay& relay) {
  bool moved = false;
  while (auto bytes = relay.client->PollTransmit()) {
    transmits_.push_back({relay.client->local(), relay.server.address, std::move(*bytes)});
  }
  while (const auto event = relay.client->PollEvent()) {
    const auto* allocated = std::get_if<turn::Allocated>(&*event);
    if (allocated != nullptr && !IsTaken(allocated->relayed)) {
      relay.failures = 0;
      relay.settled = true;
      relay.relayed = allocated->relayed;
      SetRelayMapped(relay, allocated->mapped);
      AddCandidate({.type = CandidateType::kRelayed,
                    .address = allocated->relayed,
                    .base = allocated->relayed,
                    .priority = ComputePriority(CandidateType::kRelayed,
                                                LocalPreference(relay.client->local())),
                    .foundation = ComputeFoundation(
                        CandidateType::kRelayed, relay.client->local().ip, relay.server.address.ip),
                    .related = allocated->mapped});
      // Peers that use the same relay are reached, and reach us, without waiting for a permission.
      relay.client->Permit(now, relay.server.address.ip);
      relay.client->Permit(now, allocated->relayed.ip);
    } else if (const auto* changed = std::get_if<turn::MappedChanged>(&*event)) {
      SetRelayMapped(relay, changed->mapped);
      moved = true;
    } else {  // Lost, or an address that is not the server's to give.
      relay.turn += relay.relayed ? 0U : 1U;  // One that has worked is asked from there again.
      LoseRelay(now, relay);
      relay.settled = true;
      relay.retry =
          now + kRelayRetries[std::min<std::size_t>(relay.failures++, kRelayRetries.size() - 1)];
      break;
    }
    while (auto bytes = relay.client->PollTransmit()) {
      transmits_.push_back({relay.client->local(), relay.server.address, std::move(*bytes)});
    }
  }
  ReportIfDone();
  if (moved) {
    HandleNetworkChange(now);  // Last, because it drains the relays too.
  }
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

void Gatherer::UseForData(TimePoint now, const SocketAddress& base, const SocketAddress& remote) {
  if (Relay* relay = FindRelay(base)) {
    relay->permitted[remote.ip] = now;
    relay->channels[remote] = now;
    relay->client->BindChannel(now, remote);
    DrainRelay(now, *relay);
  }
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

void Gatherer::ForgetIdle(TimePoint now, Relay& relay) {
  std::erase_if(relay.channels, [&](const auto& entry) {
    if (now - entry.second < kIdle) {
      return false;
    }
    relay.client->Unbind(now, entry.first);
    return true;
  });
  std::erase_if(relay.permitted, [&](const auto& entry) {
    if (now - entry.second < kIdle) {
      return false;
    }
    // What is permitted from the start stays: see DrainRelay().
    if (entry.first != relay.server.address.ip &&
        (!relay.relayed || entry.first != relay.relayed->ip)) {
      relay.client->Revoke(entry.first);
    }
    return true;
  });
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
bool Gatherer::IsTaken(const SocketAddress& relayed) const {
  return IsRelayed(relayed) || std::ranges::find(addresses_, relayed) != addresses_.end();
}

Gatherer::Relay* Gatherer::FindRelay(const SocketAddress& relayed) {
  const auto found =
      std::ranges::find_if(relays_, [&](const Relay& relay) { return relay.relayed == relayed; });
  return found == relays_.end() ? nullptr : &*found;
}

bool Gatherer::IsRelayed(const SocketAddress& base) const {
  return RelayOf(base).has_value();
}

std::optional<SocketAddress> Gatherer::RelayOf(const SocketAddress& base) const {
  const auto found =
      std::ranges::find_if(relays_, [&](const Relay& relay) { return relay.relayed == base; });
  return found == relays_.end() ? std::nullopt : std::optional(found->server.address);
}

NatKind Gatherer::nat() const {
  NatKind kind = bindings_.empty() ? NatKind::kUnknown : NatKind::kBlocked;
  std::map<SocketAddress, SocketAddress> seen;  // For each base, what the first server said.
  for (const Binding& binding : bindings_) {
    if (!binding.settled && kind == NatKind::kBlocked) {
      kind = NatKind::kUnknown;
    }
  }
  const auto judge = [&](const SocketAddress& base, const SocketAddress& mapped) {
    if (!base.ip.is_v4()) {
      return;
    }
    const auto [it, first] = seen.emplace(base, mapped);
    if (it->second != mapped) {
      kind = NatKind::kHard;
    } else if (kind != NatKind::kHard) {
      kind = mapped == base ? NatKind::kNone : NatKind::kEasy;
    }
  };
  for (const Binding& binding : bindings_) {
    if (binding.mapped) {
      judge(binding.base, *binding.mapped);
    }
  }
  for (const Relay& relay : relays_) {
    if (relay.relayed && relay.client) {
      judge(relay.client->local(), relay.client->mapped());
    }
  }
  return kind;
}

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
