// A TURN and STUN server over UDP, without I/O.
//
// Source: RFC 8656 (TURN) and RFC 8489 (STUN). What is left out is in ice/turn/README.md.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/stun/message.h"
#include "ice/turn/allocation_table.h"
#include "ice/turn/authenticator.h"
#include "ice/turn/source_limit.h"

namespace floe::ice::turn {

struct ServerConfig {
  AuthConfig auth;
  std::vector<IpAddress> relay_ips;  // The first of each family is relayed from.
  PortRange ports;                   // Of relayed addresses.
  Duration default_lifetime = std::chrono::seconds(600);  // RFC 8656 section 7.2
  Duration max_lifetime = std::chrono::seconds(3600);
  Duration permission_lifetime = std::chrono::seconds(300);  // Section 9
  Duration channel_lifetime = std::chrono::seconds(600);     // Section 12
  std::size_t max_allocations = 8192;
  std::size_t max_allocations_per_user = 64;
  std::size_t max_permissions = 512;  // of an allocation
  std::size_t max_channels = 256;     // of an allocation
  std::vector<IpPrefix> denied_peers;
  /// Loopback, unspecified, multicast, broadcast and IPv4-mapped addresses are denied as well.
  /// Loopback alone may be allowed, for a server that serves one machine's tests.
  bool allow_loopback_peers = false;
};

/// A datagram to send: to a client from the address it talked to, or to a peer from a relayed
/// address.
struct ServerTransmit {
  SocketAddress local;
  SocketAddress remote;
  std::vector<std::uint8_t> payload;
};

/// Bind a UDP socket to this address; the answer is HandleRelayOpened() or HandleRelayFailed().
struct OpenRelay {
  SocketAddress address;
};

/// Close it, opened or not yet.
struct CloseRelay {
  SocketAddress address;
};

using ServerAction = std::variant<OpenRelay, CloseRelay>;

struct ServerStats {
  std::uint64_t dropped = 0;          // Malformed, or for nobody.
  std::uint64_t refused = 0;          // Error responses, challenges included.
  std::uint64_t limited = 0;          // Not answered: too many of one source (SourceLimit).
  std::uint64_t relayed_packets = 0;  // Both directions.
  std::uint64_t relayed_bytes = 0;    // Payload.
};

/// Owns no socket and no timer: after each input, drain PollTransmit() and PollAction(), then sleep
/// until NextTimeout(). `now` never goes backwards. Not thread-safe.
class Server {
 public:
  /// `random` must outlive the server. `config.ports` is not empty.
  Server(ServerConfig config, RandomSource& random);

  // Inputs.

  /// A datagram that came from `client` to `local`, one of the addresses the server listens on.
  void HandleDatagram(TimePoint now, const SocketAddress& client, const SocketAddress& local,
                      Bytes datagram);
  /// A datagram that came from `peer` to a relayed address.
  void HandleRelayed(TimePoint now, const SocketAddress& relayed, const SocketAddress& peer,
                     Bytes datagram);
  void HandleRelayOpened(TimePoint now, const SocketAddress& address);
  /// Another port is tried, a few times.
  void HandleRelayFailed(TimePoint now, const SocketAddress& address);
  void HandleTimeout(TimePoint now);

  // Outputs.

  [[nodiscard]] std::optional<ServerTransmit> PollTransmit();
  [[nodiscard]] std::optional<ServerAction> PollAction();

  [[nodiscard]] std::optional<TimePoint> NextTimeout() const { return allocations_.NextExpiry(); }

  [[nodiscard]] std::size_t allocation_count() const { return allocations_.size(); }

  [[nodiscard]] const ServerStats& stats() const { return stats_; }

 private:
  /// A request, and whose it is.
  struct Request {
    TimePoint now;
    FiveTuple tuple;
    const stun::MessageView& message;
    bool has_fingerprint = false;
    Identity identity;  // Without a username until authenticated.
  };

  // server.cpp
  void HandleRequest(Request request);
  void HandleSend(TimePoint now, const FiveTuple& tuple, const stun::MessageView& message);
  void HandleChannelData(TimePoint now, const FiveTuple& tuple, Bytes datagram);
  void Relay(TimePoint now, const Allocation& from, const SocketAddress& peer, Bytes payload);
  void CountRelayed(Bytes payload);

  // server_requests.cpp
  void HandleAllocate(const Request& request);
  void HandleRefresh(const Request& request, Allocation& allocation);
  void HandleCreatePermission(const Request& request, Allocation& allocation);
  void HandleChannelBind(const Request& request, Allocation& allocation);
  void AnswerAllocated(const Allocation& allocation, const stun::TransactionId& id,
                       const IntegrityKey& key, bool has_fingerprint);
  void Remove(Allocation& allocation);
  [[nodiscard]] std::optional<IpAddress> RelayIp(IpFamily family) const;
  [[nodiscard]] Duration LifetimeFor(const Request& request) const;
  /// Why this peer cannot be; nothing if it can.
  [[nodiscard]] std::optional<stun::ErrorCode> Objection(const Allocation& allocation,
                                                         const SocketAddress& peer) const;
  [[nodiscard]] bool IsDenied(const IpAddress& peer) const;

  void Succeed(const Request& request);
  void Refuse(const Request& request, stun::ErrorCode code,
              const std::vector<stun::AttributeType>& unknown = {});
  /// Whether a source that has proved nothing is to be answered; if not, that is counted.
  [[nodiscard]] bool MayAnswer(SourceLimit& limit, TimePoint now, const SocketAddress& client);
  void Send(const FiveTuple& tuple, std::vector<std::uint8_t> payload);

  ServerConfig config_;
  RandomSource& random_;
  Authenticator authenticator_;
  // Answers to those who have not proved who they are, each kind with a limit of its own: whoever
  // asks where he is must not keep others of his address from the relay.
  SourceLimit bindings_;
  SourceLimit challenges_;
  AllocationTable allocations_;
  std::deque<ServerTransmit> transmits_;
  std::deque<ServerAction> actions_;
  ServerStats stats_;
};

}  // namespace floe::ice::turn
