// What goes into a Tunnel and what comes out of it, as plain values.

#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "base/key.h"
#include "base/socket_address.h"
#include "base/time.h"

namespace floe::tunnel {

/// Chosen by the owner of the tunnel, unique within it.
using PeerId = std::uint32_t;

struct PeerConfig {
  PublicKey public_key;
  std::optional<PresharedKey> preshared_key;
  /// What the peer may send from and is sent to. A prefix that another peer has moves to this one.
  std::vector<IpPrefix> allowed_ips;
  Duration persistent_keepalive{0};  // 0: none
};

/// Where a datagram came from, as far as it goes to answer it there: `local` is ours, or that of a
/// relay, and then `remote` is the peer's as the relay sees it.
struct Way {
  SocketAddress local;
  SocketAddress remote;
};

/// To be sent back the way that something came, whoever sent it. Never longer than that.
struct Reply {
  Way way;
  std::vector<std::uint8_t> bytes;
};

/// To be sent on whatever path leads to the peer.
struct Datagram {
  PeerId peer = 0;
  std::vector<std::uint8_t> bytes;
  /// For the IP header: kHandshakeTos, or the ECN mark of the packet inside (see packet/ecn.h).
  std::uint8_t tos = 0;
};

/// For the TUN device: one whole IP packet, without padding.
struct InnerPacket {
  PeerId peer = 0;
  std::vector<std::uint8_t> bytes;
};

/// There is a session to send on. Comes again with each rekey.
struct HandshakeCompleted {
  PeerId peer = 0;
};

/// Rekey-Attempt-Time has passed without an answer. Packets that waited are gone; the next packet
/// to the peer starts again.
struct HandshakeGaveUp {
  PeerId peer = 0;
};

/// The last session is older than Reject-After-Time: nothing can be sent without a handshake.
struct SessionExpired {
  PeerId peer = 0;
};

using Event = std::variant<HandshakeCompleted, HandshakeGaveUp, SessionExpired>;

/// Who sent a datagram, proven by its authentication.
struct Accepted {
  PeerId peer = 0;
  bool data = false;  // A transport message, keepalives included; false: a handshake message.
};

struct PeerStats {
  std::optional<TimePoint> latest_handshake;
  std::uint64_t rx_bytes = 0;  // bytes of authenticated datagrams
  std::uint64_t tx_bytes = 0;  // bytes of datagrams given out
  bool has_session = false;    // One younger than Reject-After-Time.
};

}  // namespace floe::tunnel
