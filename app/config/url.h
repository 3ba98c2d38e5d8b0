// The addresses of servers as they are written in floe.toml.
//
// Those of rendezvous are read by signaling/url.h.  Source: RFC 7064 (stun:), RFC 7065 (turn:,
// turns:).

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "signaling/url.h"

namespace floe::config {

enum class UrlError : std::uint8_t {
  kBadScheme,     // Not one of those that fit here.
  kBadHost,       // Empty, or a character that no name and no address has; or user information.
  kBadPort,       // Missing where it is required, not a number, 0, or above 65535.
  kBadTransport,  // A ?transport= that floe does not speak with this scheme.
};

[[nodiscard]] std::string_view ToString(UrlError error);

/// A host and a port. The host is a DNS name or an IP address, IPv6 without its brackets.
struct HostPort {
  std::string host;
  std::uint16_t port = 0;

  auto operator<=>(const HostPort&) const = default;
};

/// "host:port", with IPv6 in brackets where the host holds a colon.
[[nodiscard]] std::string ToString(const HostPort& server);

struct RendezvousUrl {
  std::string text;  // As it was written.
  signaling::Url url;
};

struct StunUrl {
  std::string text;
  HostPort server;  // Port 3478 unless written.
};

enum class RelayTransport : std::uint8_t { kUdp, kTcp, kTls };

struct RelayUrl {
  std::string text;
  HostPort server;  // Port 3478 (turn:) or 5349 (turns:) unless written.
  RelayTransport transport = RelayTransport::kUdp;
};

/// See signaling::ParseUrl().
[[nodiscard]] Result<RendezvousUrl, signaling::UrlError> ParseRendezvousUrl(std::string_view text);

/// "host:port"; the port is required.
[[nodiscard]] Result<HostPort, UrlError> ParseHostPort(std::string_view text);

/// "stun:host[:port]".
[[nodiscard]] Result<StunUrl, UrlError> ParseStunUrl(std::string_view text);

/// "turn:host[:port][?transport=udp|tcp]" or "turns:host[:port][?transport=tcp]". TURN over DTLS,
/// which RFC 7065 writes as turns: with transport=udp, is refused: floe does not speak it.
[[nodiscard]] Result<RelayUrl, UrlError> ParseRelayUrl(std::string_view text);

}  // namespace floe::config
