// The way of a stream through the network, found once when it is opened.

#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
#include "tests/sim/gateway.h"
#include "tests/sim/interface.h"
#include "tests/sim/network.h"

namespace floe::sim {

/// Borrows links, gateways and interfaces, which live as long as the network.
struct Route {
  struct Leg {
    Link* link = nullptr;
    Wire* there = nullptr;  // from client to server
    Wire* back = nullptr;
  };

  Interface* client = nullptr;
  Interface* server = nullptr;
  SocketAddress local;     // The client's own address.
  SocketAddress seen;      // The client's address as the server sees it.
  SocketAddress remote;    // The server's address.
  bool is_public = false;  // crosses the internet
  std::vector<Leg> legs;
  std::vector<std::pair<const Gateway*, std::uint32_t>> gateways;  // with their epoch

  /// Whether both ends still have their addresses, nobody sleeps, and no router forgot the stream.
  [[nodiscard]] bool IsWhole() const;

  /// Whether a packet and its acknowledgement can pass at this moment.
  [[nodiscard]] bool IsOpen(const Network& network) const;
};

/// Nothing if no route leads to `remote`, or a NAT or firewall before it lets no stream in.
[[nodiscard]] std::optional<Route> FindRoute(Network& network, Interface& from,
                                             const SocketAddress& local,
                                             const SocketAddress& remote);

}  // namespace floe::sim
