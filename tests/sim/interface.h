// Where a host is attached to a network.

#pragma once

#include <vector>

#include "base/socket_address.h"
#include "tests/sim/link.h"

namespace floe::sim {

class Host;
class Site;
class Zone;

/// Lives as long as its host, also when it is attached nowhere: packets under way point to it.
struct Interface {
  Host* host = nullptr;
  Zone* zone = nullptr;  // Null when detached.
  Site* site = nullptr;  // Null for a server.
  std::vector<IpAddress> addresses;
  Link link;  // the line to the LAN; `up` is away from the host

  [[nodiscard]] bool Has(const IpAddress& ip) const {
    for (const IpAddress& own : addresses) {
      if (own == ip) {
        return true;
      }
    }
    return false;
  }
};

}  // namespace floe::sim
