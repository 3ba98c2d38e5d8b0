// Reads what wg-quick(8) reads, and writes it down as floe.toml.
//
// Source: wg(8) "Configuration file format", wg-quick(8) "Configuration".

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/config.h"
#include "app/config/config_error.h"
#include "base/result.h"

namespace floe::config {

/// Something that floe has no place for, or does in another way.
struct WgRemark {
  std::uint32_t line = 0;
  std::string text;  // "PostUp is left out: floe runs no commands". Never holds a secret.
};

struct WgQuick {
  PrivateKey private_key;
  std::vector<InterfaceAddress> addresses;   // Empty: none are named.
  std::optional<std::uint16_t> listen_port;  // So for the next two.
  std::optional<std::uint32_t> fwmark;
  std::optional<std::uint16_t> mtu;  // bytes
  /// All are plain devices. Each has a name, from a comment beside [Peer] or made up. Allowed IPs
  /// may be empty.
  std::vector<PeerConfig> peers;
  std::vector<WgRemark> remarks;  // In the order of the file.
};

/// `file` is only named in the error, which names the line.
[[nodiscard]] Result<WgQuick, ConfigError> ParseWgQuick(std::string_view text,
                                                        const std::string& file);

/// floe.toml for the same. It names the file `key_file` for the private key and, for each peer that
/// has one, `<name>.psk` for the preshared key.
[[nodiscard]] std::string ToToml(const WgQuick& config, std::string_view source,
                                 std::string_view key_file);

/// What ToToml() calls the file of a peer's preshared key.
[[nodiscard]] std::string PresharedKeyFile(const PeerConfig& peer);

}  // namespace floe::config
