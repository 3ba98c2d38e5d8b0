#include "ice/gatherer.h"

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ice/turn/server.h"
#include "tests/support/fake_random.h"

namespace floe::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

SocketAddress Address(std::string_view text) {
  return *ParseSocketAddress(text);
}

const SocketAddress kWired = Address("192.0.2.10:41820");
const SocketAddress kWireless = Address("192.0.2.20:41820");
const SocketAddress kServer = Address("198.51.100.1:3478");
const SocketAddress kOther = Address("198.51.100.2:3478");
const SocketAddress kPeer = Address("203.0.113.9:7000");

/// A gatherer, and servers for STUN and TURN behind a NAT that the test may change.
class GathererTest : public ::testing::Test {
 protected:
  GathererTest() {
    Restart(kServer);
    Restart(kOther);
  }

  /// A server that remembers nothing.
  void Restart(const SocketAddress& address) {
    turn::ServerConfig config;
    config.auth.realm = "test";
    config.auth.users.push_back({.name = "user", .password = SecretString("password")});
    config.relay_ips = {address.ip};
    servers_[address] = std::make_unique<turn::Server>(std::move(config), random_);
  }

  /// A server that says it relays from `relayed`, whoever has that address.
  void Claim(const SocketAddress& address, const SocketAddress& relayed) {
    turn::ServerConfig config;
    config.auth.realm = "test";
    config.auth.users.push_back({.name = "user", .password = SecretString("password")});
    config.relay_ips = {relayed.ip};
    config.ports = {.first = relayed.port, .last = relayed.port};
    servers_[address] = std::make_unique<turn::Server>(std::move(config), random_);
  }

  static std::vector<RelayServer> Relay(const SocketAddress& address) {
    std::vector<RelayServer> relays;
    relays.push_back(
        {.address = address, .username = "user", .password = SecretString("password")});
    return relays;
  }

