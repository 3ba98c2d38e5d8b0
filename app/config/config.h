// floe.toml as plain values, checked as a whole before anything acts on it.
//
// The files it names (keys, passwords) are read here too, so that what comes out is ready to use
// and cannot fail later.

#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/config_error.h"
#include "app/config/url.h"
#include "base/key.h"
#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/socket_address.h"
#include "base/time.h"

namespace floe::config {

inline constexpr std::uint16_t kDefaultListenPort = 41820;
inline constexpr std::uint16_t kDefaultMtu = 1408;  // bytes, inside the tunnel
inline constexpr const char* kDefaultConfigFile = "/etc/floe/floe.toml";
/// What stands for the endpoint of a plain WireGuard device that calls us, from anywhere.
inline constexpr std::string_view kAnyEndpoint = "any";
inline constexpr const char* kDefaultControlSocket = "/run/floe/floe.sock";

/// An address of ours and the network it is in: 10.71.0.1/24.
struct InterfaceAddress {
  IpAddress ip;
  std::uint8_t prefix_length = 0;  // bits

  auto operator<=>(const InterfaceAddress&) const = default;
};

struct NodeConfig {
  std::string name;
  std::filesystem::path private_key_file;
  PrivateKey private_key;
  PublicKey public_key;  // Derived from private_key.
  /// Never empty: a node without configured addresses has the one derived from its key.
  std::vector<InterfaceAddress> addresses;
  std::uint16_t listen_port = kDefaultListenPort;  // 0: any.
  std::uint32_t fwmark = 0;                        // 0: none.
};

struct RelayConfig {
  std::vector<RelayUrl> urls;                // At least one.
  std::string username;                      // May be empty with shared_secret.
  std::filesystem::path password_file;       // Empty: none. So for the next.
  std::filesystem::path shared_secret_file;  // secret_file
  /// Either the user's password or the secret shared with the TURN server, from which short-lived
  /// credentials are made; never both.
  std::optional<SecretString> password;
  std::optional<SecretString> shared_secret;
};

/// Only kAuto, kDirectOnly and kRelayOnly change anything: kDirect and kRelay act as kAuto.
enum class PathPreference : std::uint8_t { kAuto, kDirect, kRelay, kDirectOnly, kRelayOnly };

/// Which addresses of ours peers may learn: the four modes of RFC 8828 section 5.2.
enum class Privacy : std::uint8_t { kAll, kDefaultRouteAndHost, kDefaultRoute, kRelayOnly };

/// Interfaces are named by patterns as of fnmatch(3): "docker*".
struct PathsConfig {
  PathPreference prefer = PathPreference::kAuto;
  Privacy privacy = Privacy::kAll;
  std::vector<std::string> interfaces;         // Gathered from alone; empty: from all...
  std::vector<std::string> ignore_interfaces;  // ...but these. Empty: those that floe guesses.
  std::vector<IpPrefix> ignore_cidrs;
  std::vector<std::string> hide_interfaces;    // Used, and not told to peers.
  std::vector<IpPrefix> hide_cidrs;            // The same.
  std::vector<std::string> prefer_interfaces;  // The first to be tried.
  // How routers are asked to forward our port.
  bool pcp = true;
  bool nat_pmp = true;
  bool upnp = true;
  /// Whether ports of a NAT may be tried where nothing else leads past it; only with peers that say
  /// the same.
  bool port_prediction = false;

  bool operator==(const PathsConfig&) const = default;

  [[nodiscard]] bool relay_only() const {
    return prefer == PathPreference::kRelayOnly || privacy == Privacy::kRelayOnly;
  }
};

/// What the kernel and floe do with many packets at once, as far as this machine can.
struct OffloadConfig {
  bool tso = true;          // The kernel hands over large TCP packets, to be cut...
  bool uso = true;          // ...and the like of UDP.
  bool coalesce = true;     // Packets for the kernel are joined.
  bool udp_segment = true;  // Datagrams are sent together...
  bool udp_gro = true;      // ...and received together.

  bool operator==(const OffloadConfig&) const = default;
};

struct TunConfig {
  std::string name = "floe0";
  std::uint16_t mtu = kDefaultMtu;  // bytes
  OffloadConfig offload;
  bool two_threads = true;  // For packets, one each way. False: they are the loop's work, too.

  bool operator==(const TunConfig&) const = default;
};

/// Which make of the cipher packets are sealed with.
enum class CipherChoice : std::uint8_t { kPadded, kOpenSsl, kReference, kFastest };

struct TunnelConfig {
  CipherChoice crypto = CipherChoice::kPadded;

  bool operator==(const TunnelConfig&) const = default;
};

struct PeerConfig {
  std::string name;
  PublicKey public_key;
  std::filesystem::path preshared_key_file;  // Empty: none.
  std::optional<PresharedKey> preshared_key;
  /// Never empty: a peer without any has the address derived from its key. No two peers overlap.
  std::vector<IpPrefix> allowed_ips;
  bool is_plain = false;             // A plain WireGuard device, without ICE.
  std::optional<HostPort> endpoint;  // Where it is called. Without one, a plain device calls us.
  Duration persistent_keepalive{};   // Whole seconds; 0: none.
};

/// The endpoint of a plain device as it is written: "host:port", or "any".
[[nodiscard]] std::string EndpointText(const PeerConfig& peer);

struct Config {
  NodeConfig node;
  std::vector<RendezvousUrl> rendezvous;
  std::vector<StunUrl> stun;
  std::vector<RelayConfig> relays;
  PathsConfig paths;
  TunConfig tun;
  TunnelConfig tunnel;
  std::vector<PeerConfig> peers;
  std::filesystem::path control_socket = kDefaultControlSocket;
  log::Level log_level = log::Level::kInfo;
  /// Whether a route may cover a directly connected network.
  bool allow_overlap = false;
};

/// Reads and checks the file at `path` and the files it names. Blocks on the file system.
[[nodiscard]] Result<Config, ConfigError> LoadConfig(const std::filesystem::path& path);

/// Checks `text` as if it were the file at `path`: relative paths in it start at its directory.
[[nodiscard]] Result<Config, ConfigError> ParseConfig(std::string_view text,
                                                      const std::filesystem::path& path);

}  // namespace floe::config
