// The configuration of floe-rendezvous: floe-rendezvous.toml, or what the command line says.

#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/config_error.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/socket_address.h"

namespace floe::rendezvous {

/// PEM files: the chain with the server's own certificate first, and its key.
struct TlsFiles {
  std::string certificate;
  std::string key;
};

struct ServerConfig {
  std::vector<SocketAddress> listen;  // For signaling.
  std::optional<TlsFiles> tls;        // With it signaling is wss, and ws without.
  /// Where STUN and TURN are, and what nodes are told of them; not empty.
  std::vector<IpAddress> addresses;
  /// Of the credentials for TURN, as coturn's static-auth-secret. Made at the start if there is
  /// none.
  std::optional<SecretString> turn_secret;
};

/// `path` is named in errors; files that the text names without "/" in front are beside it.
[[nodiscard]] Result<ServerConfig, config::ConfigError> ParseServerConfig(
    std::string_view text, const std::filesystem::path& path);
[[nodiscard]] Result<ServerConfig, config::ConfigError> LoadServerConfig(
    const std::filesystem::path& path);

/// The addresses in `listen`, each once.
[[nodiscard]] std::vector<IpAddress> AddressesOf(const std::vector<SocketAddress>& listen);

}  // namespace floe::rendezvous
