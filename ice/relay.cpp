#include "ice/relay.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <tuple>
#include <utility>

namespace floe::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// By RelayTransport: a way that is worse gives the better ones this long.
constexpr std::array<Duration, 3> kHeadStarts{milliseconds(0), milliseconds(150),
                                              milliseconds(300)};
constexpr Duration kOverlap =
    seconds(20);  // For data to move off a way that a better one replaces.

Duration HeadStart(RelayTransport transport) {
  return kHeadStarts[static_cast<std::size_t>(transport)];
}

bool IsSame(const RelayServer& a, const RelayServer& b) {
  return a.address == b.address && a.transport == b.transport;
}

}  // namespace

Relay::Relay(RelayOutbox outbox, RandomSource& random) : outbox_(outbox), random_(random) {}

void Relay::SetServers(TimePoint now, std::vector<RelayServer> servers) {
  std::ranges::stable_sort(servers, {}, &RelayServer::transport);
  std::vector<std::unique_ptr<RelayWay>> before = std::exchange(ways_, {});
  for (RelayServer& server : servers) {
    const auto known = std::ranges::find_if(
        before, [&](const auto& way) { return way && IsSame(way->server(), server); });
    if (known == before.end()) {
      ways_.push_back(std::make_unique<RelayWay>(std::move(server), outbox_, random_));
    } else {
      (*known)->SetServer(now, std::move(server));
      ways_.push_back(std::move(*known));
    }
  }
  for (const auto& gone : before) {
    if (gone) {
      gone->Stop(now);
    }
  }
  race_at_ = race_at_.value_or(now);
  Plan(now);
}

void Relay::SetLocalAddresses(TimePoint now, const std::vector<SocketAddress>& addresses) {
  const std::vector<SocketAddress> before = std::exchange(addresses_, addresses);
  const auto is_gone = [&](const RelayWay& way) {
    const auto is_there = [&](const std::vector<SocketAddress>& list) {
      return std::ranges::any_of(list, [&](const SocketAddress& address) {
        return way.transport() == RelayTransport::kUdp ? address == way.local()
                                                       : address.ip == way.local().ip;
      });
    };
    return way.is_stranded()
               ? BaseFor(way).has_value()
               : way.state() != RelayWay::State::kIdle && is_there(before) && !is_there(addresses_);
  };
  for (const auto& way : ways_) {
    if (is_gone(*way)) {
      way->HandleAddressGone(now, BaseFor(*way));
    }
  }
  BeginRace(now);
  Plan(now);
}

void Relay::HandleNetworkChange(TimePoint now) {
  for (const auto& way : ways_) {
    way->HandleNetworkChange(now);
  }
  if (race_at_) {  // Not after Close().
    BeginRace(now);
  }
  Plan(now);
}

RelayInbound Relay::HandleDatagram(TimePoint now, const SocketAddress& local,
                                   const SocketAddress& remote, Bytes datagram) {
  for (const auto& way : ways_) {
    const RelayInbound inbound = way->HandleDatagram(now, local, remote, datagram);
    if (inbound.verdict == turn::Client::Verdict::kConsumed) {
      Plan(now);
    }
    if (inbound.verdict != turn::Client::Verdict::kNotMine) {
      return inbound;
    }
  }
  return {};
}

RelayWay* Relay::FindStream(StreamId id) {
  const auto found =
      std::ranges::find_if(ways_, [id](const auto& way) { return way->stream() == id; });
  return found == ways_.end() ? nullptr : found->get();
}

bool Relay::HandleStreamOpened(TimePoint now, StreamId id, const SocketAddress& local) {
  RelayWay* way = FindStream(id);
  if (way == nullptr) {
    return false;
  }
  way->HandleStreamOpened(now, local);
  Plan(now);
  return true;
}

bool Relay::HandleStreamBytes(TimePoint now, StreamId id, Bytes bytes,
                              std::deque<Relayed>& received) {
  RelayWay* way = FindStream(id);
  if (way == nullptr) {
    return false;
  }
  way->HandleStreamBytes(now, bytes, received);
  Plan(now);
  return true;
}

bool Relay::HandleStreamClosed(TimePoint now, StreamId id, std::string_view reason) {
  RelayWay* way = FindStream(id);
  if (way == nullptr) {
    return false;
  }
  way->HandleStreamClosed(now, reason);
  Plan(now);
  return true;
}

void Relay::HandleTimeout(TimePoint now) {
  for (const auto& way : ways_) {
    way->HandleTimeout(now);
  }
  Plan(now);
}

void Relay::Lose(TimePoint now, const SocketAddress& relayed) {
  for (const auto& way : ways_) {
    if (way->Has(relayed)) {
      way->Lose(now);
    }
  }
  Plan(now);
}

void Relay::Refuse(TimePoint now, const RelayFound& found) {
  for (const auto& way : ways_) {
    if (way->Has(found.relayed) && way->local() == found.local && way->target() == found.server) {
      way->Refuse(now);
    }
  }
  Plan(now);
}

