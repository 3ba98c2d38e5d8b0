// What a node knows about itself and its peers, as `floe status` shows it and scripts read it.
//
// The schema is floe.status/1, to which fields are only ever added.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/control/wall_time.h"
#include "base/key.h"
#include "base/result.h"
#include "base/socket_address.h"
#include "ice/candidate.h"

namespace floe::control {

inline constexpr const char* kStatusSchema = "floe.status/1";

/// What the network in front of this node does to it.
enum class NatKind : std::uint8_t {
  kUnknown,  // Not measured yet.
  kNone,     // The node has a public address.
  kEasy,     // One mapping for all destinations.
  kHard,     // A mapping for each destination.
  kBlocked,  // UDP does not get through.
};

enum class ServerState : std::uint8_t { kConnecting, kConnected, kDisconnected };

enum class PeerState : std::uint8_t {
  kDown,        // Taken down with `floe down`.
  kOffline,     // The rendezvous says it is not there.
  kConnecting,  // Looking for a path, or shaking hands.
  kUp,          // Packets flow.
};

enum class PathKind : std::uint8_t { kNone, kDirect, kRelay };

enum class PathTransport : std::uint8_t { kUdp, kTcp, kTls };

/// A port that a router forwards to this node.
struct PortMappingStatus {
  std::string protocol;  // "pcp", "nat-pmp" or "upnp"
  std::optional<SocketAddress> internal;
  std::optional<SocketAddress> external;

  bool operator==(const PortMappingStatus&) const = default;
};

/// What has been done for port prediction since the daemon started.
struct PortPredictionStatus {
  std::uint64_t attempts = 0;
  std::uint64_t probes = 0;  // Packets sent.
  std::uint64_t found = 0;   // Attempts that found a direct path.

  bool operator==(const PortPredictionStatus&) const = default;
};

struct NodeStatus {
  std::string name;
  PublicKey public_key;
  std::vector<IpAddress> addresses;
  std::uint16_t listen_port = 0;
  NatKind nat = NatKind::kUnknown;
  std::optional<std::string> nat_mapping;    // RFC 4787's words, where a server could tell...
  std::optional<std::string> nat_filtering;  // ...as "endpoint-independent".
  std::vector<PortMappingStatus> port_mappings;
  std::optional<PortPredictionStatus> port_prediction;  // Where it is switched on.
  std::optional<WallTime> since;                        // When the daemon started.

  bool operator==(const NodeStatus&) const = default;
};

struct RendezvousStatus {
  std::string url;
  ServerState state = ServerState::kConnecting;
  std::optional<double> rtt_ms;

  bool operator==(const RendezvousStatus&) const = default;
};

/// How `mtu` is found out, on paths where it can be.
struct MtuProbing {
  std::string state;              // "confirming", "searching" or "complete"
  std::uint64_t probes = 0;       // Sent.
  std::uint64_t black_holes = 0;  // How often the size in use was found not to pass.

  bool operator==(const MtuProbing&) const = default;
};

/// The path in use. Without one `kind` is kNone and the rest means nothing.
struct PathStatus {
  PathKind kind = PathKind::kNone;
  std::optional<ice::CandidateType> local_type;   // Nothing for a plain WireGuard device.
  std::optional<ice::CandidateType> remote_type;  // The same.
  std::optional<SocketAddress> local;
  std::optional<SocketAddress> remote;
  PathTransport transport = PathTransport::kUdp;
  std::optional<double> rtt_ms;
  std::optional<double> loss;  // 0 to 1, of recent probes.
  std::optional<WallTime> since;
  std::uint32_t mtu = 0;  // bytes inside the tunnel
  std::optional<MtuProbing> mtu_probing;

  bool operator==(const PathStatus&) const = default;
};

struct PeerStatus {
  std::string name;
  PublicKey public_key;
  PeerState state = PeerState::kDown;
  std::optional<WallTime> since;  // When it came into this state.
  PathStatus path;
  std::vector<IpPrefix> allowed_ips;
  std::optional<std::string> endpoint;     // As configured, for a plain WireGuard device.
  std::optional<std::string> why_relayed;  // A sentence, while it is.
  std::optional<WallTime> latest_handshake;
  std::uint64_t rx_bytes = 0;  // Of inner packets.
  std::uint64_t tx_bytes = 0;
  std::optional<double> first_path_ms;  // From the start of connecting to the first path...
  std::optional<double> direct_ms;      // ...and to the first direct one.

  bool operator==(const PeerStatus&) const = default;
};

/// Something that the kernel does, or floe, with many packets at once.
struct OffloadStatus {
  std::string name;                        // As in the configuration: "udp-gro".
  std::optional<std::string> off_because;  // Nothing while it is on.

  bool operator==(const OffloadStatus&) const = default;
};

/// Packets that were dropped for one reason since the daemon started.
struct DropStatus {
  std::string reason;  // "replayed_transport"
  std::uint64_t count = 0;

  bool operator==(const DropStatus&) const = default;
};

/// The packet path.
struct TunnelStatus {
  std::string cipher;  // Whose make: "OpenSSL".
  std::vector<OffloadStatus> offloads;
  std::vector<DropStatus> drops;
  // Inner packets that a path had no room for, or would not have had.
  std::uint64_t fragmented = 0;   // Cut, and sent on.
  std::uint64_t clamped_mss = 0;  // SYNs of TCP that were made to ask for smaller segments.
  std::uint64_t too_big = 0;      // Sends of datagrams that were, after all, too big for the way.

  bool operator==(const TunnelStatus&) const = default;
};

struct Status {
  NodeStatus node;
  TunnelStatus tunnel;
  std::vector<RendezvousStatus> rendezvous;
  std::vector<PeerStatus> peers;
  std::vector<std::string> health;  // What a person should know; empty when all is well.

  bool operator==(const Status&) const = default;
};

enum class StatusError : std::uint8_t {
  kNotJson,
  kBadSchema,  // Another schema than floe.status/1.
  kBadField,   // A field is missing, of another type, or holds what it cannot.
};

[[nodiscard]] std::string_view ToString(StatusError error);

/// One line of JSON without its line feed.
[[nodiscard]] std::string ToJson(const Status& status);

/// Reads what ToJson() writes. Unknown fields are skipped; those added after the first release of
/// the schema may be absent.
[[nodiscard]] Result<Status, StatusError> ParseStatus(std::string_view json);

/// The peer of this name, public key or inner address; null if there is none. Borrows `status`.
[[nodiscard]] const PeerStatus* FindPeer(const Status& status, std::string_view peer);

// The words of the schema, as in "srflx".
[[nodiscard]] std::string_view ToString(NatKind kind);
[[nodiscard]] std::string_view ToString(ServerState state);
[[nodiscard]] std::string_view ToString(PeerState state);
[[nodiscard]] std::string_view ToString(PathKind kind);
[[nodiscard]] std::string_view ToString(PathTransport transport);
[[nodiscard]] std::string_view CandidateWord(ice::CandidateType type);

}  // namespace floe::control
