#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "ice/gatherer.h"

namespace floe::ice {
namespace {

using std::chrono::seconds;

constexpr std::array<Duration, 5> kRelayRetries{seconds(1), seconds(2), seconds(5), seconds(15),
                                                seconds(60)};
constexpr Duration kIdle = seconds(300);  // A permission or channel that is not used is given up.

}  // namespace

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

void Gatherer::UseForData(TimePoint now, const SocketAddress& base, const SocketAddress& remote) {
  if (Relay* relay = FindRelay(base)) {
    relay->permitted[remote.ip] = now;
    relay->channels[remote] = now;
    relay->client->BindChannel(now, remote);
    DrainRelay(now, *relay);
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

}  // namespace floe::ice
