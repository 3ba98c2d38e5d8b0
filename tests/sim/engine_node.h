// A whole floe engine on a simulated host, with just enough of a kernel behind its TUN device: it
// answers pings, and keeps what else arrives.

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "app/floed/engine/engine.h"
#include "tests/sim/node.h"

namespace floe::sim {

class EngineNode final : public Node {
 public:
  static constexpr std::uint16_t kPort = 41820;

  /// `random` must outlive this. `unix_time` is the wall clock at `now`.
  EngineNode(TimePoint now, std::chrono::nanoseconds unix_time, engine::EngineConfig config,
             RandomSource& random);

  void HandleDatagram(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                      Bytes datagram) override;
  void HandleTimeout(TimePoint now) override;
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const override;
  [[nodiscard]] std::optional<Transmit> PollTransmit() override;
  void HandleAddresses(TimePoint now, std::span<const IpAddress> addresses) override;
  void HandleStreamOpened(TimePoint now, StreamId id, const SocketAddress& remote) override;
  void HandleStreamBytes(TimePoint now, StreamId id, Bytes bytes) override;
  void HandleStreamClosed(TimePoint now, StreamId id) override;
  [[nodiscard]] std::optional<StreamAction> PollStream() override;

  [[nodiscard]] engine::Engine& engine() { return *engine_; }

  /// Sends an echo request to a peer; call Host::Poke() afterwards.
  void Ping(TimePoint now, engine::PeerId peer = 0) {
    static_cast<void>(engine_->Ping(now, peer));
    Absorb(now);
  }

  /// Echo requests that were answered, by any peer and by one.
  [[nodiscard]] std::uint64_t pongs() const { return pongs_; }

  [[nodiscard]] std::uint64_t PongsFrom(engine::PeerId peer) const {
    const auto found = pongs_from_.find(peer);
    return found == pongs_from_.end() ? 0 : found->second;
  }

  /// Sockets of port prediction: those open, and the most there were.
  [[nodiscard]] std::size_t open_sockets() const { return open_sockets_.size(); }

  [[nodiscard]] std::size_t most_sockets() const { return most_sockets_; }

  /// Whether packets flow directly, or through a relay; nothing without a path or a session.
  [[nodiscard]] std::optional<bool> IsDirect(engine::PeerId peer = 0) const;

 private:
  /// Plays the runtime and the kernel until the engine has nothing more for either.
  void Absorb(TimePoint now);
  void TakeAction(TimePoint now, engine::Action action);

  std::unique_ptr<engine::Engine> engine_;
  bool started_ = false;
  StreamId next_stream_ = 1;
  std::map<StreamId, engine::StreamId> streams_;  // Ours, by the simulation's number.
  std::map<engine::StreamId, StreamId> open_;     // The latest of each rendezvous.
  std::deque<StreamAction> stream_actions_;
  std::uint16_t next_socket_ = 50'000;
  std::set<SocketAddress> open_sockets_;
  std::size_t most_sockets_ = 0;
  std::uint64_t pongs_ = 0;
  std::map<engine::PeerId, std::uint64_t> pongs_from_;
};

}  // namespace floe::sim
