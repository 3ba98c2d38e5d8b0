// A relay, by whichever way to it works best.
//
// Source: RFC 8656 section 3.9 (both families are tried), RFC 8305 (head starts).

#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/relay_server.h"
#include "ice/relay_way.h"
#include "ice/turn/client.h"

namespace floe::ice {

/// Races the ways to one server: UDP at once, TCP 150 ms later, TLS 300 ms later, all addresses of
/// the server at the same time. The first that allocates ends what is no better. What is better
/// goes on being tried, and takes over: the worse one stays for a while, so that its data can move.
/// While the server is silent on the way in use, the others are raced again.
class Relay {
 public:
  /// `random` must outlive it.
  Relay(RelayOutbox outbox, RandomSource& random);

  /// All ways to the server. Those that stay keep their state.
  void SetServers(TimePoint now, std::vector<RelayServer> servers);

  /// As Gatherer::SetLocalAddresses().
  void SetLocalAddresses(TimePoint now, const std::vector<SocketAddress>& addresses);

  void HandleNetworkChange(TimePoint now);
  RelayInbound HandleDatagram(TimePoint now, const SocketAddress& local,
                              const SocketAddress& remote, Bytes datagram);

  /// False if the stream is not ours.
  bool HandleStreamOpened(TimePoint now, StreamId id, const SocketAddress& local);
  bool HandleStreamBytes(TimePoint now, StreamId id, Bytes bytes, std::deque<Relayed>& received);
  bool HandleStreamClosed(TimePoint now, StreamId id, std::string_view reason);

  void HandleTimeout(TimePoint now);

  /// This address has become one of ours.
  void Lose(TimePoint now, const SocketAddress& relayed);
  /// What was found just now cannot be true, if it was found here.
  void Refuse(TimePoint now, const RelayFound& found);

  /// Gives every allocation back, and is at rest until SetServers() or SetLocalAddresses().
  void Close(TimePoint now);

  void Send(TimePoint now, const SocketAddress& relayed, const SocketAddress& remote,
            Bytes payload);
  void UseForData(TimePoint now, const SocketAddress& relayed, const SocketAddress& remote);

  /// The way that has this relayed address; null if none.
  [[nodiscard]] const RelayWay* Find(const SocketAddress& relayed) const;

  /// True if a way by UDP from `local` is seen at `mapped`.
  [[nodiscard]] bool IsMapped(const SocketAddress& local, const SocketAddress& mapped) const;

  [[nodiscard]] const std::vector<std::unique_ptr<RelayWay>>& ways() const { return ways_; }

  /// There is an allocation, or none could be had so far.
  [[nodiscard]] bool settled() const;

  [[nodiscard]] std::optional<TimePoint> NextTimeout() const;

 private:
  [[nodiscard]] RelayWay* FindStream(StreamId id);
  /// The way that is good and best; null if none is.
  [[nodiscard]] RelayWay* Best(TimePoint now) const;
  /// Which of our addresses this way starts from; nothing if none will do. Of no meaning to
  /// streams, but they need an address too.
  [[nodiscard]] std::optional<SocketAddress> BaseFor(const RelayWay& way) const;
  /// Where nothing is under way, the ways get their head starts once more.
  void BeginRace(TimePoint now);
  /// After every input: starts and stops what should be.
  void Plan(TimePoint now);
  void PlanWay(TimePoint now, RelayWay& way, const RelayWay* best);

  RelayOutbox outbox_;
  RandomSource& random_;
  std::vector<SocketAddress> addresses_;
  std::vector<std::unique_ptr<RelayWay>> ways_;  // The best first.
  std::optional<TimePoint> race_at_;             // When the race began, or will.
  bool had_best_ = false;                        // After the last input.
};

}  // namespace floe::ice