  void Run(Duration time) {
    const TimePoint end = now_ + time;
    Drain();
    for (int steps = 0;; ++steps) {
      ASSERT_LT(steps, 100'000) << "the gatherer spins";
      TimePoint next = gatherer_.NextTimeout().value_or(end);
      if (!wire_.empty()) {
        next = std::min(next, wire_.begin()->first);
      }
      if (next >= end) {
        now_ = end;
        return;
      }
      now_ = std::max(now_, next);
      if (!wire_.empty() && wire_.begin()->first <= now_) {
        const Datagram datagram = std::move(wire_.begin()->second);
        wire_.erase(wire_.begin());
        Deliver(datagram);
      } else {
        gatherer_.HandleTimeout(now_);
      }
      Drain();
    }
  }

  [[nodiscard]] std::string Types() const {
    std::string types;
    for (const Candidate& candidate : gatherer_.candidates()) {
      types += (types.empty() ? "" : " ") + std::string(ToString(candidate.type));
    }
    return types;
  }

  [[nodiscard]] std::vector<SocketAddress> AddressesOf(CandidateType type) const {
    std::vector<SocketAddress> found;
    for (const Candidate& candidate : gatherer_.candidates()) {
      if (candidate.type == type) {
        found.push_back(candidate.address);
      }
    }
    return found;
  }

  /// What is tried beside what servers have seen: our port, forwarded by the router's owner.
  static SocketAddress GuessAt(const IpAddress& outside) { return {outside, kWired.port}; }

  void SetAddresses(const std::vector<SocketAddress>& addresses) {
    gatherer_.SetLocalAddresses(now_, addresses);
    Drain();
  }

  /// What the relay has bound or permitted shows in what it lets through.
  bool Arrives(const SocketAddress& from, const SocketAddress& relayed) {
    const std::size_t before = data_.size();
    turn::Server& server = *servers_.at({relayed.ip, kServer.port});
    server.HandleRelayed(now_, relayed, from, AsBytes("hello"));
    Run(milliseconds(100));
    return data_.size() > before;
  }

  std::function<SocketAddress(const SocketAddress& from, const SocketAddress& to)> nat =
      [](const SocketAddress& from, const SocketAddress&) {
        return SocketAddress{IpAddress::V4(203, 0, 113, 1), from.port};
      };
  std::function<bool(const SocketAddress& local, const SocketAddress& server)> lost =
      [](const auto&, const auto&) { return false; };
  TimePoint now_ = TimePoint{} + seconds(1000);
  test::FakeRandom random_;
  Gatherer gatherer_{random_};
  std::vector<GathererEvent> events_;
  std::vector<SocketAddress> data_;  // Who sent what came through a relay.
  std::size_t sent_ = 0;

 private:
  struct Datagram {
    SocketAddress from;
    SocketAddress to;
    std::vector<std::uint8_t> bytes;
  };

  void Deliver(const Datagram& datagram) {
    if (const auto server = servers_.find(datagram.to); server != servers_.end()) {
      server->second->HandleDatagram(now_, datagram.from, datagram.to, datagram.bytes);
      return;
    }
    const auto inside = inside_.find(datagram.to);
    if (inside == inside_.end()) {
      return;
    }
    const auto inbound =
        gatherer_.HandleDatagram(now_, inside->second, datagram.from, datagram.bytes);
    if (inbound.verdict == Gatherer::Verdict::kData) {
      data_.push_back(inbound.remote);
    }
  }

  void Drain() {
    while (auto transmit = gatherer_.PollTransmit()) {
      ++sent_;
      if (!lost(transmit->local, transmit->remote)) {
        const SocketAddress outside = nat(transmit->local, transmit->remote);
        inside_[outside] = transmit->local;
        Post({outside, transmit->remote, std::move(transmit->payload)});
      }
    }
    while (auto event = gatherer_.PollEvent()) {
      events_.push_back(std::move(*event));
    }
    for (const auto& [address, server] : servers_) {
      while (const auto action = server->PollAction()) {
        if (const auto* open = std::get_if<turn::OpenRelay>(&*action)) {
          server->HandleRelayOpened(now_, open->address);
        }
      }
      while (auto transmit = server->PollTransmit()) {
        Post({transmit->local, transmit->remote, std::move(transmit->payload)});
      }
    }
  }

  void Post(Datagram datagram) { wire_.emplace(now_ + milliseconds(10), std::move(datagram)); }

  std::map<SocketAddress, std::unique_ptr<turn::Server>> servers_;
  std::map<SocketAddress, SocketAddress> inside_;  // By the NAT's outside address.
  std::multimap<TimePoint, Datagram> wire_;
};

TEST_F(GathererTest, FindsHostReflexiveAndRelayedCandidates) {
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {kServer}, Relay(kServer));
  Run(seconds(1));

  EXPECT_EQ(Types(), "host srflx relay");
  EXPECT_EQ(gatherer_.nat(), NatKind::kEasy);
  EXPECT_TRUE(std::holds_alternative<GatheringDone>(events_.back()));
  const SocketAddress relayed = AddressesOf(CandidateType::kRelayed).front();
  EXPECT_TRUE(gatherer_.IsRelayed(relayed));
  EXPECT_EQ(gatherer_.RelayOf(relayed), kServer);
}

TEST_F(GathererTest, PrefersTheFirstAddress) {
  SetAddresses({kWired, kWireless});

  ASSERT_EQ(gatherer_.candidates().size(), 2U);
  EXPECT_GT(gatherer_.candidates()[0].priority, gatherer_.candidates()[1].priority);
}

TEST_F(GathererTest, WithoutANatTheServersAddNothing) {
  nat = [](const SocketAddress& from, const SocketAddress&) { return from; };
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {kServer}, {});
  Run(seconds(1));

  EXPECT_EQ(Types(), "host");
  EXPECT_EQ(gatherer_.nat(), NatKind::kNone);
}

