// The address of a rendezvous server: ws://host[:port][/path] or wss://host[:port][/path].
//
// Source: RFC 6455 section 3 (the schemes), RFC 3986 section 3.2 (the authority).

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace floe::signaling {

/// Where a rendezvous answers unless it is told otherwise.
inline constexpr std::string_view kDefaultPath = "/floe";

enum class UrlError : std::uint8_t {
  kScheme,  // Neither ws:// nor wss://.
  kHost,    // No host, or neither a name nor an address; user names are not accepted.
  kPort,    // Not a number from 1 to 65535.
  kPath,    // A fragment, a space, or a character that is not printable ASCII.
  kLength,  // Longer than kMaxUrlSize.
};

[[nodiscard]] std::string_view ToString(UrlError error);

inline constexpr std::size_t kMaxUrlSize = 2048;  // bytes

struct Url {
  bool secure = true;  // wss: TLS below the WebSocket.
  std::string host;    // A name in lower case, or an address; IPv6 without brackets.
  std::uint16_t port = 443;
  std::string path{kDefaultPath};  // With the query, if there is one: what GET asks for.

  bool operator==(const Url&) const = default;
};

/// Without a port: 80 or 443, as the scheme says. Without a path, or with "/": kDefaultPath.
[[nodiscard]] Result<Url, UrlError> ParseUrl(std::string_view text);

/// The URL as text; ParseUrl() gives the same value back. The port is left out where it is the
/// scheme's own.
[[nodiscard]] std::string ToString(const Url& url);

/// "host" or "host:port", with brackets around IPv6: the value of the Host header.
[[nodiscard]] std::string Authority(const Url& url);

}  // namespace floe::signaling
