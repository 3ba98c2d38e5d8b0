// Has one router forward a UDP port to us, and keeps that so.
//
// Source: RFC 6887 (PCP), RFC 6886 (NAT-PMP).

#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/portmap/message.h"

namespace floe::ice::portmap {

struct ClientConfig {
  SocketAddress internal;  // Our socket. Requests have to be sent from this address.
  IpAddress router;
  Nonce nonce{};  // Unguessable, and always the same for this socket and router.
  bool pcp = true;
  bool nat_pmp = true;  // For IPv4; there is no other.
};

/// The router forwards from this address, which may be one of ours: then it only lets packets in.
struct Mapped {
  SocketAddress external;
  Protocol protocol = Protocol::kPcp;
};

struct Unmapped {};

/// The router has answered in none of the protocols, or refused in all; it is asked again later.
struct Silent {};

using Event = std::variant<Mapped, Unmapped, Silent>;

/// Asks in PCP, and in NAT-PMP where that is not understood or not answered. A mapping is renewed
/// after half its life. Every minute the router is asked whether it still knows its state; one that
/// has lost it is asked for the mapping again at once, with the same nonce and external port.
///
/// Owns no socket and no timer: one input, then all outputs, then sleep until NextTimeout().
class Client {
 public:
  Client(TimePoint now, const ClientConfig& config);

  /// What came to our socket from `router`, port kServerPort. Returns whether it was for us.
  bool HandleDatagram(TimePoint now, Bytes datagram);
  void HandleTimeout(TimePoint now);

  /// Something about the network has changed: asks for the mapping now.
  void CheckNow(TimePoint now);

  /// Gives the mapping back. Nothing is asked after this.
  void Close(TimePoint now);

  [[nodiscard]] std::optional<std::vector<std::uint8_t>> PollTransmit();
  [[nodiscard]] std::optional<Event> PollEvent();

  [[nodiscard]] std::optional<TimePoint> NextTimeout() const { return wake_; }

  [[nodiscard]] const std::optional<Mapped>& mapped() const { return mapped_; }

  [[nodiscard]] const ClientConfig& config() const { return config_; }

 private:
  enum class Phase : std::uint8_t {
    kAsking,    // For a mapping, by protocol_.
    kMapped,    // Nothing is under way.
    kPolling,   // Mapped, and asking whether the router has kept its state.
    kRenewing,  // Mapped, and asking for more time.
    kResting,   // Nobody answers.
    kClosed,
  };

  void Start(TimePoint now, Phase phase);
  void Send(TimePoint now);
  void SendMap(std::uint32_t lifetime);
  void Settle(TimePoint now);
  void GiveUp(TimePoint now);
  void TryNext(TimePoint now);
  void Lose();
  void HandleMap(TimePoint now, const Response& response);
  void HandleAddress(TimePoint now, const Response& response);
  void MakeMapped(TimePoint now);
  [[nodiscard]] bool KeptItsState(TimePoint now, std::uint32_t epoch);

  ClientConfig config_;
  Protocol protocol_ = Protocol::kPcp;
  Phase phase_ = Phase::kAsking;
  std::uint32_t sends_ = 0;  // Of what is under way.
  std::optional<TimePoint> wake_;
  TimePoint expires_;  // The mapping.
  TimePoint renew_;    // When to ask for more time.
  TimePoint poll_;     // When to ask for the state.
  TimePoint asked_;    // When the first request of kAsking went out.
  std::optional<Mapped> mapped_;
  SocketAddress suggested_;            // Where we were mapped last.
  std::optional<IpAddress> address_;   // NAT-PMP tells address...
  std::optional<std::uint16_t> port_;  // ...and port apart.

  struct Epoch {
    std::uint32_t server;  // seconds
    TimePoint client;
  };

  std::optional<Epoch> epoch_;  // Of the last answer.
  std::deque<std::vector<std::uint8_t>> transmits_;
  std::deque<Event> events_;
};

}  // namespace floe::ice::portmap
