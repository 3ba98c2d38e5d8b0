#include "ice/turn/permissions.h"

#include <algorithm>
#include <chrono>
#include <iterator>

#include "base/check.h"

namespace floe::ice::turn {
namespace {

using std::chrono::seconds;

constexpr Duration kLifetime = seconds(300);  // RFC 8656 section 9
// Early enough for a request that needs all of its 39.5 seconds.
constexpr Duration kRefreshAfter = seconds(240);
// A refresh that is this close comes along with one that is due.
constexpr Duration kGather = seconds(30);

}  // namespace

bool Permissions::Want(TimePoint now, const IpAddress& peer) {
  const auto known = entries_.find(peer);
  if (known == entries_.end()) {
    if (entries_.size() >= kMaxPeers) {
      return false;
    }
    entries_.emplace(peer, Entry{.due = now});
    UpdateNextDue();
    return true;
  }
  if (known->second.refused) {
    known->second = Entry{.due = now, .alone = true};
    UpdateNextDue();
  }
  return true;
}

void Permissions::Forget(const IpAddress& peer) {
  entries_.erase(peer);
  UpdateNextDue();
}

void Permissions::Clear() {
  entries_.clear();
  UpdateNextDue();
}

bool Permissions::IsInstalled(TimePoint now, const IpAddress& peer) const {
  const auto entry = entries_.find(peer);
  return entry != entries_.end() && entry->second.expires && now < *entry->second.expires;
}

bool Permissions::IsRefused(const IpAddress& peer) const {
  const auto entry = entries_.find(peer);
  return entry != entries_.end() && entry->second.refused;
}

void Permissions::Hold(const SocketAddress& peer, Bytes payload) {
  const auto entry = entries_.find(peer.ip);
  FLOE_CHECK(entry != entries_.end());
  std::vector<HeldData>& held = entry->second.held;
  if (held.size() == kMaxHeld) {
    held.erase(held.begin());
  }
  held.push_back({.peer = peer, .payload = {payload.begin(), payload.end()}});
}

std::vector<IpAddress> Permissions::TakeDue(TimePoint now) {
  std::vector<IpAddress> peers;
  if (!next_due_ || *next_due_ > now) {
    return peers;
  }
  for (auto& [peer, entry] : entries_) {
    const Duration gather = entry.alone ? Duration::zero() : kGather;
    const bool fits = !entry.alone || peers.empty();
    if (!entry.due || *entry.due > now + gather || !fits) {
      continue;
    }
    entry.due.reset();
    peers.push_back(peer);
    if (entry.alone || peers.size() == kMaxPerRequest) {
      break;
    }
  }
  UpdateNextDue();
  return peers;
}

std::vector<HeldData> Permissions::HandleInstalled(TimePoint now,
                                                   std::span<const IpAddress> peers) {
  std::vector<HeldData> ready;
  for (const IpAddress& peer : peers) {
    const auto found = entries_.find(peer);
    if (found == entries_.end()) {
      continue;  // Forgotten meanwhile.
    }
    Entry& entry = found->second;
    entry.due = now + kRefreshAfter;
    entry.expires = now + kLifetime;
    entry.refused = false;
    entry.alone = false;
    std::ranges::move(entry.held, std::back_inserter(ready));
    entry.held = std::vector<HeldData>();  // Which gives the memory back.
  }
  UpdateNextDue();
  return ready;
}

void Permissions::HandleRefused(TimePoint now, std::span<const IpAddress> peers) {
  for (const IpAddress& peer : peers) {
    const auto found = entries_.find(peer);
    if (found == entries_.end()) {
      continue;
    }
    Entry& entry = found->second;
    entry.alone = true;
    if (peers.size() > 1) {
      entry.due = now;
      continue;
    }
    entry.refused = true;
    entry.due.reset();
    entry.expires.reset();
    entry.held.clear();
  }
  UpdateNextDue();
}

void Permissions::HandleFailed(TimePoint now, std::span<const IpAddress> peers, Duration pause) {
  for (const IpAddress& peer : peers) {
    const auto found = entries_.find(peer);
    if (found != entries_.end()) {
      found->second.due = now + pause;
    }
  }
  UpdateNextDue();
}

void Permissions::UpdateNextDue() {
  next_due_.reset();
  for (const auto& [peer, entry] : entries_) {
    if (entry.due && (!next_due_ || *entry.due < *next_due_)) {
      next_due_ = entry.due;
    }
  }
}

}  // namespace floe::ice::turn
