#include "signaling/url.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/socket_address.h"

namespace floe::signaling {
namespace {

constexpr std::size_t kMaxName = 253;  // RFC 1035 section 2.3.4, without the root's dot.
constexpr std::size_t kMaxLabel = 63;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) { return Lower(c); });
  return lower;
}

bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= kMaxLabel && label.front() != '-' &&
         label.back() != '-' && std::ranges::all_of(label, [](char c) {
           return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '-' || c == '_';
         });
}

/// `name` in lower case. A name whose last label is a number is an IPv4 address or nothing: some
/// resolvers would otherwise read "127.1" as one.
bool IsHostName(std::string_view name) {
  if (name.size() > kMaxName) {
    return false;
  }
  std::string_view label;
  std::size_t start = 0;
  while (start <= name.size()) {
    const std::size_t end = std::min(name.find('.', start), name.size());
    label = name.substr(start, end - start);
    if (!IsLabel(label)) {
      return false;
    }
    start = end + 1;
  }
  return !std::ranges::all_of(label, IsDigit);
}

/// What stands between the scheme and the path, taken apart.
struct HostAndPort {
  std::string_view host;
  std::string_view port;  // With its colon; empty where there is none.
  bool bracketed = false;
};

std::optional<HostAndPort> SplitAuthority(std::string_view authority) {
  if (!authority.starts_with('[')) {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    return HostAndPort{authority.substr(0, colon), authority.substr(colon), false};
  }
  const std::size_t end = authority.find(']');
  if (end == std::string_view::npos) {
    return std::nullopt;
  }
  return HostAndPort{authority.substr(1, end - 1), authority.substr(end + 1), true};
}

std::optional<std::string> ReadHost(const HostAndPort& parts) {
  // A zone means something on one machine only, so it has no place in a URL that is passed on.
  const bool has_zone = parts.host.find('%') != std::string_view::npos;
  const std::optional<IpAddress> ip = has_zone ? std::nullopt : ParseIpAddress(parts.host);
  if (parts.bracketed) {
    return ip && ip->is_v6() ? std::optional(ToString(*ip)) : std::nullopt;
  }
  if (ip) {
    return ip->is_v4() ? std::optional(ToString(*ip)) : std::nullopt;
  }
  std::string name = Lower(parts.host);
  return IsHostName(name) ? std::optional(std::move(name)) : std::nullopt;
}

/// `text` is ":80". An empty number, as in "ws://host:", is refused.
std::optional<std::uint16_t> ReadPort(std::string_view text) {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const bool colon = text.starts_with(':');
  if (!colon || !std::ranges::all_of(text.substr(1), IsDigit)) {
    return std::nullopt;
  }
  const auto [stop, error] = std::from_chars(text.data() + 1, end, port);
  if (error != std::errc{} || stop != end || port == 0) {
    return std::nullopt;
  }
  return port;
}

bool IsPath(std::string_view path) {
  return path.starts_with('/') &&
         std::ranges::all_of(path, [](char c) { return c > ' ' && c < '\x7F' && c != '#'; });
}

std::uint16_t DefaultPort(bool secure) {
  return secure ? 443 : 80;
}

}  // namespace

std::string_view ToString(UrlError error) {
  switch (error) {
    case UrlError::kScheme:
      return "the scheme must be ws:// or wss://";
    case UrlError::kHost:
      return "the host must be a name, an IPv4 address or an IPv6 address in brackets";
    case UrlError::kPort:
      return "the port must be a number from 1 to 65535";
    case UrlError::kPath:
      return "the path must be printable ASCII without spaces and without a fragment";
    case UrlError::kLength:
      return "the URL is too long";
  }
  return "unknown";
}

Result<Url, UrlError> ParseUrl(std::string_view text) {
  if (text.size() > kMaxUrlSize) {
    return Fail(UrlError::kLength);
  }
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) {
    return Fail(UrlError::kScheme);
  }
  const std::string scheme = Lower(text.substr(0, scheme_end));
  if (scheme != "ws" && scheme != "wss") {
    return Fail(UrlError::kScheme);
  }
  const std::string_view rest = text.substr(scheme_end + 3);
  const std::size_t authority_end = std::min(rest.find_first_of("/?#"), rest.size());
  const std::string_view path = rest.substr(authority_end);

  const std::optional<HostAndPort> parts = SplitAuthority(rest.substr(0, authority_end));
  const std::optional<std::string> host = parts ? ReadHost(*parts) : std::nullopt;
  if (!host) {
    return Fail(UrlError::kHost);
  }
  Url url{.secure = scheme == "wss", .host = *host};
  url.port = DefaultPort(url.secure);
  if (!parts->port.empty()) {
    const std::optional<std::uint16_t> port = ReadPort(parts->port);
    if (!port) {
      return Fail(UrlError::kPort);
    }
    url.port = *port;
  }
  if (!path.empty() && path != "/") {
    if (!IsPath(path)) {
      return Fail(UrlError::kPath);
    }
    url.path = path;
  }
  return url;
}

std::string Authority(const Url& url) {
  const bool is_v6 = url.host.find(':') != std::string::npos;
  std::string text = is_v6 ? "[" + url.host + "]" : url.host;
  if (url.port != DefaultPort(url.secure)) {
    text += ":" + std::to_string(url.port);
  }
  return text;
}

std::string ToString(const Url& url) {
  return (url.secure ? "wss://" : "ws://") + Authority(url) + url.path;
}

}  // namespace floe::signaling
