// The addresses of this machine.
//
// Source: rtnetlink(7).

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/socket_address.h"

namespace floe::tun {

struct InterfaceAddress {
  IpAddress ip;
  std::uint8_t prefix_length = 0;  // bits
  std::string interface;           // Its name, as in "eth0".
  std::uint32_t index = 0;         // Of the interface.
  bool up = false;                 // Switched on, and with a carrier.
  bool deprecated = false;         // IPv6: valid, but not for what is new.
  bool temporary = false;          // IPv6: a privacy address, RFC 8981.
  bool tentative = false;          // IPv6: not yet, or not, found to be unique.
  bool point_to_point = false;     // Of an interface with one other end, as of a modem or tunnel.
  /// Of a tunnel, a bridge or a dummy: what other overlay networks, containers and virtual machines
  /// are made of, though a way out may lead over one as well.
  bool made_up = false;

  bool operator==(const InterfaceAddress&) const = default;
};

/// Every address of every interface, also of those nobody should use: see usable_addresses.h. Needs
/// no permission.
[[nodiscard]] Result<std::vector<InterfaceAddress>> ListAddresses();

}  // namespace floe::tun
