// Asks a router by UPnP to forward a port. Every call here blocks, for some seconds at worst.
//
// Source: UPnP Forum, InternetGatewayDevice:1 and :2, WANIPConnection. XML and HTTP are
// libminiupnpc's.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/socket_address.h"
#include "ice/portmap/mapper.h"

namespace floe::daemon {

/// Where and as what a router takes requests.
struct Igd {
  std::string control_url;
  std::string service_type;
};

/// Looks on the network of `gateway.internal` for the gateway itself: others that answer, or a
/// gateway that refers to another machine, are left alone.
[[nodiscard]] std::optional<Igd> FindIgd(const ice::portmap::Gateway& gateway);

/// Has it forward `external_port`, or another if that is taken, to `internal`, for an hour or,
/// where the router knows no leases, until it is deleted. To repeat it with the same port renews
/// it. Returns where from, or nothing if it refuses or does not answer.
[[nodiscard]] std::optional<SocketAddress> AddIgdMapping(const Igd& igd,
                                                         const SocketAddress& internal,
                                                         std::uint16_t external_port);

/// Whether the router still forwards `external_port` to `internal`.
[[nodiscard]] bool HasIgdMapping(const Igd& igd, const SocketAddress& internal,
                                 std::uint16_t external_port);

void DeleteIgdMapping(const Igd& igd, std::uint16_t external_port);

}  // namespace floe::daemon
