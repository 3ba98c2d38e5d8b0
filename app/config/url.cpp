#include "app/config/url.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/socket_address.h"

namespace floe::config {
namespace {

constexpr std::uint16_t kStunPort = 3478;      // RFC 8489 section 8.1
constexpr std::uint16_t kStunTlsPort = 5349;   // RFC 8489 section 8.1
constexpr std::size_t kLongestHostName = 253;  // characters, RFC 1035 section 2.3.4

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

bool IsHostName(std::string_view text) {
  return !text.empty() && text.size() <= kLongestHostName && text.front() != '.' &&
         text.front() != '-' && std::ranges::all_of(text, IsNameCharacter);
}

/// Takes `prefix` off the front of `text`, if it is there. Schemes know no case (RFC 3986
/// section 3.1).
bool Consume(std::string_view& text, std::string_view prefix) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  if (!std::ranges::equal(text.substr(0, prefix.size()), prefix, {}, lower)) {
    return false;
  }
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, port);
  if (parsed.ec != std::errc() || parsed.ptr != end || port == 0) {
    return std::nullopt;
  }
  return port;
}

/// "host", "host:port", "[v6]" or "[v6]:port". Without a default the port is required.
Result<HostPort, UrlError> ParseAuthority(std::string_view text,
                                          std::optional<std::uint16_t> default_port) {
  std::size_t host_end = text.find(':');
  std::string_view host = text.substr(0, host_end);
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    host = bracket == std::string_view::npos ? "" : text.substr(1, bracket - 1);
    const auto ip = ParseIpAddress(host);
    if (!ip || !ip->is_v6()) {
      return Fail(UrlError::kBadHost);
    }
    host_end = bracket + 1 == text.size() ? std::string_view::npos : bracket + 1;
  } else if (!IsHostName(host)) {
    return Fail(UrlError::kBadHost);
  }
  if (host_end == std::string_view::npos) {
    if (!default_port) {
      return Fail(UrlError::kBadPort);
    }
    return HostPort{std::string(host), *default_port};
  }
  const auto port = ParsePort(text.substr(host_end + 1));
  if (text[host_end] != ':' || !port) {
    return Fail(UrlError::kBadPort);
  }
  return HostPort{std::string(host), *port};
}

std::optional<RelayTransport> TransportOf(std::string_view query, bool tls) {
  if (query.empty()) {
    return tls ? RelayTransport::kTls : RelayTransport::kUdp;
  }
  if (query == "?transport=tcp") {
    return tls ? RelayTransport::kTls : RelayTransport::kTcp;
  }
  if (query == "?transport=udp" && !tls) {
    return RelayTransport::kUdp;
  }
  return std::nullopt;
}

}  // namespace

std::string_view ToString(UrlError error) {
  switch (error) {
    case UrlError::kBadScheme:
      return "has a scheme that does not fit here";
    case UrlError::kBadHost:
      return "has no valid host";
    case UrlError::kBadPort:
      return "has no valid port";
    case UrlError::kBadTransport:
      return "asks for a transport that floe does not speak";
  }
  return "is no valid URL";
}

std::string ToString(const HostPort& server) {
  const bool brackets = server.host.find(':') != std::string::npos;
  return (brackets ? "[" + server.host + "]" : server.host) + ":" + std::to_string(server.port);
}

Result<HostPort, UrlError> ParseHostPort(std::string_view text) {
  return ParseAuthority(text, std::nullopt);
}

Result<RendezvousUrl, signaling::UrlError> ParseRendezvousUrl(std::string_view text) {
  auto url = signaling::ParseUrl(text);
  if (!url) {
    return Fail(url.error());
  }
  return RendezvousUrl{std::string(text), *std::move(url)};
}

Result<StunUrl, UrlError> ParseStunUrl(std::string_view text) {
  const std::string whole(text);
  if (!Consume(text, "stun:")) {
    return Fail(UrlError::kBadScheme);
  }
  auto server = ParseAuthority(text, kStunPort);
  if (!server) {
    return Fail(server.error());
  }
  return StunUrl{whole, *std::move(server)};
}

Result<RelayUrl, UrlError> ParseRelayUrl(std::string_view text) {
  const std::string whole(text);
  const bool tls = Consume(text, "turns:");
  if (!tls && !Consume(text, "turn:")) {
    return Fail(UrlError::kBadScheme);
  }
  const std::size_t authority_end = std::min(text.find('?'), text.size());
  auto server = ParseAuthority(text.substr(0, authority_end), tls ? kStunTlsPort : kStunPort);
  if (!server) {
    return Fail(server.error());
  }
  const auto transport = TransportOf(text.substr(authority_end), tls);
  if (!transport) {
    return Fail(UrlError::kBadTransport);
  }
  return RelayUrl{whole, *std::move(server), *transport};
}

}  // namespace floe::config
