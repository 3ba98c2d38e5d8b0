#include "ice/turn/allocation_table.h"

#include <array>

#include "base/check.h"

namespace floe::ice::turn {

Allocation* AllocationTable::Find(const FiveTuple& tuple) {
  const auto found = by_tuple_.find(tuple);
  return found == by_tuple_.end() ? nullptr : found->second.get();
}

Allocation* AllocationTable::FindRelayed(const SocketAddress& relayed) {
  const auto found = by_relayed_.find(relayed);
  return found == by_relayed_.end() ? nullptr : found->second;
}

std::size_t AllocationTable::CountOf(const std::string& user) const {
  const auto found = per_user_.find(user);
  return found == per_user_.end() ? 0 : found->second;
}

Allocation& AllocationTable::Add(Allocation allocation) {
  const FiveTuple tuple = allocation.tuple;
  const auto [place, is_new] =
      by_tuple_.emplace(tuple, std::make_unique<Allocation>(std::move(allocation)));
  FLOE_CHECK(is_new);
  Allocation& added = *place->second;
  by_relayed_.emplace(added.relayed, &added);
  by_expiry_.emplace(added.expires, tuple);
  ++per_user_[added.user];
  return added;
}

void AllocationTable::Remove(const Allocation& allocation) {
  by_relayed_.erase(allocation.relayed);
  by_expiry_.erase({allocation.expires, allocation.tuple});
  const auto count = per_user_.find(allocation.user);
  if (--count->second == 0) {
    per_user_.erase(count);
  }
  const FiveTuple tuple = allocation.tuple;  // The allocation goes with the next line.
  by_tuple_.erase(tuple);
}

void AllocationTable::SetExpiry(Allocation& allocation, TimePoint expires) {
  by_expiry_.erase({allocation.expires, allocation.tuple});
  allocation.expires = expires;
  by_expiry_.emplace(expires, allocation.tuple);
}

void AllocationTable::SetRelayed(Allocation& allocation, const SocketAddress& relayed) {
  by_relayed_.erase(allocation.relayed);
  allocation.relayed = relayed;
  by_relayed_.emplace(relayed, &allocation);
}

Allocation* AllocationTable::FindExpired(TimePoint now) {
  if (by_expiry_.empty() || by_expiry_.begin()->first > now) {
    return nullptr;
  }
  return Find(by_expiry_.begin()->second);
}

std::optional<TimePoint> AllocationTable::NextExpiry() const {
  if (by_expiry_.empty()) {
    return std::nullopt;
  }
  return by_expiry_.begin()->first;
}

std::optional<std::uint16_t> AllocationTable::FreePort(const IpAddress& ip, const PortRange& range,
                                                       Parity parity, RandomSource& random) const {
  std::array<std::uint8_t, 4> bytes{};
  random.Fill(bytes);
  const std::uint32_t count = std::uint32_t{range.last} - range.first + 1;
  const std::uint32_t start = LoadBe<std::uint32_t>(bytes, 0) % count;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto port = static_cast<std::uint16_t>(range.first + (start + i) % count);
    const bool fits = parity == Parity::kAny || port % 2 == 0;
    if (fits && !by_relayed_.contains({.ip = ip, .port = port})) {
      return port;
    }
  }
  return std::nullopt;
}

}  // namespace floe::ice::turn
