// Which HTTP proxy the environment asks for, if any.
//
// Source: there is no standard. The variables and their forms are those of curl(1):
// https_proxy, all_proxy and no_proxy, in small letters or capitals.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"

namespace floe {

struct Proxy {
  std::string host;  // A name or an address, IPv6 without its brackets.
  std::uint16_t port = 0;
  SecretString credentials;  // "user:password", decoded; empty if it wants none.
};

/// "http://[user:password@]host[:port]"; the scheme may be missing, the port is 1080 then as
/// with curl. Nothing if it is of another kind (socks5:, https:) or makes no sense.
[[nodiscard]] std::optional<Proxy> ParseProxy(std::string_view text);

/// What no_proxy says: "*", or a list of names, each with all below it, addresses and networks.
[[nodiscard]] bool IsExempt(std::string_view no_proxy, std::string_view host);

/// The proxy for a TLS or other long-lived connection to `host`. `get` looks a variable up; empty
/// means that it is not set.
[[nodiscard]] std::optional<Proxy> FindProxy(
    const std::function<std::string(const char* name)>& get, std::string_view host);

/// FindProxy() in the environment of this process.
[[nodiscard]] std::optional<Proxy> FindProxyInEnvironment(std::string_view host);

}  // namespace floe