void Relay::Close(TimePoint now) {
  for (const auto& way : ways_) {
    way->Stop(now);
    way->start_at.reset();
  }
  race_at_.reset();
}

void Relay::Send(TimePoint now, const SocketAddress& relayed, const SocketAddress& remote,
                 Bytes payload) {
  for (const auto& way : ways_) {
    if (way->Has(relayed)) {
      way->Send(now, remote, payload);
      return;
    }
  }
}

void Relay::UseForData(TimePoint now, const SocketAddress& relayed, const SocketAddress& remote) {
  for (const auto& way : ways_) {
    if (way->Has(relayed)) {
      way->UseForData(now, remote);
      return;
    }
  }
}

const RelayWay* Relay::Find(const SocketAddress& relayed) const {
  const auto found =
      std::ranges::find_if(ways_, [&](const auto& way) { return way->Has(relayed); });
  return found == ways_.end() ? nullptr : found->get();
}

bool Relay::IsMapped(const SocketAddress& local, const SocketAddress& mapped) const {
  return std::ranges::any_of(
      ways_, [&](const auto& way) { return way->mapped() == mapped && way->local() == local; });
}

bool Relay::settled() const {
  return std::ranges::any_of(ways_, [](const auto& way) { return way->ready(); }) ||
         std::ranges::all_of(
             ways_, [&](const auto& way) { return way->failures() > 0 || !BaseFor(*way); });
}

std::optional<SocketAddress> Relay::BaseFor(const RelayWay& way) const {
  std::vector<SocketAddress> bases;
  std::ranges::copy_if(addresses_, std::back_inserter(bases), [&](const SocketAddress& address) {
    return address.ip.family == way.server().address.ip.family && !address.ip.is_link_local();
  });
  // The preferred one first; but an interface may lead nowhere, so each has its turn.
  return bases.empty() ? std::nullopt : std::optional(bases[way.turn() % bases.size()]);
}

RelayWay* Relay::Best(TimePoint now) const {
  RelayWay* best = nullptr;
  for (const auto& way : ways_) {
    const bool good = way->ready() && !way->is_stranded() && !way->IsDoubtful(now);
    if (good && (best == nullptr || std::tuple(way->transport(), way->since()) <
                                        std::tuple(best->transport(), best->since()))) {
      best = way.get();
    }
  }
  return best;
}

void Relay::BeginRace(TimePoint now) {
  const bool any = std::ranges::any_of(
      ways_, [](const auto& way) { return way->state() != RelayWay::State::kIdle; });
  race_at_ = any ? race_at_.value_or(now) : now;
}

void Relay::Plan(TimePoint now) {
  if (!race_at_) {
    return;
  }
  const RelayWay* best = Best(now);
  if (std::exchange(had_best_, best != nullptr) && best == nullptr) {
    race_at_ = now;
  }
  // An allocation that is gone is asked for again the same way first.
  const bool none = std::ranges::none_of(
      ways_, [](const auto& way) { return way->state() != RelayWay::State::kIdle; });
  if (none) {
    std::optional<TimePoint> first;
    for (const auto& way : ways_) {
      if (const auto at = way->not_before()) {
        first = std::min(first.value_or(TimePoint::max()), *at - HeadStart(way->transport()));
      }
    }
    race_at_ = std::max(*race_at_, first.value_or(*race_at_));
  }
  for (const auto& way : ways_) {
    PlanWay(now, *way, best);
    best = Best(now);
  }
}

void Relay::PlanWay(TimePoint now, RelayWay& way, const RelayWay* best) {
  if (way.ready()) {
    if (way.is_stranded() && best != nullptr) {
      way.Stop(now);
      return;
    }
    const bool superfluous =
        best != nullptr && best != &way &&
        (best->transport() < way.transport() ||
         (best->transport() == way.transport() && best->since() <= way.since()));
    way.retire_at =
        !superfluous ? std::nullopt : std::optional(way.retire_at.value_or(now + kOverlap));
    if (!way.retire_at || *way.retire_at > now) {
      return;
    }
    way.Stop(now);
  }
  const auto base = BaseFor(way);
  if (!base || (best != nullptr && best->transport() <= way.transport())) {
    way.Stop(now);
    way.start_at.reset();
    return;
  }
  if (way.state() != RelayWay::State::kIdle) {
    return;
  }
  // Out of a race that began long ago, none has a head start any more.
  const TimePoint fair =
      std::max(way.not_before().value_or(now), *race_at_ + HeadStart(way.transport()));
  way.start_at = std::min(way.start_at.value_or(fair), fair);
  if (*way.start_at <= now) {
    way.Start(now, *base);
  }
}

std::optional<TimePoint> Relay::NextTimeout() const {
  std::optional<TimePoint> next;
  const auto consider = [&next](std::optional<TimePoint> time) {
    if (time && (!next || *time < *next)) {
      next = time;
    }
  };
  for (const auto& way : ways_) {
    consider(way->NextTimeout());
    consider(way->retire_at);
    if (way->state() == RelayWay::State::kIdle) {
      consider(way->start_at);
    }
  }
  return next;
}

}  // namespace floe::ice
