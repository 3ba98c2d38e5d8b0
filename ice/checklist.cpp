#include "ice/checklist.h"

#include <algorithm>
#include <array>

namespace floe::ice {
namespace {

bool CanPair(const Candidate& local, const Candidate& remote) {
  const IpAddress& a = local.base.ip;
  const IpAddress& b = remote.address.ip;
  if (a.family != b.family || local.base.transport != remote.address.transport) {
    return false;
  }
  // RFC 6544 section 6.2. Who is passive forms no pair: it waits to be connected to.
  if (local.base.transport == Transport::kTcp &&
      !(local.tcp_type == TcpType::kActive && remote.tcp_type == TcpType::kPassive) &&
      !(local.tcp_type == TcpType::kSimultaneousOpen &&
        remote.tcp_type == TcpType::kSimultaneousOpen)) {
    return false;
  }
  // RFC 8445 section 6.1.2.2: link-local goes with link-local only. IPv6 alone: 169.254.0.0/16 is
  // not offered at all.
  return a.is_v4() || a.is_link_local() == b.is_link_local();
}

bool SameFoundation(const Pair& a, const Pair& b) {
  return a.local->foundation == b.local->foundation && a.remote->foundation == b.remote->foundation;
}

void SortByPriority(std::vector<Pair>& pairs) {
  std::ranges::stable_sort(pairs, std::greater{}, &Pair::priority);
}

}  // namespace

std::uint64_t ComputePairPriority(std::uint32_t local, std::uint32_t remote, Role role) {
  const bool controlling = role == Role::kControlling;
  const std::uint64_t g = controlling ? local : remote;
  const std::uint64_t d = controlling ? remote : local;
  return (std::min(g, d) << 32U) + 2 * std::max(g, d) + (g > d ? 1 : 0);
}

bool Checklist::MayPair(const Candidate& local, const Candidate& remote) const {
  const bool anywhere =
      learned_ == LearnedPairs::kWithAll && remote.address.transport == Transport::kUdp;
  return (remote.signalled || anywhere) && CanPair(local, remote);
}

void Checklist::AddLocal(const Candidate& local, Role role) {
  if (FindLocal(local.base) != nullptr) {
    return;
  }
  const Candidate& added = locals_.emplace_back(local);
  for (const Candidate& remote : remotes_) {
    if (MayPair(added, remote)) {
      AddPair(added, remote, role);
    }
  }
}

void Checklist::AddRemote(const Candidate& remote, Role role) {
  if (FindRemote(remote.address) != nullptr) {
    return;
  }
  const Candidate& added = remotes_.emplace_back(remote);
  for (const Candidate& local : locals_) {
    if (MayPair(local, added)) {
      AddPair(local, added, role);
    }
  }
}

void Checklist::AddLearned(const Candidate& local, const Candidate& remote, Role role) {
  AddRemote(remote, role);
  static_cast<void>(FindOrAdd(local.base, remote.address, role));
}

Pair* Checklist::FindOrAdd(const SocketAddress& base, const SocketAddress& remote, Role role) {
  if (Pair* pair = Find(base, remote)) {
    return pair;
  }
  const Candidate* local = FindLocal(base);
  const Candidate* known = FindRemote(remote);
  if (local == nullptr || known == nullptr) {
    return nullptr;
  }
  AddPair(*local, *known, role);
  return Find(base, remote);
}

void Checklist::AddPair(const Candidate& local, const Candidate& remote, Role role) {
  Pair pair{.id = next_id_++, .local = &local, .remote = &remote, .local_type = local.type};
  pair.priority = ComputePairPriority(local.priority, remote.priority, role);
  // RFC 8838 section 12: waiting if it is the first of its foundation or one has succeeded. Those
  // that have failed hold nobody up.
  bool first = true;
  bool succeeded = false;
  for (const Pair& other : pairs_) {
    if (SameFoundation(pair, other)) {
      first = first && other.state == PairState::kFailed;
      succeeded = succeeded || other.state == PairState::kSucceeded;
    }
  }
  pair.state = first || succeeded ? PairState::kWaiting : PairState::kFrozen;
  const Transport transport = local.base.transport;
  pairs_.reserve(pairs_.size() + 1);  // No more: there may be a thousand lists.
  pairs_.push_back(pair);
  SortByPriority(pairs_);
  const auto of_its_kind = static_cast<std::size_t>(std::ranges::count_if(
      pairs_, [&](const Pair& other) { return other.local->base.transport == transport; }));
  if (of_its_kind > (transport == Transport::kTcp ? kMaxTcpPairs : max_pairs_)) {
    DropWorst(transport);
  }
}

void Checklist::DropWorst(Transport transport) {
  // RFC 8445 section 6.1.2.5: the lowest priority goes; but what has failed goes first, then what
  // was never tried, and what works never does.
  const auto drop_last = [&](auto is_such) {
    const auto it = std::find_if(pairs_.rbegin(), pairs_.rend(), [&](const Pair& pair) {
      return pair.local->base.transport == transport && is_such(pair);
    });
    if (it == pairs_.rend()) {
      return false;
    }
    pairs_.erase(std::next(it).base());
    return true;
  };
  const auto untried = [](const Pair& pair) {
    return !pair.valid && (pair.state == PairState::kFrozen || pair.state == PairState::kWaiting);
  };
  if (!drop_last([](const Pair& pair) { return pair.state == PairState::kFailed; }) &&
      !drop_last(untried) && !drop_last([](const Pair& pair) { return !pair.valid; })) {
    drop_last([](const Pair&) { return true; });
  }
}

bool Checklist::ForgetFailedRemote(std::optional<Transport> transport) {
  const auto useless = std::ranges::find_if(remotes_, [&](const Candidate& remote) {
    if (transport && remote.address.transport != *transport) {
      return false;
    }
    bool tried = false;
    for (const Pair& pair : pairs_) {
      if (pair.remote->address == remote.address) {
        if (pair.state != PairState::kFailed) {
          return false;
        }
        tried = true;
      }
    }
    return tried;
  });
  if (useless == remotes_.end()) {
    return false;
  }
  std::erase_if(pairs_, [&](const Pair& pair) { return pair.remote->address == useless->address; });
  remotes_.erase(useless);
  return true;
}

std::vector<PairId> Checklist::RemoveLocal(const SocketAddress& base) {
  std::vector<PairId> gone;
  std::erase_if(pairs_, [&](const Pair& pair) {
    if (pair.local->base == base) {
      gone.push_back(pair.id);
      return true;
    }
    return false;
  });
  std::erase_if(locals_, [&](const Candidate& local) { return local.base == base; });
  return gone;
}

void Checklist::Reprioritize(Role role) {
  for (Pair& pair : pairs_) {
    pair.priority = ComputePairPriority(pair.local->priority, pair.remote->priority, role);
    pair.valid_priority =
        ComputePairPriority(pair.valid_local_priority, pair.remote->priority, role);
  }
  SortByPriority(pairs_);
}

Pair* Checklist::Find(const SocketAddress& base, const SocketAddress& remote) {
  const auto it = std::ranges::find_if(pairs_, [&](const Pair& pair) {
    return pair.remote->address == remote && pair.local->base == base;
  });
  return it == pairs_.end() ? nullptr : &*it;
}

Pair* Checklist::Find(PairId id) {
  const auto it = std::ranges::find(pairs_, id, &Pair::id);
  return it == pairs_.end() ? nullptr : &*it;
}

Candidate* Checklist::FindRemote(const SocketAddress& address) {
  const auto it = std::ranges::find(remotes_, address, &Candidate::address);
  return it == remotes_.end() ? nullptr : &*it;
}

void Checklist::ReplaceRemote(const Candidate& remote, Role role) {
  Candidate* known = FindRemote(remote.address);
  if (known == nullptr) {
    return;
  }
  *known = remote;
  for (const Candidate& local : locals_) {
    if (MayPair(local, *known) && Find(local.base, known->address) == nullptr) {
      AddPair(local, *known, role);
    }
  }
}

const Candidate* Checklist::FindLocal(const SocketAddress& base) const {
  const auto it = std::ranges::find(locals_, base, &Candidate::base);
  return it == locals_.end() ? nullptr : &*it;
}

void Checklist::Trigger(Pair& pair) {
  if (!triggered_.Contains(pair.id)) {
    triggered_.Push(pair.id);
  }
  pair.state = PairState::kWaiting;
  pair.wake.reset();
}

Pair* Checklist::TakeTriggered() {
  while (const auto id = triggered_.Poll()) {
    Pair* pair = Find(*id);
    if (pair != nullptr && pair->state == PairState::kWaiting) {
      return pair;
    }
  }
  return nullptr;
}

Pair* Checklist::TakeNext(Tcp tcp) {
  if (Pair* pair = TakeTriggered()) {
    return pair;
  }
  std::array<bool, 4> tried{};  // By CandidateType.
  for (const Pair& pair : pairs_) {
    tried.at(static_cast<std::size_t>(pair.remote->type)) |=
        pair.state != PairState::kWaiting && pair.state != PairState::kFrozen;
  }
  const auto may_go = [tcp](const Pair& pair) {
    return pair.state == PairState::kWaiting &&
           (tcp == Tcp::kToo || pair.local->base.transport == Transport::kUdp);
  };
  auto next = std::ranges::find_if(pairs_, [&](const Pair& pair) {
    return may_go(pair) && !tried.at(static_cast<std::size_t>(pair.remote->type));
  });
  if (next == pairs_.end()) {
    next = std::ranges::find_if(pairs_, may_go);
  }
  return next == pairs_.end() ? nullptr : &*next;
}

std::size_t Checklist::CountTold(Transport transport) const {
  return static_cast<std::size_t>(std::ranges::count_if(remotes_, [&](const Candidate& each) {
    return each.signalled && each.address.transport == transport;
  }));
}

std::size_t Checklist::CountUnderWay() const {
  return static_cast<std::size_t>(std::ranges::count_if(pairs_, [](const Pair& pair) {
    return pair.state == PairState::kWaiting || pair.state == PairState::kInProgress;
  }));
}

bool Checklist::HasWork(Tcp tcp) const {
  return std::ranges::any_of(pairs_, [&](const Pair& pair) {
    return pair.state == PairState::kWaiting &&
           (tcp == Tcp::kToo || pair.local->base.transport == Transport::kUdp ||
            triggered_.Contains(pair.id));
  });
}

void Checklist::Unfreeze() {
  for (Pair& pair : pairs_) {
    if (pair.state != PairState::kFrozen) {
      continue;
    }
    const bool held = std::ranges::any_of(pairs_, [&](const Pair& other) {
      return SameFoundation(pair, other) &&
             (other.state == PairState::kWaiting || other.state == PairState::kInProgress);
    });
    if (!held) {
      pair.state = PairState::kWaiting;
    }
  }
}

void Checklist::UnfreezeFoundation(const Pair& succeeded) {
  for (Pair& pair : pairs_) {
    if (pair.state == PairState::kFrozen && SameFoundation(pair, succeeded)) {
      pair.state = PairState::kWaiting;
    }
  }
}

void Checklist::CancelAllBut(const Pair& nominated) {
  for (Pair& pair : pairs_) {
    if (pair.id == nominated.id || pair.peer_nominated || pair.state == PairState::kSucceeded ||
        pair.state == PairState::kFailed) {
      continue;
    }
    triggered_.Remove(pair.id);
    pair.state = PairState::kFrozen;
    pair.wake.reset();
  }
}

void Checklist::UnfreezeAll() {
  for (Pair& pair : pairs_) {
    if (pair.state == PairState::kFrozen) {
      pair.state = PairState::kWaiting;
    }
  }
}

}  // namespace floe::ice
