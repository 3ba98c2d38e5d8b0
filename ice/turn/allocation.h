// One allocation of a TURN server, with its permissions and channels.
//
// Source: RFC 8656 sections 6, 9 and 12.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/socket_address.h"
#include "base/time.h"
#include "ice/stun/message.h"
#include "ice/turn/integrity_key.h"

namespace floe::ice::turn {

/// What an allocation is known by (RFC 8656 section 3.2); the transport is always UDP.
struct FiveTuple {
  SocketAddress client;
  SocketAddress server;  // The address of ours that the client talks to.

  auto operator<=>(const FiveTuple&) const = default;
};

struct FiveTupleHash {
  [[nodiscard]] std::size_t operator()(const FiveTuple& tuple) const noexcept {
    return SocketAddressHash{}(tuple.client) * 31 + SocketAddressHash{}(tuple.server);
  }
};

/// Which ports will do for a relayed address (EVEN-PORT).
enum class Parity : std::uint8_t { kAny, kEven };

/// An Allocate request that waits for its relay socket.
struct PendingAllocate {
  stun::TransactionId id{};
  IntegrityKey key;
  bool has_fingerprint = false;
  Parity parity = Parity::kAny;
  std::uint32_t attempts = 0;
};

class Allocation {
 public:
  FiveTuple tuple;
  std::string username;  // As the first request had it.
  std::string user;      // Whom it counts against. Every later request has to be theirs (441).
  SocketAddress relayed;
  TimePoint expires;
  Duration lifetime{};                     // As granted.
  stun::TransactionId allocate_id{};       // Tells a resent Allocate from a second one.
  std::optional<PendingAllocate> pending;  // Until the relay socket is open.

  [[nodiscard]] bool is_open() const { return !pending; }

  /// False if there are `max` permissions already that have not expired.
  bool Permit(TimePoint now, const IpAddress& peer, Duration permission_lifetime, std::size_t max);
  [[nodiscard]] bool IsPermitted(TimePoint now, const IpAddress& peer) const;

  enum class BindResult : std::uint8_t { kBound, kConflict, kFull };

  /// kConflict if the number belongs to another peer, or the peer to another number.
  BindResult Bind(TimePoint now, std::uint16_t number, const SocketAddress& peer,
                  Duration channel_lifetime, std::size_t max);
  [[nodiscard]] std::optional<SocketAddress> PeerOf(TimePoint now, std::uint16_t number) const;
  [[nodiscard]] std::optional<std::uint16_t> ChannelOf(TimePoint now,
                                                       const SocketAddress& peer) const;

 private:
  struct Channel {
    SocketAddress peer;
    TimePoint expires;
  };

  std::unordered_map<IpAddress, TimePoint, IpAddressHash> permissions_;
  std::map<std::uint16_t, Channel> channels_;
  std::unordered_map<SocketAddress, std::uint16_t, SocketAddressHash> numbers_;
};

}  // namespace floe::ice::turn
