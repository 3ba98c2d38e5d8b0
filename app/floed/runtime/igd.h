// Asks a router by UPnP to forward a port, or to let packets in. Every call here blocks, for some
// seconds at worst.
//
// Source: UPnP Forum, InternetGatewayDevice:1 and :2, WANIPConnection, WANIPv6FirewallControl:1.
// XML and HTTP are libminiupnpc's.

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

// For IPv6, whose ports need no forwarding but an opening in the router's firewall.

/// Looks for the firewall control of the router on the network of `gateway.internal`. A device
/// outside of that network, or one that sees us at another of our addresses, is left alone: a
/// router opens its firewall only for who asks.
[[nodiscard]] std::optional<Igd> FindIgdFirewall(const ice::portmap::Gateway& gateway);

/// Has it let in all UDP for `internal`, for an hour. Returns the name of the pinhole, or nothing
/// if it refuses, does not answer, or has no firewall to open.
[[nodiscard]] std::optional<std::string> AddIgdPinhole(const Igd& igd,
                                                       const SocketAddress& internal);

/// For another hour. False if the router does not know it any more.
[[nodiscard]] bool RenewIgdPinhole(const Igd& igd, const std::string& pinhole);

void DeleteIgdPinhole(const Igd& igd, const std::string& pinhole);

}  // namespace floe::daemon
