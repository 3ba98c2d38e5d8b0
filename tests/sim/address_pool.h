// A range of addresses to give out.

#pragma once

#include <cstdint>
#include <deque>

#include "base/socket_address.h"

namespace floe::sim {

/// Hands out addresses in order; one that is given back is used again last.
class AddressPool {
 public:
  /// `count` addresses from `network` + `first` on. The low 16 bits of `network` are 0 or hold what
  /// can be added to without a carry.
  AddressPool(const IpAddress& network, std::uint16_t first, std::uint16_t count)
      : network_(network), next_(first), left_(count) {}

  /// Ends the process when there is none left: the scenario is too large for the address plan.
  [[nodiscard]] IpAddress Take();

  void GiveBack(const IpAddress& ip) { returned_.push_back(ip); }

 private:
  IpAddress network_;
  std::uint16_t next_;
  std::uint16_t left_;
  std::deque<IpAddress> returned_;
};

}  // namespace floe::sim
