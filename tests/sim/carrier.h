// A carrier with a NAT of its own, whose customers are sites.

#pragma once

#include <string>

#include "base/socket_address.h"
#include "tests/sim/address_pool.h"
#include "tests/sim/gateway.h"
#include "tests/sim/zone.h"

namespace floe::sim {

struct CarrierOptions {
  std::string name = "carrier";
  NatOptions nat = NatOptions::Symmetric();
};

/// Carries IPv6 untouched.
class Carrier {
 public:
  /// Both must outlive this.
  Carrier(Gateway& gateway, Zone& zone)
      : gateway_(gateway), zone_(zone), customers_(IpAddress::V4(100, 64, 1, 0), 1, 254) {}

  [[nodiscard]] Gateway& gateway() { return gateway_; }

  [[nodiscard]] Zone& zone() { return zone_; }

  /// The addresses it gives its customers: 100.64.1.0/24, the same at each carrier.
  [[nodiscard]] AddressPool& customers() { return customers_; }

  void Reboot() { gateway_.Reboot(); }

 private:
  Gateway& gateway_;
  Zone& zone_;
  AddressPool customers_;
};

}  // namespace floe::sim
