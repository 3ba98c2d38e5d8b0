// The oracle against the simulator: two nodes that punch holes in the plainest way get exactly
// where the theory says they can. Each is a check on the other.

#include "tests/sim/oracle.h"

#include <algorithm>
#include <chrono>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/reflector_node.h"
#include "tests/sim/scripted_node.h"
#include "tests/sim/simulation.h"
#include "tests/sim/text_trace.h"

namespace floe::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint16_t kPort = 41820;

/// Sends to every address of the peer it knows of or hears from, five times a second.
class PunchingNode final : public ScriptedNode {
 public:
  std::vector<SocketAddress> candidates;  // its own, to tell the peer
  std::vector<SocketAddress> peers;       // the peer's
  bool reached = false;                   // The peer has answered.

  void HandleDatagram(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                      Bytes datagram) override {
    const std::string_view text = AsText(datagram);
    if (text == "ping") {
      Send(local, remote, "pong");
      Learn(peers, remote);
      next_timeout = next_timeout.value_or(now);
    } else if (text == "pong") {
      reached = true;
    } else if (const auto mapped = ParseSocketAddress(text)) {
      Learn(candidates, *mapped);
    }
  }

  void HandleTimeout(TimePoint now) override {
    for (const SocketAddress& peer : peers) {
      Send({IpAddress{.family = peer.ip.family}, kPort}, peer, "ping");
    }
    next_timeout = now + milliseconds(200);
  }

 private:
  static void Learn(std::vector<SocketAddress>& list, const SocketAddress& address) {
    if (std::ranges::find(list, address) == list.end()) {
      list.push_back(address);
    }
  }
};

/// Two sites and what their nodes achieve.
class Pair {
 public:
  Pair(SiteKind a, SiteKind b, std::uint64_t seed = 1) : sim_(seed) {
    Host& server = sim_.AddServer({.delay = milliseconds(5)});
    server.Attach(reflector_);
    Start(sim_.AddSite(a, {.delay = milliseconds(20)}), a_, server);
    Start(sim_.AddSite(b, {.delay = milliseconds(30)}), b_, server);
  }

  [[nodiscard]] Best Run() {
    sim_.RunFor(seconds(1));
    if (a_.candidates.empty() || b_.candidates.empty()) {
      return Best::kNone;
    }
    a_.peers = b_.candidates;
    b_.peers = a_.candidates;
    a_.next_timeout = b_.next_timeout = sim_.now();
    for (Host* host : hosts_) {
      host->Poke();
    }
    sim_.RunFor(seconds(5));
    return a_.reached && b_.reached ? Best::kDirect : Best::kRelay;
  }

  [[nodiscard]] Simulation& sim() { return sim_; }

  [[nodiscard]] std::vector<Host*>& hosts() { return hosts_; }

 private:
  /// Asks the server for the reflexive address of each family.
  void Start(Site& site, PunchingNode& node, Host& server) {
    Host& host = site.AddHost();
    hosts_.push_back(&host);
    host.Attach(node);
    for (const IpAddress& ip : host.addresses()) {
      node.Send({ip, kPort}, {ip.is_v4() ? server.ip4() : server.ip6(), 3478}, "");
    }
    host.Poke();
  }

  PunchingNode a_;
  PunchingNode b_;
  ReflectorNode reflector_;
  std::vector<Host*> hosts_;
  Simulation sim_;
};

TEST(OracleTest, SaysWhatHolePunchingReachesForEveryPairOfKinds) {
  for (const SiteKind a : kAllSiteKinds) {
    for (const SiteKind b : kAllSiteKinds) {
      EXPECT_EQ(ToString(Pair(a, b).Run()), ToString(Oracle(a, b)))
          << ToString(a) << " with " << ToString(b);
    }
  }
}

TEST(OracleTest, KnowsTheCasesThatDefineIt) {
  EXPECT_EQ(Oracle(SiteKind::kEimApdf, SiteKind::kEimApdf), Best::kDirect);
  EXPECT_EQ(Oracle(SiteKind::kSymmetric, SiteKind::kEimAdf), Best::kDirect);
  EXPECT_EQ(Oracle(SiteKind::kSymmetric, SiteKind::kEimApdf), Best::kRelay);
  EXPECT_EQ(Oracle(SiteKind::kSymmetric, SiteKind::kSymmetric), Best::kRelay);
  EXPECT_EQ(Oracle(SiteKind::kCgnat, SiteKind::kCgnat), Best::kRelay);
  EXPECT_EQ(Oracle(SiteKind::kUdpBlocked, SiteKind::kNone), Best::kNone);
  EXPECT_EQ(Oracle(SiteKind::kDualStack, SiteKind::kFwOnlyIpv6), Best::kDirect);
  EXPECT_EQ(Oracle(SiteKind::kIpv6Only, SiteKind::kNone), Best::kRelay);
}

/// The trace of a run over lines that do everything lines can do.
std::string TraceOf(std::uint64_t seed) {
  TextTrace trace;
  Pair pair(SiteKind::kSymmetric, SiteKind::kEimAdf, seed);
  pair.sim().network().Observe(trace);
  for (Host* host : pair.hosts()) {
    host->link().Set({.delay = milliseconds(3),
                      .jitter = milliseconds(2),
                      .loss = 0.1,
                      .duplicate = 0.1,
                      .reorder = 0.1});
  }
  static_cast<void>(pair.Run());
  return trace.text();
}

TEST(DeterminismTest, ARunFollowsFromItsSeed) {
  const std::string trace = TraceOf(42);

  EXPECT_FALSE(trace.empty());
  EXPECT_EQ(trace, TraceOf(42));
  EXPECT_NE(trace, TraceOf(43));
}

}  // namespace
}  // namespace floe::sim
