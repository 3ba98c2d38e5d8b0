#include "ice/turn/channels.h"

#include <chrono>

#include "ice/turn/channel_data.h"

namespace floe::ice::turn {
namespace {

using std::chrono::seconds;

constexpr Duration kLifetime = seconds(600);  // RFC 8656 section 12
constexpr Duration kCooldown = seconds(300);
// A ChannelBind renews the peer's permission as well, which lasts 300 seconds (section 12.1).
constexpr Duration kRefreshAfter = seconds(240);
constexpr std::uint16_t kNumbers = kLastChannel - kFirstChannel + 1;

}  // namespace

bool Channels::Want(TimePoint now, const SocketAddress& peer) {
  if (const auto known = numbers_.find(peer); known != numbers_.end()) {
    Entry& entry = entries_.at(known->second);
    if (!entry.wanted) {
      entry.wanted = true;
      if (!entry.asking) {
        entry.due = now;
        UpdateNextDue();
      }
    }
    return true;
  }

  Purge(now);
  const auto number = FreeNumber();
  if (!number) {
    return false;
  }
  next_number_ = static_cast<std::uint16_t>((*number - kFirstChannel + 1) % kNumbers);
  entries_.emplace(*number, Entry{.peer = peer, .due = now});
  numbers_.emplace(peer, *number);
  UpdateNextDue();
  return true;
}

void Channels::Forget(const SocketAddress& peer) {
  const auto known = numbers_.find(peer);
  if (known == numbers_.end()) {
    return;
  }
  Entry& entry = entries_.at(known->second);
  entry.wanted = false;
  entry.due.reset();
  UpdateNextDue();
}

void Channels::Clear() {
  entries_.clear();
  numbers_.clear();
  UpdateNextDue();
}

std::optional<std::uint16_t> Channels::NumberOf(TimePoint now, const SocketAddress& peer) const {
  const auto known = numbers_.find(peer);
  if (known == numbers_.end()) {
    return std::nullopt;
  }
  const Entry& entry = entries_.at(known->second);
  if (!entry.wanted || !entry.bound_until || now >= *entry.bound_until) {
    return std::nullopt;
  }
  return known->second;
}

std::optional<SocketAddress> Channels::PeerOf(TimePoint now, std::uint16_t number) const {
  const auto entry = entries_.find(number);
  if (entry == entries_.end() || !entry->second.may_last_until ||
      now >= *entry->second.may_last_until) {
    return std::nullopt;
  }
  return entry->second.peer;
}

std::optional<BindIntent> Channels::TakeDue(TimePoint now) {
  if (!next_due_ || *next_due_ > now) {
    return std::nullopt;
  }
  for (auto& [number, entry] : entries_) {
    if (entry.due && *entry.due <= now) {
      entry.due.reset();
      entry.asking = true;
      entry.may_last_until = now + kLifetime;
      UpdateNextDue();
      return BindIntent{.channel = number, .peer = entry.peer};
    }
  }
  return std::nullopt;
}

void Channels::HandleBound(TimePoint now, const BindIntent& bind) {
  Entry* entry = Find(bind.channel);
  if (entry == nullptr) {
    return;
  }
  entry->asking = false;
  entry->bound_until = now + kLifetime;
  entry->may_last_until = now + kLifetime;
  if (entry->wanted) {
    entry->due = now + kRefreshAfter;
    UpdateNextDue();
  }
}

void Channels::HandleRefused(const BindIntent& bind) {
  Entry* entry = Find(bind.channel);
  if (entry != nullptr) {
    entry->asking = false;
    entry->bound_until.reset();
  }
}

void Channels::HandleFailed(TimePoint now, const BindIntent& bind, Duration pause) {
  Entry* entry = Find(bind.channel);
  if (entry == nullptr) {
    return;
  }
  entry->asking = false;
  if (entry->wanted) {
    entry->due = now + pause;
    UpdateNextDue();
  }
}

void Channels::UpdateNextDue() {
  next_due_.reset();
  for (const auto& [number, entry] : entries_) {
    if (entry.due && (!next_due_ || *entry.due < *next_due_)) {
      next_due_ = entry.due;
    }
  }
}

Channels::Entry* Channels::Find(std::uint16_t number) {
  const auto entry = entries_.find(number);
  return entry == entries_.end() ? nullptr : &entry->second;
}

std::optional<std::uint16_t> Channels::FreeNumber() const {
  for (std::uint16_t i = 0; i < kNumbers; ++i) {
    const auto number = static_cast<std::uint16_t>(kFirstChannel + (next_number_ + i) % kNumbers);
    if (!entries_.contains(number)) {
      return number;
    }
  }
  return std::nullopt;
}

void Channels::Purge(TimePoint now) {
  std::erase_if(entries_, [&](const auto& item) {
    const Entry& entry = item.second;
    const bool cold = !entry.may_last_until || now >= *entry.may_last_until + kCooldown;
    if (entry.wanted || entry.asking || !cold) {
      return false;
    }
    numbers_.erase(entry.peer);
    return true;
  });
}

}  // namespace floe::ice::turn
