// The allocations of a TURN server: found by client, by relayed address, by expiry, by user.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/random.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/turn/allocation.h"

namespace floe::ice::turn {

struct PortRange {
  std::uint16_t first = 49152;  // RFC 8656 section 7.2
  std::uint16_t last = 65535;
};

/// Pointers to an allocation are good until it is removed.
class AllocationTable {
 public:
  [[nodiscard]] Allocation* Find(const FiveTuple& tuple);
  [[nodiscard]] Allocation* FindRelayed(const SocketAddress& relayed);

  [[nodiscard]] std::size_t size() const { return by_tuple_.size(); }

  [[nodiscard]] std::size_t CountOf(const std::string& user) const;

  /// Adds an allocation whose tuple and relayed address are not in the table yet.
  Allocation& Add(Allocation allocation);
  void Remove(const Allocation& allocation);

  void SetExpiry(Allocation& allocation, TimePoint expires);
  /// Gives it another relayed address, one that is free.
  void SetRelayed(Allocation& allocation, const SocketAddress& relayed);

  /// An allocation that has expired; nothing if there is none.
  [[nodiscard]] Allocation* FindExpired(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> NextExpiry() const;

  /// A port of `range` that no allocation on `ip` has: one nobody can foresee, as RFC 8656 section
  /// 7.2 wants. Nothing if all are taken.
  [[nodiscard]] std::optional<std::uint16_t> FreePort(const IpAddress& ip, const PortRange& range,
                                                      Parity parity, RandomSource& random) const;

 private:
  std::unordered_map<FiveTuple, std::unique_ptr<Allocation>, FiveTupleHash> by_tuple_;
  std::unordered_map<SocketAddress, Allocation*, SocketAddressHash> by_relayed_;
  std::set<std::pair<TimePoint, FiveTuple>> by_expiry_;
  std::unordered_map<std::string, std::size_t> per_user_;
};

}  // namespace floe::ice::turn
