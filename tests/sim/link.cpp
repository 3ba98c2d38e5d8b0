#include "tests/sim/link.h"

#include <algorithm>

namespace floe::sim {
namespace {

/// Uniform in [0, 1), from 53 random bits.
double Uniform(test::FakeRandom& random) {
  return static_cast<double>(random.Next() >> 11U) * 0x1p-53;
}

template <typename Change>
void ForEach(Link& link, Direction direction, Change change) {
  if (direction != Direction::kDown) {
    change(link.up.settings);
  }
  if (direction != Direction::kUp) {
    change(link.down.settings);
  }
}

}  // namespace

bool Chance(test::FakeRandom& random, double share) {
  return share > 0 && Uniform(random) < share;
}

Duration Wire::Latency(test::FakeRandom& random) const {
  if (settings.jitter == Duration::zero()) {
    return settings.delay;
  }
  const double offset = (2 * Uniform(random) - 1) * static_cast<double>(settings.jitter.count());
  return std::max(Duration::zero(), settings.delay + Duration(static_cast<Duration::rep>(offset)));
}

Wire::Passage Wire::Carry(TimePoint now, std::size_t size, test::FakeRandom& random) {
  if (!settings.up) {
    return {.fate = Fate::kDown};
  }
  if (settings.mtu != 0 && size > settings.mtu) {
    return {.fate = Fate::kTooBig};
  }
  if (Chance(random, settings.loss)) {
    return {.fate = Fate::kLost};
  }
  Passage passage;
  passage.arrival = std::max(now + Latency(random), last_arrival_);
  if (Chance(random, settings.reorder)) {
    passage.arrival += settings.hold;
  } else {
    last_arrival_ = passage.arrival;
  }
  if (Chance(random, settings.duplicate)) {
    passage.duplicate = passage.arrival + Latency(random);
  }
  return passage;
}

void Link::Set(const WireSettings& settings, Direction direction) {
  ForEach(*this, direction, [&](WireSettings& wire) { wire = settings; });
}

void Link::SetDelay(Duration one_way, Direction direction) {
  ForEach(*this, direction, [&](WireSettings& wire) { wire.delay = one_way; });
}

void Link::SetLoss(double share, Direction direction) {
  ForEach(*this, direction, [&](WireSettings& wire) { wire.loss = share; });
}

void Link::Cut(Direction direction) {
  ForEach(*this, direction, [](WireSettings& wire) { wire.up = false; });
}

void Link::Mend(Direction direction) {
  ForEach(*this, direction, [](WireSettings& wire) { wire.up = true; });
}

bool Link::Blocks(const Flow& flow) const {
  return std::ranges::any_of(blocks, [&](const BlockRule& rule) { return rule(flow); });
}

}  // namespace floe::sim