TEST_F(GathererTest, AsksServersOfBothFamilies) {
  const SocketAddress server = Address("[2001:db8::1]:3478");
  const SocketAddress outside = Address("[2001:db8:9::9]:41820");
  Restart(server);
  nat = [&](const SocketAddress&, const SocketAddress&) { return outside; };
  SetAddresses({Address("[2001:db8:1::10]:41820")});
  gatherer_.SetServers(now_, {kServer, server}, {});
  Run(seconds(1));

  EXPECT_EQ(AddressesOf(CandidateType::kServerReflexive), std::vector{outside});
}

TEST_F(GathererTest, TellsAHardNatFromItsPorts) {
  nat = [](const SocketAddress& from, const SocketAddress& to) {
    return SocketAddress{IpAddress::V4(203, 0, 113, 1),
                         static_cast<std::uint16_t>(from.port + to.ip.bytes[3])};
  };
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {kServer, kOther}, {});
  Run(seconds(1));

  EXPECT_EQ(Types(), "host srflx srflx srflx");
  EXPECT_EQ(gatherer_.nat(), NatKind::kHard);
}

TEST_F(GathererTest, OurOwnPortIsGuessedToBeForwardedWhereTheRouterShowsAnother) {
  nat = [](const SocketAddress&, const SocketAddress& to) {
    return SocketAddress{IpAddress::V4(203, 0, 113, 1),
                         static_cast<std::uint16_t>(5000 + to.ip.bytes[3])};
  };
  const SocketAddress guess = GuessAt(IpAddress::V4(203, 0, 113, 1));
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {kServer, kOther}, {});
  Run(seconds(1));

  ASSERT_EQ(std::ranges::count(AddressesOf(CandidateType::kServerReflexive), guess), 1);
  for (const Candidate& candidate : gatherer_.candidates()) {
    if (candidate.address == guess) {
      EXPECT_EQ(candidate.base, kWired);
    } else if (candidate.type == CandidateType::kServerReflexive) {
      EXPECT_GT(candidate.priority,
                ComputePriority(CandidateType::kServerReflexive, 65535 - 32'768));
    }
  }
  gatherer_.SetServers(now_, {}, {});
  EXPECT_EQ(Types(), "host") << "nobody knows the outside any more";
}

TEST_F(GathererTest, NothingIsGuessedWhereThePortIsKeptOrMapped) {
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {kServer, kOther}, {});
  Run(seconds(1));
  EXPECT_EQ(Types(), "host srflx");

  nat = [](const SocketAddress&, const SocketAddress&) {
    return SocketAddress{IpAddress::V4(203, 0, 113, 1), 5000};
  };
  Run(minutes(1));
  const SocketAddress guess = GuessAt(IpAddress::V4(203, 0, 113, 1));
  ASSERT_EQ(AddressesOf(CandidateType::kServerReflexive),
            (std::vector{SocketAddress{guess.ip, 5000}, guess}));

  gatherer_.SetPortMapping(kWired, guess);
  EXPECT_EQ(std::ranges::count(AddressesOf(CandidateType::kServerReflexive), guess), 1);
  EXPECT_GT(gatherer_.candidates().back().priority,
            ComputePriority(CandidateType::kServerReflexive, 65535))
      << "what the router says goes before what is guessed";
}

TEST_F(GathererTest, ASilentServerDoesNotHoldUpTheOthersAndIsAskedAgain) {
  lost = [](const auto&, const SocketAddress& server) { return server == kServer; };
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {kServer, kOther}, {});
  Run(milliseconds(100));
  EXPECT_EQ(Types(), "host srflx");

  Run(seconds(60));
  EXPECT_TRUE(std::ranges::any_of(events_, [](const GathererEvent& event) {
    return std::holds_alternative<GatheringDone>(event);
  }));
  lost = [](const auto&, const auto&) { return false; };
  sent_ = 0;
  Run(minutes(2));
  EXPECT_LE(sent_, 20U) << "each is asked every 25 or 30 s";
}

