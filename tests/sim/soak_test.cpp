// Long and random lives of whole nodes: whatever happens, a ping is answered again soon wherever
// the theory of NATs says that there is a way.
//
//   FLOE_SIM_SEEDS=1000 floe_sim_soak_test     as many lives; 10 unless told
//   FLOE_SIM_SEED=42 floe_sim_soak_test        that one alone, event by event

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "base/log.h"
#include "tests/sim/fleet.h"

namespace floe::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array kKinds = {SiteKind::kNone,     SiteKind::kEimEif,    SiteKind::kEimAdf,
                               SiteKind::kEimApdf,  SiteKind::kSymmetric, SiteKind::kCgnat,
                               SiteKind::kCgnatEim, SiteKind::kDualStack};
constexpr std::array kLosses = {0.0, 0.0, 0.01, 0.05};
constexpr std::size_t kEvents = 12;
constexpr Duration kBackWithin = seconds(45);    // A ping is answered, after a volley of events.
constexpr Duration kDirectWithin = seconds(90);  // And goes the direct way, where there is one.
constexpr Duration kSteadyWithin = seconds(12);  // Nothing has happened to the path itself: the
                                                 // second handshake, if the first is lost.

/// One life. Every decision follows from the seed.
class Life {
 public:
  explicit Life(std::uint64_t seed) : random_(seed), fleet_(Draw(seed, random_)) {
    used_.resize(fleet_.site_count());
    for (std::size_t node = 0; node < fleet_.size(); ++node) {
      NoteArrival(node);
      fleet_.sim().RunFor(milliseconds(Below(3000)));
      fleet_.Start(node);
    }
  }

  void Run() {
    ASSERT_NO_FATAL_FAILURE(ExpectAllLinked("start", kBackWithin));
    for (std::size_t i = 0; i < kEvents; ++i) {
      history_ += "\n[" + std::to_string(i) + "] ";
      // Mostly one thing at a time; sometimes the next comes while the last is being dealt with.
      const std::size_t volley = Below(4) == 0 ? 2 + Below(2) : 1;
      for (std::size_t j = 0; j < volley; ++j) {
        ASSERT_NO_FATAL_FAILURE(HappenOnce());
        if (j + 1 < volley) {
          fleet_.sim().RunFor(milliseconds(Below(8000)));
        }
      }
      ASSERT_NO_FATAL_FAILURE(ExpectAllLinked("event", kBackWithin));
      fleet_.sim().RunFor(seconds(Below(20)));
    }
  }

 private:
  static FleetOptions Draw(std::uint64_t seed, test::FakeRandom& random) {
    FleetOptions options{.seed = seed};
    for (int i = 0; i < 6; ++i) {
      options.sites.push_back(kKinds.at(random.Next() % kKinds.size()));
    }
    options.nodes = 2 + random.Next() % 2;
    options.rendezvous = 1 + random.Next() % 2;
    options.relays = 1 + random.Next() % 2;
    options.loss = kLosses.at(random.Next() % kLosses.size());
    options.udp_timeout = seconds(30 + 30 * static_cast<int>(random.Next() % 4));
    options.rendezvous_gap = milliseconds(random.Next() % 100);
    return options;
  }

  std::size_t Below(std::size_t limit) { return static_cast<std::size_t>(random_.Next() % limit); }

  void Note(const std::string& what) {
    history_ += what + " at " +
                std::to_string(std::chrono::duration_cast<milliseconds>(fleet_.sim().now() -
                                                                        Simulation::kStart)
                                   .count()) +
                " ms; ";
    if (std::getenv("FLOE_SIM_SEED") != nullptr) {
      std::fprintf(stderr, "%s\n", what.c_str());
    }
  }

