// Sets up interfaces, addresses and routes.
//
// Source: rtnetlink(7).

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/socket_address.h"

struct nl_sock;

namespace floe::tun {

inline constexpr std::uint32_t kMainTable = 254;  // RT_TABLE_MAIN

struct Route {
  IpPrefix destination;
  std::uint32_t index = 0;  // Of the interface.
  std::string interface;    // Its name, as in "eth0".
  std::uint32_t table = kMainTable;
  std::uint32_t metric = 0;
  bool connected = false;            // No gateway: the destination is a network we are in.
  std::optional<IpAddress> gateway;  // May be of the other family (RFC 5549).
};

/// A socket to the kernel's routing tables. Reading needs nothing, changing CAP_NET_ADMIN. Calls
/// wait for the kernel's answer, which it gives at once.
///
/// Errors read as a sentence: "add route 10.0.0.0/8 dev floe0" and what the code says. To add what
/// is there already, or to remove what is not, succeeds.
class Netlink {
 public:
  [[nodiscard]] static Result<Netlink> Open();

  /// Switches interface `index` on with this MTU, in bytes, and this queue length, in packets. Asks
  /// for no IPv6 link-local address, which nothing on a tunnel would use.
  [[nodiscard]] Result<void> SetUp(std::uint32_t index, std::uint32_t mtu,
                                   std::uint32_t txqueuelen);

  /// Without duplicate address detection, which delays IPv6 addresses and which nobody on a tunnel
  /// would answer. The kernel adds the route to the network of `prefix_length` by itself, and takes
  /// a moment after this until it answers for an IPv6 address.
  [[nodiscard]] Result<void> AddAddress(std::uint32_t index, const IpAddress& ip,
                                        std::uint8_t prefix_length);
  [[nodiscard]] Result<void> RemoveAddress(std::uint32_t index, const IpAddress& ip,
                                           std::uint8_t prefix_length);

  /// A route without a gateway. The lower metric wins; 0 is the default, which IPv6 makes 1024.
  /// Fails with file_exists if the same destination and metric lead elsewhere.
  [[nodiscard]] Result<void> AddRoute(std::uint32_t index, const IpPrefix& destination,
                                      std::uint32_t metric = 0, std::uint32_t table = kMainTable);
  [[nodiscard]] Result<void> RemoveRoute(std::uint32_t index, const IpPrefix& destination,
                                         std::uint32_t metric = 0,
                                         std::uint32_t table = kMainTable);

  /// The unicast routes of all tables but the local one; of a multipath route, each path.
  [[nodiscard]] Result<std::vector<Route>> Routes();

 private:
  struct Closer {
    void operator()(nl_sock* socket) const noexcept;
  };

  explicit Netlink(std::unique_ptr<nl_sock, Closer> socket);

  [[nodiscard]] Result<bool> HasRoute(const Route& wanted);

  std::unique_ptr<nl_sock, Closer> socket_;
};

}  // namespace floe::tun
