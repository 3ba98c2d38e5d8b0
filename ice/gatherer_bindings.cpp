#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "ice/gatherer.h"
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

}  // namespace

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

bool Gatherer::HandleBindingResponse(TimePoint now, const SocketAddress& local,
                                     const SocketAddress& remote, Bytes datagram) {
  const auto message = stun::MessageView::Parse(datagram);
  if (!message || message->method() != stun::Method::kBinding) {
    return false;
  }
  if (discovery_ && discovery_->HandleResponse(now, local, remote, *message)) {
    DrainDiscovery();
    return true;
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
  Discover(now, *found, *message);
  ReportIfDone();
  return true;
}

/// Asks a server that offers it how the NAT behaves, once for each outside address of ours.
void Gatherer::Discover(TimePoint now, const Binding& binding, const stun::MessageView& message) {
  const auto value = message.Find(stun::AttributeType::kOtherAddress);
  const auto other = value ? stun::ReadAddress(*value) : std::nullopt;
  const bool usable = other && other->ip.is_v4() && binding.base.ip.is_v4() &&
                      IsUsableRemote(*other) && other->ip != binding.server.ip &&
                      other->port != binding.server.port;
  if (!usable) {
    return;
  }
  if (discovery_) {  // One base and one server are enough, as long as that base is ours.
    const NatDiscoveryConfig& known = discovery_->config();
    const bool current = std::ranges::find(addresses_, known.base) != addresses_.end();
    const bool same = known.base == binding.base && known.server == binding.server;
    if (current && (!same || known.mapped == *binding.mapped)) {
      return;
    }
  }
  // Where we ask anyway, the NAT is open to answers.
  const bool asked =
      std::ranges::any_of(bindings_,
                          [&](const Binding& entry) { return entry.server.ip == other->ip; }) ||
      std::ranges::any_of(relays_, [&](const NamedRelay& entry) {
        return std::ranges::any_of(entry.relay->ways(), [&](const auto& way) {
          return way->server().address.ip == other->ip;
        });
      });
  discovery_.emplace(now,
                     NatDiscoveryConfig{.base = binding.base,
                                        .server = binding.server,
                                        .mapped = *binding.mapped,
                                        .other = *other,
                                        .filtering = !asked},
                     random_);
  DrainDiscovery();
}

void Gatherer::DrainDiscovery() {
  while (auto transmit = discovery_->PollTransmit()) {
    transmits_.push_back(std::move(*transmit));
  }
}

void Gatherer::AddReflexive(const SocketAddress& base, const SocketAddress& mapped,
                            const SocketAddress& server) {
  if (mapped == base || !IsUsableRemote(mapped)) {
    return;  // RFC 8445 section 5.1.3: redundant with the host candidate.
  }
  if (const auto guess = guesses_.find(base); guess != guesses_.end() && guess->second == mapped) {
    DropGuess(base);  // It is known by now.
  }
  AddCandidate(
      {.type = CandidateType::kServerReflexive,
       .address = mapped,
       .base = base,
       .priority = ComputePriority(CandidateType::kServerReflexive, LocalPreference(base)),
       .foundation = ComputeFoundation(CandidateType::kServerReflexive, base.ip, server.ip),
       .related = base});
  GuessForward(base);
}

void Gatherer::GuessForward(const SocketAddress& base) {
  const auto known = guesses_.find(base);
  const auto mapping = port_mappings_.find(base);
  std::optional<SocketAddress> guess;
  for (const Candidate& candidate : candidates_) {
    const bool guessed = known != guesses_.end() && known->second == candidate.address;
    const bool forwarded = mapping != port_mappings_.end() && mapping->second == candidate.address;
    if (candidate.type == CandidateType::kServerReflexive && candidate.base == base && !guessed &&
        !forwarded) {
      guess = SocketAddress{candidate.address.ip, base.port};
      break;
    }
  }
  if (known != guesses_.end()) {
    if (guess == known->second) {
      return;
    }
    DropGuess(base);
  }
  const bool is_known = std::ranges::any_of(candidates_, [&](const Candidate& candidate) {
    return candidate.base == base && candidate.address == guess;
  });
  if (!guess || is_known || !IsUsableRemote(*guess)) {
    return;
  }
  guesses_.emplace(base, *guess);
  constexpr std::uint16_t kLower = 32'768;  // Than what servers have seen.
  const auto preference = static_cast<std::uint16_t>(LocalPreference(base) - kLower);
  AddCandidate(
      {.type = CandidateType::kServerReflexive,
       .address = *guess,
       .base = base,
       .priority = ComputePriority(CandidateType::kServerReflexive, preference),
       .foundation = ComputeFoundation(CandidateType::kServerReflexive, base.ip, guess->ip),
       .related = base});
}

void Gatherer::DropGuess(const SocketAddress& base) {
  const auto guess = guesses_.find(base);
  if (guess == guesses_.end()) {
    return;
  }
  const auto gone = std::ranges::find_if(candidates_, [&](const Candidate& candidate) {
    return candidate.base == base && candidate.address == guess->second;
  });
  guesses_.erase(guess);
  if (gone != candidates_.end()) {
    events_.emplace_back(CandidateRemoved{*gone});
    candidates_.erase(gone);
  }
}

void Gatherer::SetPortMapping(const SocketAddress& base, std::optional<SocketAddress> external) {
  const auto known = port_mappings_.find(base);
  if (known != port_mappings_.end() && known->second == external) {
    return;
  }
  if (known != port_mappings_.end()) {
    const SocketAddress before = known->second;
    port_mappings_.erase(known);
    RemoveReflexive(base, before);
  }
  const bool ours = std::ranges::find(addresses_, base) != addresses_.end();
  if (!external || !ours) {
    return;
  }
  port_mappings_.emplace(base, *external);
  if (*external == base || !IsUsableRemote(*external)) {
    return;  // A pinhole in a firewall: the host candidate is what leads through it.
  }
  if (const auto guess = guesses_.find(base);
      guess != guesses_.end() && guess->second == *external) {
    DropGuess(base);
  }
  // Preferred to what STUN has found, for it depends neither on whom we have sent to nor on when.
  constexpr std::uint32_t kOneType = 1U << 24U;
  AddCandidate(
      {.type = CandidateType::kServerReflexive,
       .address = *external,
       .base = base,
       .priority =
           ComputePriority(CandidateType::kServerReflexive, LocalPreference(base)) + kOneType,
       .foundation = ComputeFoundation(CandidateType::kServerReflexive, base.ip, external->ip),
       .related = base});
}

void Gatherer::RemoveReflexive(const SocketAddress& base, const SocketAddress& mapped) {
  const auto forwarded = port_mappings_.find(base);
  const bool others = (forwarded != port_mappings_.end() && forwarded->second == mapped) ||
                      std::ranges::any_of(bindings_,
                                          [&](const Binding& binding) {
                                            return binding.base == base && binding.mapped == mapped;
                                          }) ||
                      std::ranges::any_of(relays_, [&](const NamedRelay& entry) {
                        return entry.relay->IsMapped(base, mapped);
                      });
  const auto gone = std::ranges::find_if(candidates_, [&](const Candidate& candidate) {
    return candidate.type == CandidateType::kServerReflexive && candidate.base == base &&
           candidate.address == mapped;
  });
  if (!others && gone != candidates_.end()) {
    events_.emplace_back(CandidateRemoved{*gone});
    candidates_.erase(gone);
    GuessForward(base);
  }
}

std::optional<SocketAddress> Gatherer::ServerOf(const SocketAddress& base) const {
  const auto found = std::ranges::find_if(
      bindings_, [&](const Binding& binding) { return binding.base == base && binding.mapped; });
  return found == bindings_.end() ? std::nullopt : std::optional(found->server);
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
  for (const NamedRelay& entry : relays_) {
    for (const auto& way : entry.relay->ways()) {
      if (way->ready() && way->mapped()) {
        judge(way->local(), *way->mapped());
      }
    }
  }
  if (kind == NatKind::kEasy && (nat_mapping() == NatMapping::kAddressDependent ||
                                 nat_mapping() == NatMapping::kAddressAndPortDependent)) {
    return NatKind::kHard;  // One server alone could not tell.
  }
  return kind;
}

}  // namespace floe::ice
