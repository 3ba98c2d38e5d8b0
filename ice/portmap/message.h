// What a router is asked, and what it answers, when a port is to be mapped.
//
// Source: RFC 6887 sections 7 and 11 (PCP), RFC 6886 section 3 (NAT-PMP).

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/socket_address.h"

namespace floe::ice::portmap {

inline constexpr std::uint16_t kServerPort = 5351;  // RFC 6887 section 19.1; NAT-PMP's too.

/// RFC 6887 section 11.1: shows in renewals and deletions that they come from who made the mapping.
using Nonce = std::array<std::uint8_t, 12>;

enum class Protocol : std::uint8_t { kPcp, kNatPmp };

/// A MAP request of PCP for one UDP port, 60 bytes.
struct PcpMapRequest {
  SocketAddress internal;
  SocketAddress suggested;  // External; port 0 for any.
  Nonce nonce{};
  std::uint32_t lifetime = 0;  // seconds; 0 deletes.
};

[[nodiscard]] std::vector<std::uint8_t> MakePcpMap(const PcpMapRequest& request);
/// Asks whether the server has kept its state, 24 bytes: RFC 6887 section 14.1.
[[nodiscard]] std::vector<std::uint8_t> MakePcpAnnounce(const IpAddress& client);
/// `lifetime` in seconds; 0 deletes, and then `suggested` has to be 0 too. 12 bytes.
[[nodiscard]] std::vector<std::uint8_t> MakeNatPmpMap(std::uint16_t internal_port,
                                                      std::uint16_t suggested,
                                                      std::uint32_t lifetime);
/// Asks for the external address, and whether the server has kept its state. 2 bytes.
[[nodiscard]] std::vector<std::uint8_t> MakeNatPmpAddressRequest();

enum class ResponseKind : std::uint8_t {
  kVersionError,  // The server does not speak what it was asked in.
  kPcpAnnounce,
  kPcpMap,
  kNatPmpAddress,
  kNatPmpMap,
};

/// Numbers and addresses are as they came: any value.
struct Response {
  ResponseKind kind = ResponseKind::kVersionError;
  std::uint16_t result = 0;    // 0: success. Otherwise only `epoch` below counts.
  std::uint32_t epoch = 0;     // seconds since the server lost its state
  std::uint32_t lifetime = 0;  // seconds, of a mapping
  Nonce nonce{};               // PCP
  std::uint16_t internal_port = 0;
  SocketAddress external;  // NatPmpMap has the port alone, NatPmpAddress the address alone.
};

/// Nothing for what is no response of either protocol, or is cut short.
[[nodiscard]] std::optional<Response> ParseResponse(Bytes datagram);

}  // namespace floe::ice::portmap
