#include "signaling/hub.h"

#include <algorithm>

#include "base/check.h"

namespace floe::signaling {

Hub::Hub(HubConfig config, WelcomeSource& source, RandomSource& random)
    : config_(std::move(config)), source_(source), random_(random) {}

void Hub::HandleOpened(TimePoint now, ConnectionId id, const SocketAddress& remote,
                       const std::optional<ChannelBinding>& binding) {
  const auto [it, inserted] =
      entries_.try_emplace(id, Entry{.connection = HubConnection(now, remote, binding, random_)});
  FLOE_CHECK(inserted);
  ++counters_.opened;
  Settle(now, id);
}

void Hub::HandleBytes(TimePoint now, ConnectionId id, Bytes bytes) {
  while (true) {
    // Looked up each time: acting on an event may have closed this very connection.
    const auto found = entries_.find(id);
    if (found == entries_.end()) {
      return;
    }
    std::optional<HubConnection::Event> event =
        found->second.connection.Read(now, bytes, config_.path);
    Settle(now, id);
    if (!event) {
      return;
    }
    HandleEvent(now, id, std::move(*event));
    AnswerSenders(now);
  }
}

void Hub::HandleEvent(TimePoint now, ConnectionId id, HubConnection::Event event) {
  if (const ProvenLogin* login = std::get_if<ProvenLogin>(&event)) {
    HandleLogin(now, id, login->key);
  } else {
    HandleSend(now, id, std::move(std::get<SendRequest>(event)));
  }
}

void Hub::HandleLogin(TimePoint now, ConnectionId id, const PublicKey& node) {
  const auto entry = entries_.find(id);
  if (entry == entries_.end()) {
    return;
  }
  // The newest login wins: the older one is most often a connection that died unnoticed.
  if (const auto older = online_.find(node); older != online_.end()) {
    const ConnectionId older_id = older->second;
    ++counters_.replaced;
    entries_.at(older_id).connection.Refuse(CloseCode::kPolicy, "replaced by a newer login");
    Settle(now, older_id);
  }
  online_.insert_or_assign(node, id);
  ++counters_.logins;
  entry->second.node = node;
  entry->second.connection.Accept(now);
  SendWelcome(now, entry->second);
  Settle(now, id);
}

void Hub::SendWelcome(TimePoint now, Entry& entry) {
  SocketAddress you = entry.connection.remote().Unmapped();
  you.ip.scope_id = 0;  // The number of an interface of ours means nothing to the node.
  Welcome welcome{
      .you = you,
      .stun = source_.StunUrls(),
      .turn = source_.MakeTurn(*entry.node),
      .ping = std::chrono::duration_cast<std::chrono::seconds>(HubConnection::kPingInterval)};
  entry.renew_at.reset();
  if (!welcome.turn.empty()) {
    const auto soonest = std::ranges::min_element(welcome.turn, {}, &TurnCredentials::ttl);
    entry.renew_at = now + std::max<Duration>(kMinRenewal, Duration(soonest->ttl) / 2);
  }
  entry.connection.Send(welcome);
}

void Hub::HandleSend(TimePoint now, ConnectionId id, SendRequest request) {
  const auto sender = entries_.find(id);
  if (sender == entries_.end() || !sender->second.node) {
    return;
  }
  const bool allowed = sender->second.connection.TakeToken(now);
  const std::optional<Delivery> delivery =
      allowed ? Deliver(now, *sender->second.node, id, request) : Delivery::kLimited;
  if (delivery) {
    outcomes_.push_back({id, request.id, *delivery});
  }
}

std::optional<Delivery> Hub::Deliver(TimePoint now, const PublicKey& from, ConnectionId sender,
                                     SendRequest& request) {
  const auto target = online_.find(request.to);
  if (target == online_.end()) {
    return Delivery::kOffline;
  }
  const ConnectionId id = target->second;
  Entry& entry = entries_.at(id);
  if (entry.undelivered.size() >= kMaxUndelivered) {
    return Delivery::kLimited;
  }
  entry.connection.Send(ReceivedBox{from, std::move(request.box)});
  Settle(now, id);
  const auto still = entries_.find(id);
  if (still == entries_.end()) {
    return Delivery::kOffline;  // It does not read and has just been closed.
  }
  still->second.undelivered.push_back({still->second.queued, sender, request.id});
  return std::nullopt;
}

/// A sender may be gone, and telling it may close it, which leaves more to tell.
void Hub::AnswerSenders(TimePoint now) {
  while (!outcomes_.empty()) {
    const Outcome outcome = outcomes_.front();
    outcomes_.pop_front();
    Count(outcome.delivery);
    const auto sender = entries_.find(outcome.sender);
    if (sender != entries_.end() && sender->second.node) {
      sender->second.connection.Send(SendAnswer{outcome.request, outcome.delivery});
      Settle(now, outcome.sender);
    }
  }
}

void Hub::Count(Delivery delivery) {
  switch (delivery) {
    case Delivery::kDelivered:
      ++counters_.delivered;
      return;
    case Delivery::kOffline:
      ++counters_.offline;
      return;
    case Delivery::kLimited:
      ++counters_.limited;
      return;
  }
}

/// After each input to a connection: passes on what it wrote, closes it if it is over, and notes
/// when it is to be woken. The entry may be gone afterwards.
void Hub::Settle(TimePoint now, ConnectionId id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) {
    return;
  }
  Entry& entry = found->second;
  std::vector<std::uint8_t> output = entry.connection.TakeOutput();
  entry.queued += output.size();
  if (entry.queued - entry.written > kMaxUnwritten) {
    CloseSlow(id);
    return;
  }
  if (!output.empty()) {
    if (!entry.read_by) {
      entry.read_by = now + kReadDeadline;
    }
    actions_.emplace_back(HubWrite{id, std::move(output)});
  }
  if (entry.connection.state() == HubConnection::State::kOver) {
    actions_.emplace_back(HubClose{id, HubClose::Mode::kFlush});
    Forget(id);
    return;
  }
  Schedule(id, entry);
}

