// The rendezvous server on a simulated host: signaling alone, without TLS. STUN and TURN are
// stun_turn_node.h's, on a host of their own.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/secret.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "signaling/hub.h"
#include "tests/sim/node.h"

namespace floe::sim {

/// Tells every node of the same servers, with the same credentials.
class FixedWelcome final : public signaling::WelcomeSource {
 public:
  std::vector<std::string> stun;  // RFC 7064 URIs
  std::vector<std::string> turn;  // RFC 7065 URIs; none: no TURN at all
  std::string username;
  SecretString password;
  std::chrono::seconds ttl = std::chrono::hours(1);

  [[nodiscard]] std::vector<std::string> StunUrls() override { return stun; }

  [[nodiscard]] std::vector<signaling::TurnCredentials> MakeTurn(const PublicKey& node) override;
};

/// Listens on kPort of all addresses of its host, at the default path.
class RendezvousNode final : public Node {
 public:
  static constexpr std::uint16_t kPort = 8080;

  /// Both must outlive this.
  RendezvousNode(signaling::WelcomeSource& source, RandomSource& random)
      : hub_({}, source, random) {}

  void HandleDatagram(TimePoint /*now*/, const SocketAddress& /*local*/,
                      const SocketAddress& /*remote*/, Bytes /*datagram*/) override {}

  void HandleTimeout(TimePoint now) override {
    now_ = now;
    hub_.HandleTimeout(now);
  }

  [[nodiscard]] std::optional<TimePoint> NextTimeout() const override { return hub_.NextTimeout(); }

  [[nodiscard]] std::optional<Transmit> PollTransmit() override { return std::nullopt; }

  [[nodiscard]] bool AcceptsStreams(const SocketAddress& local) const override {
    return local.port == kPort;
  }

  void HandleStreamOpened(TimePoint now, StreamId id, const SocketAddress& remote) override {
    now_ = now;
    hub_.HandleOpened(now, id, remote);
  }

  void HandleStreamBytes(TimePoint now, StreamId id, Bytes bytes) override {
    now_ = now;
    hub_.HandleBytes(now, id, bytes);
  }

  void HandleStreamClosed(TimePoint now, StreamId id) override {
    now_ = now;
    hub_.HandleClosed(now, id);
  }

  [[nodiscard]] std::optional<StreamAction> PollStream() override;

  /// For its counters, and who is online.
  [[nodiscard]] const signaling::Hub& hub() const { return hub_; }

 private:
  TimePoint now_{};  // Of the latest input.
  signaling::Hub hub_;
};

}  // namespace floe::sim