TEST_F(GathererTest, KnowsThatItIsBlocked) {
  lost = [](const auto&, const auto&) { return true; };
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {kServer}, {});
  Run(seconds(30));

  EXPECT_EQ(gatherer_.nat(), NatKind::kBlocked);
}

TEST_F(GathererTest, AnotherMappingReplacesTheOneBefore) {
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {kServer}, Relay(kServer));
  Run(seconds(1));
  const SocketAddress moved = Address("203.0.113.77:5000");
  nat = [&](const auto&, const auto&) { return moved; };
  events_.clear();

  gatherer_.HandleNetworkChange(now_);
  Run(seconds(5));

  EXPECT_EQ(AddressesOf(CandidateType::kServerReflexive), (std::vector{moved, GuessAt(moved.ip)}));
}

TEST_F(GathererTest, MappingsOnlyARelaySeesAreReplacedToo) {
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {}, Relay(kServer));
  Run(seconds(1));
  ASSERT_EQ(Types(), "host srflx relay");

  for (int i = 0; i < 5; ++i) {
    nat = [i](const SocketAddress&, const SocketAddress&) {
      return SocketAddress{IpAddress::V4(203, 0, 113, 50), static_cast<std::uint16_t>(5000 + i)};
    };
    gatherer_.HandleNetworkChange(now_);
    Run(seconds(60));
  }

  EXPECT_EQ(AddressesOf(CandidateType::kServerReflexive),
            (std::vector{Address("203.0.113.50:5004"), GuessAt(IpAddress::V4(203, 0, 113, 50))}));
  EXPECT_EQ(AddressesOf(CandidateType::kRelayed).size(), 1U);
}

TEST_F(GathererTest, WhatAServerSaidGoesWithTheServer) {
  nat = [](const SocketAddress& from, const SocketAddress& to) {
    return SocketAddress{IpAddress::V4(203, 0, 113, 1),
                         static_cast<std::uint16_t>(from.port + to.ip.bytes[3])};
  };
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {kServer}, {});
  Run(seconds(1));

  gatherer_.SetServers(now_, {kOther}, {});
  Run(seconds(1));

  EXPECT_EQ(AddressesOf(CandidateType::kServerReflexive),
            (std::vector{Address("203.0.113.1:41822"), GuessAt(IpAddress::V4(203, 0, 113, 1))}));
}

TEST_F(GathererTest, ServersThatStayKeepTheirState) {
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {kServer}, Relay(kServer));
  Run(seconds(1));
  events_.clear();
  sent_ = 0;

  gatherer_.SetServers(now_, {kServer}, Relay(kServer));
  Run(seconds(1));

  EXPECT_EQ(sent_, 0U);
  EXPECT_TRUE(events_.empty());
}

TEST_F(GathererTest, ARelayThatRestartsIsAskedAgainAndItsOldAddressGoes) {
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {kServer}, Relay(kServer));
  Run(seconds(1));
  const SocketAddress before = AddressesOf(CandidateType::kRelayed).front();

  Restart(kServer);
  gatherer_.HandleNetworkChange(now_);
  Run(seconds(5));

  ASSERT_EQ(AddressesOf(CandidateType::kRelayed).size(), 1U);
  EXPECT_NE(AddressesOf(CandidateType::kRelayed).front(), before);
  EXPECT_FALSE(gatherer_.IsRelayed(before));
}

TEST_F(GathererTest, ALostAddressTakesItsCandidatesAndTheRelayMovesToAnother) {
  SetAddresses({kWired, kWireless});
  gatherer_.SetServers(now_, {kServer}, Relay(kServer));
  Run(seconds(1));

  SetAddresses({kWireless});
  Run(seconds(1));

  for (const Candidate& candidate : gatherer_.candidates()) {
    EXPECT_NE(candidate.base, kWired);
  }
  EXPECT_EQ(AddressesOf(CandidateType::kRelayed).size(), 1U);
}

