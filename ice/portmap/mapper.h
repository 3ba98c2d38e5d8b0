// The port mappings of this machine: a client for each of our sockets' addresses and its router.

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/secret.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/agent.h"
#include "ice/portmap/client.h"

namespace floe::ice::portmap {

/// A socket of ours and the router before it.
struct Gateway {
  SocketAddress internal;
  IpAddress router;

  auto operator<=>(const Gateway&) const = default;
};

struct MappingChanged {
  SocketAddress internal;
  std::optional<SocketAddress> external;  // Nothing: there is no mapping any more.
};

/// The router speaks neither protocol, as far as it can be told now. Comes again with each round.
struct RouterSilent {
  Gateway gateway;
};

using MapperEvent = std::variant<MappingChanged, RouterSilent>;

struct MapperConfig {
  bool pcp = true;
  bool nat_pmp = true;
  Secret<32> secret;  // Nonces are made of it, so that the next run can renew what this one leaves.
};

/// One input, then all outputs, then sleep until NextTimeout().
class Mapper {
 public:
  static constexpr std::size_t kMaxGateways = 8;

  explicit Mapper(MapperConfig config) : config_(std::move(config)) {}

  /// The first kMaxGateways; those that stay keep their state, those that go are told to forget us.
  void SetGateways(TimePoint now, const std::vector<Gateway>& gateways);

  /// Returns whether it was an answer of one of the routers.
  bool HandleDatagram(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                      Bytes datagram);
  void HandleTimeout(TimePoint now);
  void CheckNow(TimePoint now);

  /// Gives all mappings back.
  void Close(TimePoint now) { SetGateways(now, {}); }

  [[nodiscard]] std::optional<Transmit> PollTransmit();
  [[nodiscard]] std::optional<MapperEvent> PollEvent();
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const;

  [[nodiscard]] const std::map<Gateway, Client>& clients() const { return clients_; }

 private:
  [[nodiscard]] Nonce MakeNonce(const Gateway& gateway) const;
  void Drain(const Gateway& gateway, Client& client);

  MapperConfig config_;
  std::map<Gateway, Client> clients_;
  std::deque<Transmit> transmits_;
  std::deque<MapperEvent> events_;
};

}  // namespace floe::ice::portmap
