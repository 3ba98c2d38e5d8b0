// IP addresses, prefixes, and an address with a port, as plain values.
//
// Source: RFC 4291 (IPv6 addresses), RFC 5952 (how IPv6 is written), RFC 4007 (scopes).

#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace floe {

enum class IpFamily : std::uint8_t { kIpv4, kIpv6 };

struct IpAddress {
  IpFamily family = IpFamily::kIpv4;
  std::array<std::uint8_t, 16> bytes{};  // Network order. IPv4 uses the first four; the rest is 0.
  std::uint32_t scope_id = 0;            // Interface index of an IPv6 link-local address, else 0.

  auto operator<=>(const IpAddress&) const = default;

  [[nodiscard]] static IpAddress V4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d);
  /// `octets` holds 4 bytes (IPv4) or 16 (IPv6) in network order: the caller has checked.
  [[nodiscard]] static IpAddress FromBytes(Bytes octets);

  /// The 4 or 16 bytes of the address. Borrows this object.
  [[nodiscard]] Bytes octets() const {
    return Bytes(bytes).first(family == IpFamily::kIpv4 ? 4 : 16);
  }

  /// Address length in bits: 32 or 128.
  [[nodiscard]] std::uint8_t bits() const { return family == IpFamily::kIpv4 ? 32 : 128; }

  [[nodiscard]] bool is_v4() const { return family == IpFamily::kIpv4; }

  [[nodiscard]] bool is_v6() const { return family == IpFamily::kIpv6; }

  [[nodiscard]] bool is_unspecified() const;
  [[nodiscard]] bool is_loopback() const;
  [[nodiscard]] bool is_multicast() const;   // 224.0.0.0/4, ff00::/8
  [[nodiscard]] bool is_broadcast() const;   // 255.255.255.255
  [[nodiscard]] bool is_link_local() const;  // 169.254.0.0/16, fe80::/10
  /// Of a network that others have too: RFC 1918, RFC 6598 (carriers' customers), RFC 4193 (ULA).
  [[nodiscard]] bool is_private() const;
  [[nodiscard]] bool is_v4_mapped() const;  // ::ffff:0:0/96
  /// An IPv4-mapped IPv6 address as the IPv4 address it stands for; any other unchanged.
  [[nodiscard]] IpAddress Unmapped() const;
};

enum class Transport : std::uint8_t { kUdp, kTcp };

/// A transport address of RFC 8445 section 4: the same port of TCP and of UDP are two places.
struct SocketAddress {
  IpAddress ip;
  std::uint16_t port = 0;  // Host order.
  Transport transport = Transport::kUdp;

  auto operator<=>(const SocketAddress&) const = default;

  [[nodiscard]] SocketAddress Unmapped() const { return {ip.Unmapped(), port, transport}; }
};

/// A network, as in 10.71.0.0/24. The bits behind `length` are 0.
struct IpPrefix {
  IpAddress address;
  std::uint8_t length = 0;  // bits

  auto operator<=>(const IpPrefix&) const = default;

  [[nodiscard]] bool Contains(const IpAddress& ip) const;
  /// True when the two have an address in common.
  [[nodiscard]] bool Overlaps(const IpPrefix& other) const;
};

/// Parses "192.0.2.1", "2001:db8::1" or "fe80::1%eth0" (the zone becomes scope_id; a zone that is
/// no interface of this machine and no number is refused). No brackets, no port.
[[nodiscard]] std::optional<IpAddress> ParseIpAddress(std::string_view text);

/// Parses "192.0.2.1:80" or "[2001:db8::1]:80". The port is required.
[[nodiscard]] std::optional<SocketAddress> ParseSocketAddress(std::string_view text);

/// Parses "10.71.0.0/24"; without a slash, a single address. Host bits are kept in `host` (if
/// given) and cleared in the prefix returned.
[[nodiscard]] std::optional<IpPrefix> ParseIpPrefix(std::string_view text,
                                                    IpAddress* host = nullptr);

/// RFC 5952 text. A scope id is written as a number: "fe80::1%2".
[[nodiscard]] std::string ToString(const IpAddress& ip);
/// "192.0.2.1:80" or "[2001:db8::1]:80", whatever the transport.
[[nodiscard]] std::string ToString(const SocketAddress& address);
[[nodiscard]] std::string ToString(const IpPrefix& prefix);

struct IpAddressHash {
  [[nodiscard]] std::size_t operator()(const IpAddress& ip) const noexcept {
    const std::string_view view(reinterpret_cast<const char*>(ip.bytes.data()), ip.bytes.size());
    return std::hash<std::string_view>{}(view) ^ (std::size_t{ip.scope_id} << 1U);
  }
};

struct SocketAddressHash {
  [[nodiscard]] std::size_t operator()(const SocketAddress& address) const noexcept {
    return IpAddressHash{}(address.ip) * 31 + address.port * 2U +
           static_cast<std::size_t>(address.transport);
  }
};

}  // namespace floe
