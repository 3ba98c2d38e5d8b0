#include "tests/sim/life.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace floe::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::array kKinds = {SiteKind::kNone,     SiteKind::kEimEif,    SiteKind::kEimAdf,
                               SiteKind::kEimApdf,  SiteKind::kSymmetric, SiteKind::kCgnat,
                               SiteKind::kCgnatEim, SiteKind::kDualStack};
constexpr std::array kLosses = {0.0, 0.0, 0.01, 0.05};
constexpr Duration kBackWithin = seconds(45);    // A ping is answered, after a volley of events.
constexpr Duration kDirectWithin = seconds(90);  // And goes the direct way, where there is one.
constexpr Duration kSteadyWithin = seconds(12);  // Nothing has happened to the path itself: the
                                                 // second handshake, if the first is lost.
constexpr std::size_t kMaxPairs = 100;           // RFC 8445 section 6.1.2.5
constexpr std::size_t kMaxCandidates = 64;

}  // namespace

FleetOptions Life::Draw(Choices& choices, const LifeOptions& options) {
  FleetOptions fleet{.seed = 1 + choices.Below(65'536)};
  for (std::size_t i = 0; i < options.sites; ++i) {
    fleet.sites.push_back(kKinds.at(choices.Below(kKinds.size())));
  }
  fleet.nodes = 2 + choices.Below(options.max_nodes - 1);
  fleet.rendezvous = 1 + choices.Below(2);
  fleet.relays = 1 + choices.Below(2);
  fleet.loss = kLosses.at(choices.Below(kLosses.size()));
  fleet.udp_timeout = seconds(30 + 30 * static_cast<int>(choices.Below(4)));
  fleet.rendezvous_gap = milliseconds(choices.Below(100));
  return fleet;
}

std::set<IpAddress> Life::ServersOf(Fleet& fleet) {
  std::set<IpAddress> servers;
  for (Host* host : fleet.servers()) {
    for (const IpAddress& ip : host->addresses()) {
      servers.insert(ip);
    }
  }
  return servers;
}

Life::Life(Choices& choices, const LifeOptions& options)
    : options_(options),
      choices_(choices),
      fleet_(Draw(choices_, options_)),
      watch_(ServersOf(fleet_)),
      used_(fleet_.site_count()) {
  fleet_.sim().network().Observe(watch_);
}

std::optional<std::string> Life::Run() {
  for (std::size_t node = 0; node < fleet_.size(); ++node) {
    NoteArrival(fleet_.SiteOf(node));
    RunFor(milliseconds(Below(3000)));
    fleet_.Start(node);
  }
  ExpectAllLinked("start", kBackWithin);
  for (std::size_t i = 0; i < options_.events && !failed() && !choices_.done(); ++i) {
    history_ += "\n[" + std::to_string(i) + "] ";
    // Mostly one thing at a time; sometimes the next comes while the last is being dealt with.
    const std::size_t volley = Below(4) == 0 ? 2 + Below(2) : 1;
    for (std::size_t j = 0; j < volley && !failed(); ++j) {
      calm_ = j == 0;
      RunFor(milliseconds(calm_ ? 0 : Below(8000)));
      HappenOnce();
    }
    ExpectAllLinked("event", kBackWithin);
    RunFor(seconds(Below(20)));
  }
  ExpectSilenceAfterStop();
  return failure_;
}

void Life::Note(const std::string& what) {
  const auto at = std::chrono::duration_cast<milliseconds>(fleet_.sim().now() - Simulation::kStart);
  history_ += what + " at " + std::to_string(at.count()) + " ms; ";
  if (options_.tell) {
    std::fprintf(stderr, "%s\n", what.c_str());
  }
}

void Life::Fail(const std::string& what, std::size_t a, std::size_t b) {
  if (!failed()) {
    failure_ = what + '\n' + history_ + '\n' + fleet_.Describe(a) + fleet_.Describe(b);
  }
}

void Life::HappenOnce() {
  static constexpr std::array<Happening, 14> kHappenings = {
      &Life::Roam,
      &Life::RebootRouter,
      &Life::ForgetMappings,
      &Life::Restart,
      &Life::RestartRendezvous,
      &Life::RestartRelays,
      &Life::BlockDirect,
      &Life::CutOffServers,
      &Life::Suspend,
      &Life::DisturbLine,
      &Life::Readdress,
      &Life::UseAnotherInterface,
      &Life::Forge,
      &Life::Idle,
  };
  const std::size_t node = Below(fleet_.size());
  (this->*kHappenings.at(Below(kHappenings.size())))(node);
}

void Life::Roam(std::size_t node) {
  const std::size_t site = Below(fleet_.site_count());
  if (site == fleet_.SiteOf(node)) {
    return;
  }
  Note(Name(node) + " roams to " + fleet_.site(site).name());
  NoteArrival(site);
  fleet_.Roam(node, site);
}

void Life::RebootRouter(std::size_t node) {
  const std::size_t site = fleet_.SiteOf(node);
  Note("reboot the router of " + Name(node));
  fleet_.site(site).Reboot();
  used_[site] = 0;
  for (std::size_t other = 0; other < fleet_.size(); ++other) {
    used_[site] += fleet_.SiteOf(other) == site ? 1 : 0;
  }
}

void Life::ForgetMappings(std::size_t node) {
  Note("the router of " + Name(node) + " forgets its mappings");
  fleet_.site(fleet_.SiteOf(node)).gateway().ForgetMappings();
}

void Life::Restart(std::size_t node) {
  Note("kill " + Name(node));
  fleet_.Kill(node);
  RunFor(milliseconds(Below(Below(2) == 0 ? 5'000 : 60'000)) * static_cast<int>(1 + Below(5)));
  fleet_.Start(node);
  Note("start " + Name(node));
}

/// A link that there is does not need it.
void Life::RestartRendezvous(std::size_t /*node*/) {
  Note("kill the rendezvous");
  for (std::size_t i = 0; i < fleet_.rendezvous_count(); ++i) {
    fleet_.KillRendezvous(i);
  }
  RunFor(seconds(Below(200)));
  for (std::size_t i = 0; i < fleet_.rendezvous_count(); ++i) {
    fleet_.StartRendezvous(i);
  }
  Note("start the rendezvous");
}

void Life::RestartRelays(std::size_t /*node*/) {
  Note("kill the relays");
  for (std::size_t i = 0; i < fleet_.relay_count(); ++i) {
    fleet_.KillRelay(i);
  }
  RunFor(milliseconds(Below(Below(2) == 0 ? 3'000 : 60'000)) * static_cast<int>(1 + Below(2)));
  for (std::size_t i = 0; i < fleet_.relay_count(); ++i) {
    fleet_.StartRelay(i);
  }
  Note("start the relays");
}

std::optional<IpAddress> Life::OutsideOf(std::size_t site) {
  Carrier* carrier = fleet_.site(site).carrier();
  return carrier != nullptr ? carrier->gateway().outside() : fleet_.site(site).public_ip();
}

/// UDP from this site to the other nodes' sites is lost, so only a relay is left.
void Life::BlockDirect(std::size_t node) {
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
  RunFor(milliseconds(Below(1000)));
  ExpectAllLinked("blocked", kBackWithin);
  RunFor(seconds(Below(120)));
  ExpectAllLinked("still blocked", kSteadyWithin);
  blocked_ = false;
  site.Unblock();
  Note("unblock");
}

/// The site is parted from every server, but not from the other nodes.
void Life::CutOffServers(std::size_t node) {
  Site& site = fleet_.site(fleet_.SiteOf(node));
  Note("cut " + site.name() + " off from the servers");
  for (Host* host : fleet_.servers()) {
    for (const IpAddress& ip : host->addresses()) {
      site.Block(BlockFar({.ip = ip}));
    }
  }
  RunFor(seconds(Below(60)));
  site.Unblock();
  Note("join it again");
}

void Life::Suspend(std::size_t node) {
  Note("suspend " + Name(node));
  fleet_.host(node).Suspend();
  RunFor(milliseconds(Below(Below(2) == 0 ? 10'000 : 60'000)) * static_cast<int>(1 + Below(10)));
  fleet_.host(node).Resume();
  Note("resume " + Name(node));
}

/// A bad line: loss, packets that overtake each other or come twice, late ones.
void Life::DisturbLine(std::size_t node) {
  Site& site = fleet_.site(fleet_.SiteOf(node));
  Note("disturb the line of " + site.name());
  const WireSettings before = site.link().up.settings;
  WireSettings bad = before;
  bad.loss = 0.1 * static_cast<double>(Below(5));
  bad.reorder = 0.1 * static_cast<double>(Below(4));
  bad.duplicate = 0.1 * static_cast<double>(Below(4));
  bad.delay += milliseconds(Below(300));
  bad.jitter = bad.delay / static_cast<int>(2 + Below(8));
  site.link().Set(bad);
  RunFor(seconds(Below(30)));
  site.link().Set(before);
  Note("line as before");
}

void Life::Readdress(std::size_t node) {
  Note("readdress " + Name(node));
  NoteArrival(fleet_.SiteOf(node));
  fleet_.host(node).Readdress();
}

/// A cable is plugged in, and the wireless goes: or the other way round.
void Life::UseAnotherInterface(std::size_t node) {
  const std::size_t at = Below(fleet_.site_count());
  if (at == fleet_.SiteOf(node)) {
    return;
  }
  Note(Name(node) + " joins " + fleet_.site(at).name());
  NoteArrival(at);
  Interface& added = fleet_.host(node).Join(fleet_.site(at));
  RunFor(milliseconds(Below(20'000)));
  Note(Name(node) + " leaves it");
  fleet_.host(node).Leave(added);
}

/// Somebody who has seen a check sends it again, cut or with another byte: nothing may come of it.
void Life::Forge(std::size_t /*node*/) {
  if (watch_.checks().empty()) {
    return;
  }
  const Watch::Packet& seen = watch_.checks()[Below(watch_.checks().size())];
  std::vector<std::uint8_t> forged = seen.payload;
  if (Below(4) == 0) {
    forged.resize(Below(forged.size()));
  } else {
    forged[Below(forged.size())] ^= static_cast<std::uint8_t>(1 + Below(255));
  }
  for (std::size_t node = 0; node < fleet_.size(); ++node) {
    Host& host = fleet_.host(node);
    if (!host.awake() || std::ranges::count(host.addresses(), seen.flow.to.ip) == 0) {
      continue;
    }
    Note("forge a check for " + Name(node));
    host.Poke();
    const std::string before = fleet_.Describe(node);
    const std::uint64_t sent = watch_.sent();
    host.Receive(seen.flow, forged);
    if (fleet_.Describe(node) != before || watch_.sent() != sent) {
      Fail("a forged check changed something; before:\n" + before, node, node);
    }
  }
}

void Life::Idle(std::size_t /*node*/) {
  Note("idle");
  RunFor(seconds(Below(1200)));
  ExpectAllLinked("idle", calm_ ? kSteadyWithin : kBackWithin);
}

void Life::ExpectAllLinked(const char* when, Duration within) {
  for (std::size_t a = 0; a < fleet_.size(); ++a) {
    for (std::size_t b = a + 1; b < fleet_.size() && !failed(); ++b) {
      ExpectLinked(when, a, b, within);
    }
  }
  if (!blocked_ && within >= kBackWithin && !failed()) {
    ExpectDirectWherePossible(when);
  }
  ExpectBounded();
}

void Life::ExpectLinked(const char* when, std::size_t a, std::size_t b, Duration within) {
  if (!fleet_.PingUntilAnswered(a, b, fleet_.sim().now() + within)) {
    Fail(std::string(when) + ": no ping from " + Name(a) + " to " + Name(b) + " answered", a, b);
  }
}

void Life::ExpectDirectWherePossible(const char* when) {
  for (std::size_t a = 0; a < fleet_.size(); ++a) {
    for (std::size_t b = a + 1; b < fleet_.size() && !failed(); ++b) {
      if (fleet_.BestOf(a, b) != Best::kDirect || IsMuddled(fleet_.SiteOf(a)) ||
          IsMuddled(fleet_.SiteOf(b))) {
        continue;
      }
      if (!fleet_.sim().RunUntil([&] { return fleet_.IsDirect(a, b) == true; },
                                 fleet_.sim().now() + kDirectWithin)) {
        Fail(std::string(when) + ": " + Name(a) + " and " + Name(b) + " stay on the relay", a, b);
      }
    }
  }
}

void Life::ExpectBounded() {
  if (watch_.failure()) {
    Fail(*watch_.failure(), 0, 1);
  }
  for (std::size_t node = 0; node < fleet_.size(); ++node) {
    if (!fleet_.runs(node)) {
      continue;
    }
    const engine::Engine& engine = fleet_.node(node).engine();
    if (engine.gatherer().candidates().size() > kMaxCandidates) {
      Fail("too many candidates at " + Name(node), node, node);
    }
    for (const engine::PeerId peer : engine.peer_ids()) {
      const ice::Agent* agent = engine.link(peer).agent();
      if (agent != nullptr && agent->pairs().size() > kMaxPairs) {
        Fail("too many pairs at " + Name(node), node, node);
      }
    }
  }
}

void Life::ExpectSilenceAfterStop() {
  for (std::size_t node = 0; node < fleet_.size(); ++node) {
    fleet_.node(node).engine().Stop(fleet_.sim().now());
    fleet_.host(node).Poke();
  }
  RunFor(seconds(5));
  const std::uint64_t sent = watch_.sent();
  RunFor(std::chrono::minutes(5));
  if (watch_.sent() != sent) {
    Fail("a node goes on sending after it was stopped", 0, 1);
  }
}

}  // namespace floe::sim
