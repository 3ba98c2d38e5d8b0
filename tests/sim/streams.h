// TCP as its users see it: reliable, ordered bytes that take the time the path takes.

#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/time.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/route.h"
#include "tests/support/fake_random.h"

namespace floe::sim {

class Host;

struct StreamOptions {
  Duration retransmit = std::chrono::milliseconds(200);  // Doubles with each try in a row,
  Duration retransmit_limit = std::chrono::seconds(2);   // up to this.
  Duration dead_after = std::chrono::seconds(60);  // How long a sender tries before it gives up.
};

/// Connecting costs one round trip, and the server accepts half a round trip later. Loss becomes
/// retransmission delay, of what comes behind too. While a line is down or a side's address is gone
/// nothing arrives, and a side that has something to send gives up after `dead_after`; one that has
/// nothing to send learns nothing. No windows, no rates: what is written is under way at once.
class Streams final : public EventSink {
 public:
  /// All must outlive this.
  Streams(EventQueue& events, test::FakeRandom& random, Network& network)
      : events_(events), random_(random), network_(network) {}

  StreamOptions options;

  /// What a node asked for. An unknown or closed stream is ignored, as it may have closed
  /// meanwhile.
  void Apply(Host& host, Node::StreamAction action);

  /// The program on `host` has ended.
  void CloseAll(Host& host);

  /// Streams that one of their ends still holds.
  [[nodiscard]] std::size_t CountOpen() const;

  void HandleEvent(TimePoint now, std::uint64_t tag) override;

 private:
  enum class Kind : std::uint8_t { kSyn, kSynAck, kAck, kData, kFin };

  /// kNone -> kConnecting (client) -> kOpen -> kClosed; kNone -> kOpen (server).
  enum class State : std::uint8_t { kNone, kConnecting, kOpen, kClosed };

  struct Segment {
    Kind kind = Kind::kData;
    std::vector<std::uint8_t> bytes;
    TimePoint due;      // When it arrives, or, if it is not under way, is tried again.
    bool sent = false;  // under way
  };

  struct End {
    Host* host = nullptr;
    StreamId id = 0;
    State state = State::kNone;
    bool fin_sent = false;
    bool armed = false;            // An event for the head of `outgoing` is pending.
    std::deque<Segment> outgoing;  // In order; only the head may arrive.
    Duration backoff{};
    std::optional<TimePoint> blocked_since;
  };

  struct Connection {
    Route route;              // Without a client when none was found: then it is being refused.
    std::array<End, 2> ends;  // client, server
  };

  struct Place {
    std::size_t connection;
    std::size_t side;
  };

  [[nodiscard]] std::optional<Place> Find(const Host& host, StreamId id) const;

  [[nodiscard]] End& At(Place place) { return connections_[place.connection]->ends.at(place.side); }

  void Open(Host& host, const Node::OpenStream& open);
  void Close(Place place);
  void Enqueue(Place place, Kind kind, std::vector<std::uint8_t> bytes = {});
  void Launch(Place place, Segment& segment);
  void RetryBlocked(Place place);
  void Arm(Place place);
  void Arrive(Place place, const Segment& segment);
  void ArriveAtServer(Place from, Place server);
  void Finish(Place place);
  void Report(Place place, Bytes bytes);

  EventQueue& events_;
  test::FakeRandom& random_;
  Network& network_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::uint16_t next_port_ = 32768;
  StreamId next_accepted_ = kAcceptedStream;
};

}  // namespace floe::sim
