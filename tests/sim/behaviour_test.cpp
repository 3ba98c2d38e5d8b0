// Every kind of site shows the behaviour that its name says, asked as RFC 5780 section 4 does; the
// twin of tests/netns/stun.py.

#include <chrono>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/reflector_node.h"
#include "tests/sim/scripted_node.h"
#include "tests/sim/simulation.h"

namespace floe::sim {
namespace {

using std::chrono::milliseconds;

constexpr std::uint16_t kPort = 5000;

/// One host at one site, and a reflector with two addresses.
class Probe {
 public:
  explicit Probe(SiteKind kind, SiteOptions options = {})
      : site_(sim_.AddSite(kind, std::move(options))),
        host_(site_.AddHost()),
        neighbour_(site_.AddHost()),
        server_(sim_.AddServer({.addresses = 2, .delay = milliseconds(5)})) {
    host_.Attach(node_);
    neighbour_.Attach(neighbour_node_);
    server_.Attach(reflector_);
    const IpFamily family = host_.addresses().front().family;
    for (const IpAddress& ip : server_.addresses()) {
      if (ip.family == family) {
        servers_.push_back(ip);
      }
    }
    any_ = {IpAddress{.family = family}, kPort};
  }

  /// The source address the server sees; nothing if no answer comes.
  std::optional<std::string> Ask(const SocketAddress& server, std::string_view change = "") {
    return Ask(host_, node_, server, change);
  }

  /// RFC 5780 section 4.3.
  std::string Mapping() {
    const auto first = Ask({servers_[0], 3478});
    if (!first) {
      return "blocked";
    }
    if (*first == ToString(SocketAddress{host_.addresses().front(), kPort})) {
      return "none";
    }
    const auto second = Ask({servers_[1], 3478});
    if (second == first) {
      return "EIM";
    }
    return Ask({servers_[1], 3479}) == second ? "ADM" : "APDM";
  }

  /// RFC 5780 section 4.4, on a socket that has sent to nobody else.
  std::string Filtering() {
    const SocketAddress server{servers_[0], 3478};
    if (!Ask(server)) {
      return "blocked";
    }
    if (Ask(server, "ip port")) {
      return "EIF";
    }
    return Ask(server, "port") ? "ADF" : "APDF";
  }

  /// RFC 5780 section 4.5, from another host of the LAN.
  bool Hairpin() {
    const SocketAddress server{servers_[0], 3478};
    const auto mine = Ask(server);
    if (!mine || !Ask(neighbour_, neighbour_node_, server, "")) {
      return false;
    }
    node_.received.clear();
    neighbour_node_.Send(any_, ParseSocketAddress(*mine).value_or(any_), "token");
    neighbour_.Poke();
    sim_.RunFor(milliseconds(100));
    return !node_.received.empty() && node_.received.back().payload == "token";
  }

 private:
  std::optional<std::string> Ask(Host& host, ScriptedNode& node, const SocketAddress& server,
                                 std::string_view change) {
    node.received.clear();
    node.Send(any_, server, change);
    host.Poke();
    sim_.RunFor(milliseconds(100));
    if (node.received.empty()) {
      return std::nullopt;
    }
    return node.received.back().payload;
  }

  ScriptedNode node_;
  ScriptedNode neighbour_node_;
  ReflectorNode reflector_;
  Simulation sim_{1};
  Site& site_;
  Host& host_;
  Host& neighbour_;
  Host& server_;
  std::vector<IpAddress> servers_;
  SocketAddress any_;
};

struct Expected {
  SiteKind kind;
  std::string_view mapping;
  std::string_view filtering;
};

class SiteKindTest : public ::testing::TestWithParam<Expected> {};

TEST_P(SiteKindTest, MapsAndFiltersAsItsNameSays) {
  EXPECT_EQ(Probe(GetParam().kind).Mapping(), GetParam().mapping);
  EXPECT_EQ(Probe(GetParam().kind).Filtering(), GetParam().filtering);
}

INSTANTIATE_TEST_SUITE_P(Kinds, SiteKindTest,
                         ::testing::Values(Expected{SiteKind::kNone, "none", "EIF"},
                                           Expected{SiteKind::kEimEif, "EIM", "EIF"},
                                           Expected{SiteKind::kEimAdf, "EIM", "ADF"},
                                           Expected{SiteKind::kEimApdf, "EIM", "APDF"},
                                           Expected{SiteKind::kSymmetric, "APDM", "APDF"},
                                           Expected{SiteKind::kCgnat, "APDM", "APDF"},
                                           Expected{SiteKind::kCgnatEim, "EIM", "APDF"},
                                           Expected{SiteKind::kUdpBlocked, "blocked", "blocked"},
                                           Expected{SiteKind::kDualStack, "EIM", "APDF"},
                                           Expected{SiteKind::kIpv6Only, "none", "EIF"},
                                           Expected{SiteKind::kFwOnlyIpv6, "none", "APDF"}),
                         [](const auto& tested) {
                           return std::string(ToString(tested.param.kind));
                         });

TEST(HairpinTest, WorksOnlyWhereItIsTurnedOn) {
  for (const SiteKind kind : {SiteKind::kEimEif, SiteKind::kEimAdf, SiteKind::kEimApdf}) {
    EXPECT_FALSE(Probe(kind).Hairpin()) << ToString(kind);
    EXPECT_TRUE(Probe(kind, {.hairpin = Hairpin::kYes}).Hairpin()) << ToString(kind);
  }
}

TEST(HairpinTest, DoesNotChangeMappingOrFiltering) {
  EXPECT_EQ(Probe(SiteKind::kEimApdf, {.hairpin = Hairpin::kYes}).Mapping(), "EIM");
  EXPECT_EQ(Probe(SiteKind::kEimApdf, {.hairpin = Hairpin::kYes}).Filtering(), "APDF");
}

TEST(SiteOptionsTest, ChangeWhatTheKindSays) {
  EXPECT_EQ(Probe(SiteKind::kNone, {.v4 = Ipv4Mode::kFirewall}).Filtering(), "APDF");
  EXPECT_EQ(Probe(SiteKind::kEimApdf, {.nat = NatOptions::Symmetric()}).Mapping(), "APDM");
  EXPECT_EQ(Probe(SiteKind::kEimApdf, {.nat = NatOptions{.mapping = Mapping::kAddressDependent,
                                                         .filtering = Filtering::kAddressDependent,
                                                         .ports = PortChoice::kRandom}})
                .Mapping(),
            "ADM");
}

}  // namespace
}  // namespace floe::sim
