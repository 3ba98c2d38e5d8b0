// The line between a host, site, carrier or server and what it is attached to.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "tests/sim/flow.h"
#include "tests/support/fake_random.h"

namespace floe::sim {

/// True with probability `share`. Draws nothing when that is 0, so that an unused setting does not
/// change a run.
[[nodiscard]] bool Chance(test::FakeRandom& random, double share);

struct WireSettings {
  bool up = true;        // false: everything is lost, and nobody is told.
  Duration delay{};      // one way
  Duration jitter{};     // Added or subtracted, uniformly; order is kept.
  double loss = 0;       // share of packets, each on its own
  double duplicate = 0;  // share of packets that arrive twice
  double reorder = 0;    // share of packets held longer, so that others overtake them
  Duration hold = std::chrono::milliseconds(5);  // by how much
  std::size_t mtu = 0;                           // bytes with IP and UDP headers; 0 is no limit
};

/// One direction of a link. Settings may change at any time and hold for what enters afterwards.
class Wire {
 public:
  enum class Fate : std::uint8_t { kPasses, kDown, kLost, kTooBig };

  struct Passage {
    Fate fate = Fate::kPasses;
    TimePoint arrival;                   // of the packet, if it passes
    std::optional<TimePoint> duplicate;  // of its copy, if it has one
  };

  WireSettings settings;

  /// Sends a datagram of `size` bytes, headers included.
  [[nodiscard]] Passage Carry(TimePoint now, std::size_t size, test::FakeRandom& random);

  /// How long a packet would take, without loss; for streams, which keep their own order.
  [[nodiscard]] Duration Latency(test::FakeRandom& random) const;

 private:
  TimePoint last_arrival_;
};

enum class Direction : std::uint8_t { kUp, kDown, kBoth };

/// Both directions; `up` is away from the owner of the link.
struct Link {
  Wire up;
  Wire down;
  std::vector<BlockRule> blocks;

  void Set(const WireSettings& settings, Direction direction = Direction::kBoth);
  void SetDelay(Duration one_way, Direction direction = Direction::kBoth);
  void SetLoss(double share, Direction direction = Direction::kBoth);
  void Cut(Direction direction = Direction::kBoth);
  void Mend(Direction direction = Direction::kBoth);

  [[nodiscard]] bool Blocks(const Flow& flow) const;
};

}  // namespace floe::sim
