#include "tunnel/forwarding.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "tunnel/packet/mss_clamp.h"

namespace floe::tunnel {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

std::optional<TimePoint> Take(std::atomic<TimePoint>& time) {
  const TimePoint taken = time.exchange(TimePoint::min(), kRelaxed);
  return taken == TimePoint::min() ? std::nullopt : std::optional(taken);
}

}  // namespace

void Forwarding::AddLane(Slot slot, PeerId peer) {
  if (!enabled_) {
    return;
  }
  auto lane = std::make_unique<Lane>(slot, peer);
  {
    const std::lock_guard active(active_lock_);
    active_.reserve(std::max<std::size_t>(lanes_.size(), slot + 1));
  }
  const std::unique_lock lock(lock_);
  if (slot >= lanes_.size()) {
    lanes_.resize(slot + 1);
  }
  lanes_[slot] = std::move(lane);
}

void Forwarding::RemoveLane(Slot slot) {
  if (At(slot) == nullptr) {
    return;
  }
  SetSession(slot, nullptr);
  std::unique_ptr<Lane> lane;
  {
    const std::unique_lock lock(lock_);
    lane = std::move(lanes_[slot]);
  }
  const std::lock_guard active(active_lock_);
  std::erase(active_, slot);
}

void Forwarding::Insert(const IpPrefix& prefix, Slot slot) {
  const std::unique_lock lock(lock_);
  allowed_ips_.Insert(prefix, slot);
}

void Forwarding::Remove(const IpPrefix& prefix, Slot slot) {
  const std::unique_lock lock(lock_);
  allowed_ips_.Remove(prefix, slot);
}

void Forwarding::SetSession(Slot slot, const std::shared_ptr<Session>& session) {
  Lane* const lane = At(slot);
  if (lane == nullptr || lane->session_ == session) {
    return;
  }
  std::shared_ptr<Session> before = session;  // Its keys are wiped after the lock is free.
  const std::unique_lock lock(lock_);
  if (lane->session_) {
    by_index_.erase(lane->session_->local_index());
  }
  if (session) {
    by_index_[session->local_index()] = lane;
  }
  std::swap(lane->session_, before);
}

void Forwarding::SetWay(Slot slot, const std::optional<UdpWay>& way, TimePoint until) {
  Lane* const lane = At(slot);
  if (lane == nullptr || (lane->way_ == way && lane->way_until_ == until)) {
    return;
  }
  const std::unique_lock lock(lock_);
  lane->way_ = way;
  lane->way_until_ = until;
}

void Forwarding::SetRoom(Slot slot, std::size_t room) {
  Lane* const lane = At(slot);
  if (lane != nullptr && lane->room_ != room) {
    const std::unique_lock lock(lock_);
    lane->room_ = room;
  }
}

void Forwarding::SetOwnAddresses(std::vector<IpAddress> addresses) {
  const std::unique_lock lock(lock_);
  own_addresses_ = std::move(addresses);
}

void Forwarding::SetWantsEchoReplies(Slot slot, bool wants) {
  Lane* const lane = At(slot);
  if (lane != nullptr && lane->wants_echo_replies_ != wants) {
    const std::unique_lock lock(lock_);
    lane->wants_echo_replies_ = wants;
  }
}

std::vector<Forwarding::Slot> Forwarding::TakeActive() {
  const std::lock_guard lock(active_lock_);
  std::vector<Slot> active = active_;
  active_.clear();
  for (const Slot slot : active) {
    lanes_[slot]->active_.store(false);
  }
  return active;
}

Activity Forwarding::TakeActivity(Slot slot) {
  Lane& lane = *lanes_[slot];
  return {.sent = Take(lane.sent_),
          .received = Take(lane.received_),
          .data_received = lane.data_received_.exchange(false, kRelaxed),
          .tx_bytes = lane.tx_bytes_.exchange(0, kRelaxed),
          .rx_bytes = lane.rx_bytes_.exchange(0, kRelaxed)};
}

void Forwarding::TakeDrops(Counters& counters) {
  const auto take = [this](Drop drop) {
    return drops_[static_cast<std::size_t>(drop)].exchange(0, kRelaxed);
  };
  counters.expired_session += take(Drop::kExpired);
  counters.replayed_transport += take(Drop::kReplay);
  counters.forged_transport += take(Drop::kForged);
  counters.malformed_inner += take(Drop::kMalformed);
  counters.spoofed_inner += take(Drop::kSpoofed);
  counters.congested += take(Drop::kCongested);
}

Lane* Forwarding::FindByDestination(const IpAddress& ip) const {
  const auto slot = allowed_ips_.Find(ip);
  return slot ? At(*slot) : nullptr;
}

Lane* Forwarding::FindByIndex(std::uint32_t index) const {
  const auto found = by_index_.find(index);
  return found == by_index_.end() ? nullptr : found->second;
}

void Forwarding::ClampForwarded(MutableBytes packet, const IpAddress& end, std::size_t room) {
  if (std::ranges::find(own_addresses_, end) == own_addresses_.end() && ClampMss(packet, room)) {
    clamped_mss_.fetch_add(1, kRelaxed);
  }
}

bool Forwarding::NoteSent(TimePoint now, Lane& lane, std::size_t bytes) {
  lane.sent_.store(now, kRelaxed);
  lane.tx_bytes_.fetch_add(bytes, kRelaxed);
  return NoteActive(lane);
}

bool Forwarding::NoteReceived(TimePoint now, Lane& lane, std::size_t bytes, bool data) {
  lane.received_.store(now, kRelaxed);
  lane.rx_bytes_.fetch_add(bytes, kRelaxed);
  if (data) {
    lane.data_received_.store(true, kRelaxed);
  }
  return NoteActive(lane);
}

bool Forwarding::NoteActive(Lane& lane) {
  if (lane.active_.load(kRelaxed) || lane.active_.exchange(true)) {
    return false;
  }
  const std::lock_guard lock(active_lock_);
  active_.push_back(lane.slot_);
  return active_.size() == 1;
}

}  // namespace floe::tunnel
