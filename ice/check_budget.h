// How much may be sent to an address that has never answered.
//
// Source: RFC 8445 section 19.5.1: who names candidates decides where checks go, so a peer could
// turn them on somebody else.

#pragma once

#include <cstddef>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"

namespace floe::ice {

/// Requests to one IP address, whatever the port: kBurst, and kPerSecond more in time. An address
/// from which something authentic has come is free.
class CheckBudget {
 public:
  static constexpr int kBurst = 64;
  static constexpr int kPerSecond = 4;
  static constexpr std::size_t kMaxAddresses = 64;

  /// Whether a request may be sent there now, which is then counted.
  [[nodiscard]] bool Take(TimePoint now, const IpAddress& ip);
  /// Something authentic has come from there.
  void Free(TimePoint now, const IpAddress& ip);

 private:
  struct Account {
    IpAddress ip;
    TimePoint full;  // When all of kBurst is there again.
    bool free = false;
  };

  [[nodiscard]] Account& Find(TimePoint now, const IpAddress& ip);

  std::vector<Account> accounts_;  // Those not asked for longest come first.
};

}  // namespace floe::ice
