#include "ice/checklist.h"

#include <algorithm>

namespace floe::ice {
namespace {

/// RFC 8445 section 6.1.2.3.
std::uint64_t PairPriority(const Candidate& local, const Candidate& remote, Role role) {
  const bool controlling = role == Role::kControlling;
  const std::uint64_t g = controlling ? local.priority : remote.priority;
  const std::uint64_t d = controlling ? remote.priority : local.priority;
  return (std::min(g, d) << 32U) + 2 * std::max(g, d) + (g > d ? 1 : 0);
}

bool CanPair(const Candidate& local, const Candidate& remote) {
  const IpAddress& a = local.base.ip;
  const IpAddress& b = remote.address.ip;
  // RFC 8445 section 6.1.2.2: families match, and link-local goes with link-local only. IPv6 alone:
  // 169.254.0.0/16 is not offered at all.
  return a.family == b.family && (a.is_v4() || a.is_link_local() == b.is_link_local());
}

bool SameFoundation(const Pair& a, const Pair& b) {
  return a.local.foundation == b.local.foundation && a.remote.foundation == b.remote.foundation;
}

void SortByPriority(std::vector<Pair>& pairs) {
  std::ranges::stable_sort(pairs, std::greater{}, &Pair::priority);
}

}  // namespace

void Checklist::AddLocal(const Candidate& local, Role role) {
  if (FindLocal(local.base) != nullptr) {
    return;
  }
  locals_.push_back(local);
  for (const Candidate& remote : remotes_) {
    AddPair(local, remote, role);
  }
}

void Checklist::AddRemote(const Candidate& remote, Role role) {
  if (FindRemote(remote.address) != nullptr) {
    return;
  }
  remotes_.push_back(remote);
  for (const Candidate& local : locals_) {
    AddPair(local, remote, role);
  }
}

void Checklist::AddPair(const Candidate& local, const Candidate& remote, Role role) {
  if (!CanPair(local, remote)) {
    return;
  }
  Pair pair{.id = next_id_++, .local = local, .remote = remote, .local_type = local.type};
  pair.priority = PairPriority(local, remote, role);
  // RFC 8838 section 10: waiting if it is the first of its foundation or one has succeeded.
  const bool must_wait = std::ranges::any_of(pairs_, [&](const Pair& other) {
    return SameFoundation(pair, other) &&
           (other.state == PairState::kWaiting || other.state == PairState::kInProgress ||
            other.state == PairState::kFrozen);
  });
  pair.state = must_wait ? PairState::kFrozen : PairState::kWaiting;
  pairs_.push_back(std::move(pair));
  SortByPriority(pairs_);
  if (pairs_.size() > max_pairs_) {
    DropWorst();
  }
}

void Checklist::DropWorst() {
  // RFC 8445 section 6.1.2.5: the lowest priority goes; but what has failed goes first, and what
  // works never does.
  for (const bool failed : {true, false}) {
    for (auto it = pairs_.rbegin(); it != pairs_.rend(); ++it) {
      if (failed ? it->state == PairState::kFailed : !it->valid) {
        pairs_.erase(std::next(it).base());
        return;
      }
    }
  }
  pairs_.pop_back();
}

bool Checklist::ForgetFailedRemote() {
  const auto useless = std::ranges::find_if(remotes_, [&](const Candidate& remote) {
    bool tried = false;
    for (const Pair& pair : pairs_) {
      if (pair.remote.address == remote.address) {
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
  std::erase_if(pairs_, [&](const Pair& pair) { return pair.remote.address == useless->address; });
  remotes_.erase(useless);
  return true;
}

std::vector<PairId> Checklist::RemoveLocal(const SocketAddress& base) {
  std::vector<PairId> gone;
  std::erase_if(locals_, [&](const Candidate& local) { return local.base == base; });
  std::erase_if(pairs_, [&](const Pair& pair) {
    if (pair.local.base == base) {
      gone.push_back(pair.id);
      return true;
    }
    return false;
  });
  return gone;
}

void Checklist::Reprioritize(Role role) {
  for (Pair& pair : pairs_) {
    pair.priority = PairPriority(pair.local, pair.remote, role);
  }
  SortByPriority(pairs_);
}

Pair* Checklist::Find(const SocketAddress& base, const SocketAddress& remote) {
  const auto it = std::ranges::find_if(pairs_, [&](const Pair& pair) {
    return pair.remote.address == remote && pair.local.base == base;
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

void Checklist::ReplaceRemote(const Candidate& remote) {
  if (Candidate* known = FindRemote(remote.address)) {
    *known = remote;
  }
  for (Pair& pair : pairs_) {
    if (pair.remote.address == remote.address) {
      pair.remote = remote;
    }
  }
}

const Candidate* Checklist::FindLocal(const SocketAddress& base) const {
  const auto it = std::ranges::find(locals_, base, &Candidate::base);
  return it == locals_.end() ? nullptr : &*it;
}

void Checklist::Trigger(Pair& pair) {
  if (std::ranges::find(triggered_, pair.id) == triggered_.end()) {
    triggered_.push_back(pair.id);
  }
  pair.state = PairState::kWaiting;
  pair.wake.reset();
}

Pair* Checklist::TakeNext() {
  while (!triggered_.empty()) {
    Pair* pair = Find(triggered_.front());
    triggered_.pop_front();
    if (pair != nullptr && pair->state == PairState::kWaiting) {
      return pair;
    }
  }
  const auto next = std::ranges::find(pairs_, PairState::kWaiting, &Pair::state);
  return next == pairs_.end() ? nullptr : &*next;
}

bool Checklist::HasWork() const {
  return std::ranges::find(pairs_, PairState::kWaiting, &Pair::state) != pairs_.end();
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

void Checklist::UnfreezeAll() {
  for (Pair& pair : pairs_) {
    if (pair.state == PairState::kFrozen) {
      pair.state = PairState::kWaiting;
    }
  }
}

}  // namespace floe::ice