  void HappenOnce() {
    const std::size_t node = Below(fleet_.size());
    switch (Below(11)) {
      case 0:
        return Roam(node);
      case 1:
        Note("reboot the router of " + Name(node));
        RebootRouter(fleet_.SiteOf(node));
        return;
      case 2:
        return Restart(node);
      case 3:
        return RestartRendezvous();
      case 4:
        return RestartRelays();
      case 5:
        return BlockDirect(node);
      case 6:
        Note("suspend " + Name(node));
        fleet_.host(node).Suspend();
        fleet_.sim().RunFor(milliseconds(Below(Below(2) == 0 ? 10'000 : 600'000)));
        fleet_.host(node).Resume();
        Note("resume " + Name(node));
        return;
      case 7:
        return LoseMuch(node);
      case 8:
        Note("readdress " + Name(node));
        NoteArrival(fleet_.SiteOf(node));
        fleet_.host(node).Readdress();
        return;
      case 9:
        return UseAnotherInterface(node);
      default:
        Note("idle");
        fleet_.sim().RunFor(seconds(Below(1200)));
        ExpectAllLinked("idle", kSteadyWithin);
        return;
    }
  }

  /// A router that keeps ports has none to keep for a second machine on the same port, as long as
  /// it remembers the first: then its NAT is as good as symmetric.
  void NoteArrival(std::size_t site) { ++used_[site]; }

  [[nodiscard]] bool IsMuddled(std::size_t site) const { return used_[site] > 1; }

  void Roam(std::size_t node) {
    const std::size_t site = Below(fleet_.site_count());
    if (site == fleet_.SiteOf(node)) {
      return;
    }
    Note(Name(node) + " roams to " + fleet_.site(site).name());
    NoteArrival(site);
    fleet_.Roam(node, site);
  }

  void Restart(std::size_t node) {
    Note("kill " + Name(node));
    fleet_.Kill(node);
    fleet_.sim().RunFor(milliseconds(Below(Below(2) == 0 ? 5'000 : 300'000)));
    fleet_.Start(node);
    Note("start " + Name(node));
  }

  void RebootRouter(std::size_t site) {
    fleet_.site(site).Reboot();
    used_[site] = 0;
    for (std::size_t node = 0; node < fleet_.size(); ++node) {
      used_[site] += fleet_.SiteOf(node) == site ? 1 : 0;
    }
  }

  /// A link that there is does not need it.
  void RestartRendezvous() {
    Note("kill the rendezvous");
    for (std::size_t i = 0; i < rendezvous_; ++i) {
      fleet_.KillRendezvous(i);
    }
    fleet_.sim().RunFor(seconds(Below(200)));
    if (calm_) {
      ExpectAllLinked("without rendezvous", kSteadyWithin);
    }
    for (std::size_t i = 0; i < rendezvous_; ++i) {
      fleet_.StartRendezvous(i);
    }
    Note("start the rendezvous");
  }

  void RestartRelays() {
    Note("kill the relays");
    for (std::size_t i = 0; i < relays_; ++i) {
      fleet_.KillRelay(i);
    }
    fleet_.sim().RunFor(milliseconds(Below(Below(2) == 0 ? 3'000 : 120'000)));
    for (std::size_t i = 0; i < relays_; ++i) {
      fleet_.StartRelay(i);
    }
    Note("start the relays");
  }

  /// UDP from this site to the other nodes' sites is lost, so only a relay is left.
  void BlockDirect(std::size_t node) {
    Site& site = fleet_.site(fleet_.SiteOf(node));
    Note("block what is direct at " + site.name());
    for (std::size_t other = 0; other < fleet_.size(); ++other) {
      if (fleet_.SiteOf(other) == fleet_.SiteOf(node)) {
        continue;
      }
      for (const IpAddress& ip : fleet_.host(other).addresses()) {
        site.Block(BlockFar({.ip = ip}));
      }
      if (const auto outside = OutsideOf(fleet_.SiteOf(other))) {
        site.Block(BlockFar({.ip = *outside}));
      }
    }
    blocked_ = true;
    fleet_.sim().RunFor(milliseconds(Below(1000)));
    ExpectAllLinked("blocked", kBackWithin);
    fleet_.sim().RunFor(seconds(Below(120)));
    ExpectAllLinked("still blocked", kSteadyWithin);
    blocked_ = false;
    site.Unblock();
    Note("unblock");
  }

  [[nodiscard]] std::optional<IpAddress> OutsideOf(std::size_t site) {
    Carrier* carrier = fleet_.site(site).carrier();
    return carrier != nullptr ? carrier->gateway().outside() : fleet_.site(site).public_ip();
  }