TEST_F(GathererTest, ARelayThatTheFirstInterfaceCannotReachIsReachedFromTheSecond) {
  lost = [](const SocketAddress& local, const auto&) { return local == kWired; };
  SetAddresses({kWired, kWireless});
  gatherer_.SetServers(now_, {}, Relay(kServer));

  Run(minutes(2));

  EXPECT_EQ(AddressesOf(CandidateType::kRelayed).size(), 1U);
}

TEST_F(GathererTest, NoServerTakesOurOwnAddress) {
  Claim(kServer, kWired);
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {}, Relay(kServer));
  Run(seconds(1));

  EXPECT_EQ(Types(), "host");
  EXPECT_FALSE(gatherer_.IsRelayed(kWired));
  Run(minutes(2));
  EXPECT_LE(sent_, 60U) << "it is asked again, but not without end";
}

TEST_F(GathererTest, NoServerTakesTheAddressOfAnotherRelay) {
  Claim(kServer, Address("198.51.100.1:50000"));
  Claim(kOther, Address("198.51.100.1:50000"));
  std::vector<RelayServer> relays = Relay(kServer);
  relays.push_back(std::move(Relay(kOther).front()));
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {}, std::move(relays));
  Run(seconds(1));

  EXPECT_EQ(AddressesOf(CandidateType::kRelayed).size(), 1U);
  gatherer_.SetServers(now_, {}, Relay(kServer));
  EXPECT_EQ(AddressesOf(CandidateType::kRelayed).size(), 1U);
}

TEST_F(GathererTest, LetsThroughPeersOnTheSameRelayAndGoesOnDoingSo) {
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {kServer}, Relay(kServer));
  Run(seconds(1));
  const SocketAddress relayed = AddressesOf(CandidateType::kRelayed).front();
  const SocketAddress neighbour{kServer.ip, 50'000};
  EXPECT_TRUE(Arrives(neighbour, relayed));

  gatherer_.Send(now_, relayed, neighbour, {1, 2, 3});
  Run(minutes(12));

  EXPECT_TRUE(Arrives(neighbour, relayed)) << "it was used once, and idle since";
}

TEST_F(GathererTest, GivesUpChannelsAndPermissionsThatAreNotUsed) {
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {kServer}, Relay(kServer));
  Run(seconds(1));
  const SocketAddress relayed = AddressesOf(CandidateType::kRelayed).front();
  gatherer_.UseForData(now_, relayed, kPeer);
  Run(seconds(1));
  EXPECT_TRUE(Arrives(kPeer, relayed));

  Run(minutes(20));

  EXPECT_FALSE(Arrives(kPeer, relayed));
}

TEST_F(GathererTest, KeepsAChannelThatIsUsed) {
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {kServer}, Relay(kServer));
  Run(seconds(1));
  const SocketAddress relayed = AddressesOf(CandidateType::kRelayed).front();
  gatherer_.UseForData(now_, relayed, kPeer);

  for (int i = 0; i < 120; ++i) {
    gatherer_.Send(now_, relayed, kPeer, {1, 2, 3});
    Run(seconds(10));
  }

  EXPECT_TRUE(Arrives(kPeer, relayed));
}

TEST_F(GathererTest, AnswersFromElsewhereAreNotBelieved) {
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {kServer}, {});
  const auto request = gatherer_.PollTransmit();
  ASSERT_TRUE(request);
  std::vector<std::uint8_t> answer = request->payload;
  answer[0] |= 0x01U;  // Success.
  EXPECT_EQ(gatherer_.HandleDatagram(now_, kWired, kOther, answer).verdict,
            Gatherer::Verdict::kNotMine);
  EXPECT_EQ(Types(), "host");
}

TEST_F(GathererTest, ClosingGivesTheAllocationBackAndEndsEverything) {
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {kServer}, Relay(kServer));
  Run(seconds(1));
  sent_ = 0;

  gatherer_.Close(now_);
  Run(minutes(2));

  EXPECT_EQ(sent_, 2U) << "the farewell is sent twice";
  EXPECT_EQ(gatherer_.NextTimeout(), std::nullopt);
}