void Hub::CloseSlow(ConnectionId id) {
  ++counters_.slow;
  actions_.emplace_back(HubClose{id, HubClose::Mode::kAbort});
  Forget(id);
}

void Hub::Schedule(ConnectionId id, Entry& entry) {
  std::optional<TimePoint> next = entry.connection.NextTimeout();
  if (entry.renew_at) {
    next = next ? std::min(*next, *entry.renew_at) : *entry.renew_at;
  }
  if (entry.read_by) {
    next = next ? std::min(*next, *entry.read_by) : *entry.read_by;
  }
  if (next == entry.scheduled) {
    return;
  }
  if (entry.scheduled) {
    timers_.erase({*entry.scheduled, id});
  }
  if (next) {
    timers_.emplace(*next, id);
  }
  entry.scheduled = next;
}

void Hub::Forget(ConnectionId id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) {
    return;
  }
  const Entry& entry = found->second;
  if (entry.scheduled) {
    timers_.erase({*entry.scheduled, id});
  }
  for (const Undelivered& message : entry.undelivered) {
    outcomes_.push_back({message.sender, message.request, Delivery::kOffline});
  }
  if (entry.node) {
    const auto online = online_.find(*entry.node);
    if (online != online_.end() && online->second == id) {  // Else a newer login has its place.
      online_.erase(online);
    }
  }
  entries_.erase(found);
}

void Hub::HandleWritten(TimePoint now, ConnectionId id, std::size_t bytes) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) {
    return;
  }
  Entry& entry = found->second;
  entry.written = std::min(entry.written + bytes, entry.queued);
  if (entry.written == entry.queued) {
    entry.read_by.reset();
  }
  while (!entry.undelivered.empty() && entry.undelivered.front().end <= entry.written) {
    const Undelivered& message = entry.undelivered.front();
    outcomes_.push_back({message.sender, message.request, Delivery::kDelivered});
    entry.undelivered.pop_front();
  }
  Settle(now, id);
  AnswerSenders(now);
}

void Hub::HandleClosed(TimePoint now, ConnectionId id) {
  Forget(id);
  AnswerSenders(now);
}

void Hub::HandleTimeout(TimePoint now) {
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const ConnectionId id = timers_.begin()->second;
    Entry& entry = entries_.at(id);
    if (entry.read_by && *entry.read_by <= now) {
      CloseSlow(id);
      continue;
    }
    entry.connection.HandleTimeout(now);
    if (entry.renew_at && *entry.renew_at <= now) {
      SendWelcome(now, entry);
    }
    Settle(now, id);
  }
  AnswerSenders(now);
}

std::optional<TimePoint> Hub::NextTimeout() const {
  return timers_.empty() ? std::nullopt : std::optional(timers_.begin()->first);
}

std::optional<HubAction> Hub::PollAction() {
  if (actions_.empty()) {
    return std::nullopt;
  }
  HubAction action = std::move(actions_.front());
  actions_.pop_front();
  return action;
}

}  // namespace floe::signaling