  void LoseMuch(std::size_t node) {
    Site& site = fleet_.site(fleet_.SiteOf(node));
    Note("lose 40 % at " + site.name());
    site.link().SetLoss(0.4);
    fleet_.sim().RunFor(seconds(Below(30)));
    site.link().SetLoss(loss_);
    Note("lose as before");
  }

  /// A cable is plugged in, and the wireless goes: or the other way round.
  void UseAnotherInterface(std::size_t node) {
    const std::size_t at = Below(fleet_.site_count());
    if (at == fleet_.SiteOf(node)) {
      return;
    }
    Note(Name(node) + " joins " + fleet_.site(at).name());
    NoteArrival(at);
    Interface& added = fleet_.host(node).Join(fleet_.site(at));
    fleet_.sim().RunFor(milliseconds(Below(20'000)));
    if (calm_) {
      ExpectAllLinked("two interfaces", kBackWithin);
    }
    Note(Name(node) + " leaves it");
    fleet_.host(node).Leave(added);
  }

  void ExpectAllLinked(const char* when, Duration within) {
    for (std::size_t a = 0; a < fleet_.size(); ++a) {
      for (std::size_t b = a + 1; b < fleet_.size(); ++b) {
        const TimePoint start = fleet_.sim().now();
        const bool forth = fleet_.PingUntilAnswered(a, b, start + within);
        const auto took =
            std::chrono::duration_cast<milliseconds>(fleet_.sim().now() - start).count();
        if (std::getenv("FLOE_SIM_SLOW") != nullptr && took > 15'000) {
          std::fprintf(stderr, "slow: %s, %lld ms: %s\n", when, static_cast<long long>(took),
                       history_.c_str() + history_.rfind('\n') + 1);
        }
        ASSERT_TRUE(forth) << when << ": no ping from " << Name(a) << " to " << Name(b)
                           << " answered\n"
                           << history_ << '\n'
                           << fleet_.Describe(a) << fleet_.Describe(b);
      }
    }
    if (!blocked_ && within >= kBackWithin) {
      ExpectDirectWherePossible(when);
    }
  }

  void ExpectDirectWherePossible(const char* when) {
    for (std::size_t a = 0; a < fleet_.size(); ++a) {
      for (std::size_t b = a + 1; b < fleet_.size(); ++b) {
        if (fleet_.BestOf(a, b) != Best::kDirect || IsMuddled(fleet_.SiteOf(a)) ||
            IsMuddled(fleet_.SiteOf(b))) {
          continue;
        }
        ASSERT_TRUE(fleet_.sim().RunUntil([&] { return fleet_.IsDirect(a, b) == true; },
                                          fleet_.sim().now() + kDirectWithin))
            << when << ": " << Name(a) << " and " << Name(b) << " stay on the relay\n"
            << history_ << '\n'
            << fleet_.Describe(a) << fleet_.Describe(b);
      }
    }
  }

  static std::string Name(std::size_t node) { return std::string(1, char('a' + node)); }

  test::FakeRandom random_;
  Fleet fleet_;
  std::string history_;
  std::size_t rendezvous_ = fleet_.rendezvous_count();
  std::size_t relays_ = fleet_.relay_count();
  double loss_ = fleet_.loss();
  bool calm_ = false;  // Nothing else is going on.
  bool blocked_ = false;
  std::vector<int> used_;  // How many machines each site's router remembers at most.
};

std::uint64_t Setting(const char* name, std::uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

TEST(SoakTest, WhateverHappensALinkComesBack) {
  const std::uint64_t only = Setting("FLOE_SIM_SEED", 0);
  const std::uint64_t first = only != 0 ? only : Setting("FLOE_SIM_FIRST", 1);
  const std::uint64_t last = only != 0 ? only : first + Setting("FLOE_SIM_SEEDS", 10) - 1;
  if (only != 0) {
    log::Init(log::Level::kDebug);
  }
  int failures = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Life(seed).Run();
    failures += ::testing::Test::HasFatalFailure() ? 1 : 0;
    ASSERT_EQ(failures, 0);
  }
}

}  // namespace
}  // namespace floe::sim