TEST_F(GathererTest, APortMappingIsAReflexiveCandidateThatComesAndGoes) {
  SetAddresses({kWired});
  const SocketAddress forwarded = Address("203.0.113.1:5000");

  gatherer_.SetPortMapping(kWired, forwarded);

  ASSERT_EQ(Types(), "host srflx");
  const Candidate& candidate = gatherer_.candidates().back();
  EXPECT_EQ(candidate.address, forwarded);
  EXPECT_EQ(candidate.base, kWired);
  EXPECT_GT(candidate.priority, ComputePriority(CandidateType::kServerReflexive, 65535));
  EXPECT_LT(candidate.priority, ComputePriority(CandidateType::kPeerReflexive, 0));

  const SocketAddress other = Address("203.0.113.1:6000");
  gatherer_.SetPortMapping(kWired, other);
  EXPECT_EQ(AddressesOf(CandidateType::kServerReflexive), std::vector{other});

  gatherer_.SetPortMapping(kWired, std::nullopt);
  EXPECT_EQ(Types(), "host");
}

TEST_F(GathererTest, AMappedAddressThatAServerSeesTooStaysWhileEitherSaysSo) {
  SetAddresses({kWired});
  gatherer_.SetServers(now_, {kServer}, {});
  Run(seconds(1));
  const SocketAddress seen = nat(kWired, kServer);

  gatherer_.SetPortMapping(kWired, seen);
  EXPECT_EQ(AddressesOf(CandidateType::kServerReflexive), std::vector{seen});
  gatherer_.SetServers(now_, {}, {});
  EXPECT_EQ(AddressesOf(CandidateType::kServerReflexive), std::vector{seen});

  gatherer_.SetPortMapping(kWired, std::nullopt);
  EXPECT_EQ(Types(), "host");
}

TEST_F(GathererTest, APinholeOrAMappingOfAnotherAddressIsNoCandidate) {
  SetAddresses({kWired});

  gatherer_.SetPortMapping(kWired, kWired);
  gatherer_.SetPortMapping(kWireless, Address("203.0.113.1:5000"));
  gatherer_.SetPortMapping(kWired, Address("0.0.0.0:5000"));

  EXPECT_EQ(Types(), "host");
}

TEST(TcpCandidatesTest, AreTwoForEachAddressAndComeAndGo) {
  test::FakeRandom random;
  Gatherer gatherer(random);
  gatherer.SetLocalAddresses(TimePoint{}, {kWired});
  const auto tcp = [](SocketAddress address) {
    address.transport = Transport::kTcp;
    return address;
  };
  const SocketAddress active = tcp({kWired.ip, kActivePort});
  gatherer.SetTcpAddresses({tcp(kWired), tcp(kWireless)});
  ASSERT_EQ(gatherer.candidates().size(), 5U);
  const Candidate& udp = gatherer.candidates()[0];
  EXPECT_EQ(gatherer.candidates()[1].address, active);
  EXPECT_EQ(gatherer.candidates()[1].tcp_type, TcpType::kActive);
  EXPECT_EQ(gatherer.candidates()[2].address, tcp(kWired));
  EXPECT_EQ(gatherer.candidates()[2].tcp_type, TcpType::kPassive);
  EXPECT_GT(udp.priority, gatherer.candidates()[1].priority);
  EXPECT_GT(gatherer.candidates()[1].priority, gatherer.candidates()[3].priority);
  EXPECT_NE(udp.foundation, gatherer.candidates()[1].foundation);
  while (gatherer.PollEvent()) {
  }

  gatherer.SetTcpAddresses({tcp(kWireless)});

  std::vector<SocketAddress> gone;
  while (const auto event = gatherer.PollEvent()) {
    gone.push_back(std::get<CandidateRemoved>(*event).candidate.address);
  }
  EXPECT_EQ(gone, (std::vector{active, tcp(kWired)}));
  EXPECT_EQ(gatherer.candidates().size(), 3U);
}

}  // namespace
}  // namespace floe::ice
