#include "base/proxy.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "base/parse_number.h"
#include "base/socket_address.h"

namespace floe {
namespace {

constexpr std::uint16_t kDefaultPort = 1080;

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

std::optional<unsigned> HexDigit(char c) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto at = kDigits.find(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  return at == std::string_view::npos ? std::nullopt : std::optional(static_cast<unsigned>(at));
}

/// RFC 3986 section 2.1. What is no escape stands for itself.
std::string DecodePercent(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto high = text[i] == '%' && i + 2 < text.size() ? HexDigit(text[i + 1]) : std::nullopt;
    const auto low = high ? HexDigit(text[i + 2]) : std::nullopt;
    decoded += low ? static_cast<char>(*high * 16 + *low) : text[i];
    i += low ? 2U : 0U;
  }
  return decoded;
}

std::string_view Trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool Matches(std::string_view entry, const std::string& host) {
  if (entry == "*") {
    return true;
  }
  if (const auto ip = ParseIpAddress(host)) {
    const auto prefix = ParseIpPrefix(entry);
    return prefix && prefix->Contains(*ip);
  }
  const std::string name = Lower(entry.starts_with('.') ? entry.substr(1) : entry);
  return !name.empty() &&
         (host == name || (host.ends_with(name) && host[host.size() - name.size() - 1] == '.'));
}

}  // namespace

std::optional<Proxy> ParseProxy(std::string_view text) {
  if (const auto scheme = text.find("://"); scheme != std::string_view::npos) {
    if (Lower(text.substr(0, scheme)) != "http") {
      return std::nullopt;
    }
    text.remove_prefix(scheme + 3);
  }
  text = text.substr(0, text.find('/'));
  Proxy proxy{.port = kDefaultPort};
  if (const auto at = text.rfind('@'); at != std::string_view::npos) {
    proxy.credentials = SecretString(DecodePercent(text.substr(0, at)));
    text.remove_prefix(at + 1);
  }
  std::string_view host = text;
  std::string_view port;
  const auto colon = text.rfind(':');
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
  } else if (colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon);
  }
  if (!port.empty()) {
    const auto number = ParseNumber(port.substr(1), 65535);
    if (port.front() != ':' || !number || *number == 0) {
      return std::nullopt;
    }
    proxy.port = static_cast<std::uint16_t>(*number);
  }
  proxy.host = std::string(host);
  // It is written into a request: nothing that could end a line.
  const bool clean =
      std::ranges::all_of(proxy.host, [](unsigned char c) { return c > ' ' && c < 127; });
  return host.empty() || !clean ? std::nullopt : std::optional(std::move(proxy));
}

bool IsExempt(std::string_view no_proxy, std::string_view host) {
  const std::string name = Lower(host);
  while (!no_proxy.empty()) {
    const auto comma = no_proxy.find_first_of(", ");
    if (Matches(Trim(no_proxy.substr(0, comma)), name)) {
      return true;
    }
    no_proxy = comma == std::string_view::npos ? std::string_view() : no_proxy.substr(comma + 1);
  }
  return false;
}

std::optional<Proxy> FindProxy(const std::function<std::string(const char* name)>& get,
                               std::string_view host) {
  const auto first = [&get](std::initializer_list<const char*> names) {
    for (const char* name : names) {
      if (std::string value = get(name); !value.empty()) {
        return value;
      }
    }
    return std::string();
  };
  const std::string proxy = first({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"});
  return proxy.empty() || IsExempt(first({"no_proxy", "NO_PROXY"}), host) ? std::nullopt
                                                                          : ParseProxy(proxy);
}

std::optional<Proxy> FindProxyInEnvironment(std::string_view host) {
  return FindProxy(
      [](const char* name) {
        const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets any.
        return std::string(value == nullptr ? "" : value);
      },
      host);
}

}  // namespace floe
