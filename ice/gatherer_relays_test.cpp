// How a gatherer uses relays that are reached in several ways.

#include <algorithm>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ice/gatherer.h"
#include "ice/turn/channel_data.h"
#include "ice/turn/server.h"
#include "tests/support/fake_random.h"

namespace floe::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

SocketAddress Address(std::string_view text) {
  return *ParseSocketAddress(text);
}

const SocketAddress kHome = Address("192.0.2.10:41820");
const SocketAddress kHome6 = Address("[2001:db8:1::10]:41820");
const SocketAddress kServer = Address("198.51.100.1:3478");
const SocketAddress kServer6 = Address("[2001:db8:2::1]:3478");
const SocketAddress kPeer = Address("203.0.113.9:7000");
constexpr Duration kLatency = milliseconds(10);  // One way.

/// A gatherer and one TURN server, which all transports and both families lead to.
class RelayTest : public ::testing::Test {
 protected:
  RelayTest() { Restart(); }

  void Restart() {
    turn::ServerConfig config;
    config.auth.realm = "test";
    config.auth.users.push_back({.name = "user", .password = SecretString("password")});
    config.relay_ips = {kServer.ip};
    server_ = std::make_unique<turn::Server>(std::move(config), random_);
  }

  static RelayServer Way(RelayTransport transport, const SocketAddress& address = kServer,
                         const std::string& password = "password") {
    return {.address = address,
            .username = "user",
            .password = SecretString(password),
            .transport = transport,
            .name = "turn.example"};
  }

  void Begin(const std::vector<RelayTransport>& transports) {
    std::vector<RelayServer> ways;
    for (const RelayTransport transport : transports) {
      ways.push_back(Way(transport));
    }
    gatherer_.SetLocalAddresses(now_, {kHome});
    gatherer_.SetServers(now_, {}, std::move(ways));
    Drain();
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
        const auto deliver = std::move(wire_.begin()->second);
        wire_.erase(wire_.begin());
        deliver();
      } else {
        gatherer_.HandleTimeout(now_);
      }
      Drain();
    }
  }

  /// The transports of the relayed candidates there are.
  [[nodiscard]] std::vector<RelayTransport> Relays() const {
    std::vector<RelayTransport> found;
    for (const Candidate& candidate : gatherer_.candidates()) {
      if (candidate.type == CandidateType::kRelayed) {
        found.push_back(candidate.relay_transport);
      }
    }
    return found;
  }

  [[nodiscard]] SocketAddress Relayed() const {
    for (const Candidate& candidate : gatherer_.candidates()) {
      if (candidate.type == CandidateType::kRelayed) {
        return candidate.address;
      }
    }
    return {};
  }

  /// Breaks all streams.
  void Break() {
    for (const auto& [id, open] : std::exchange(streams_, {})) {
      gatherer_.HandleStreamClosed(now_, id, "reset");
    }
    Drain();
  }

  bool udp_works = true;
  bool udp6_works = true;
  bool tcp_works = true;
  bool tls_works = true;
  TimePoint now_ = TimePoint{} + seconds(1000);
  test::FakeRandom random_;
  Gatherer gatherer_{random_};
  std::unique_ptr<turn::Server> server_;
  std::map<StreamId, OpenStream> streams_;                   // That are open, or being opened.
  std::vector<OpenStream> opened_;                           // All that were ever asked for.
  std::vector<std::pair<SocketAddress, std::string>> data_;  // From where, what.
  std::vector<GathererEvent> events_;

 private:
  static constexpr std::uint16_t kFirstPort = 1000;  // Streams come from this and their id.

  void Later(int latencies, std::function<void()> what) {
    wire_.emplace(now_ + latencies * kLatency, std::move(what));
  }

  void Drain() {
    while (auto transmit = gatherer_.PollTransmit()) {
      if (transmit->remote.ip.is_v4() ? udp_works : udp6_works) {
        ToServer(transmit->local, std::move(transmit->payload));
      }
    }
    while (auto action = gatherer_.PollStreamAction()) {
      Act(*action);
    }
    while (const auto received = gatherer_.PollReceived()) {
      data_.emplace_back(received->remote, AsText(received->payload));
    }
    while (auto event = gatherer_.PollEvent()) {
      events_.push_back(std::move(*event));
    }
    while (const auto action = server_->PollAction()) {
      if (const auto* open = std::get_if<turn::OpenRelay>(&*action)) {
        server_->HandleRelayOpened(now_, open->address);
      }
    }
    while (auto transmit = server_->PollTransmit()) {
      FromServer(transmit->remote, std::move(transmit->payload));
    }
  }

  void Act(StreamAction& action) {
    if (const auto* open = std::get_if<OpenStream>(&action)) {
      opened_.push_back(*open);
      streams_[open->id] = *open;
      const bool tls = open->transport == RelayTransport::kTls;
      if (tls ? tls_works : tcp_works) {
        Later(tls ? 4 : 2, [this, id = open->id] {
          if (streams_.contains(id)) {
            gatherer_.HandleStreamOpened(now_, id, {kHome.ip, 50'000});
          }
        });
      }
    } else if (auto* write = std::get_if<WriteStream>(&action)) {
      EXPECT_EQ(write->bytes.size() % 4, 0U);
      if (streams_.contains(write->id)) {
        ToServer(Outside(write->id), std::move(write->bytes));
      }
    } else {
      streams_.erase(std::get<CloseStream>(action).id);
    }
  }

  static SocketAddress Outside(StreamId id) {
    return {kHome.ip, static_cast<std::uint16_t>(kFirstPort + id)};
  }

  void ToServer(const SocketAddress& from, std::vector<std::uint8_t> bytes) {
    Later(1, [this, from, bytes = std::move(bytes)] {
      server_->HandleDatagram(now_, from, kServer, bytes);
    });
  }

  void FromServer(const SocketAddress& to, std::vector<std::uint8_t> bytes) {
    Later(1, [this, to, bytes = std::move(bytes)]() mutable {
      if (to == kHome || to == kHome6) {
        const SocketAddress& from = to == kHome ? kServer : kServer6;
        if (to == kHome ? udp_works : udp6_works) {
          gatherer_.HandleDatagram(now_, to, from, bytes);
        }
        return;
      }
      const StreamId id = to.port - kFirstPort;
      if (to.ip == kHome.ip && streams_.contains(id)) {
        turn::PadForStream(bytes);
        gatherer_.HandleStreamBytes(now_, id, bytes);
      }
    });
  }

  std::multimap<TimePoint, std::function<void()>> wire_;
};

constexpr auto kUdp = RelayTransport::kUdp;
constexpr auto kTcp = RelayTransport::kTcp;
constexpr auto kTls = RelayTransport::kTls;

TEST_F(RelayTest, UsesUdpAndOpensNothingElseWhereItWorks) {
  Begin({kTls, kTcp, kUdp});
  Run(seconds(5));

  EXPECT_THAT(Relays(), ElementsAre(kUdp));
  EXPECT_THAT(opened_, IsEmpty()) << "UDP had its head start";
  // RFC 8445 section 5.1.1.3: the base of a relayed candidate is the candidate.
  EXPECT_EQ(gatherer_.candidates().back().foundation,
            ComputeFoundation(CandidateType::kRelayed, Relayed().ip, kServer.ip));
}

TEST_F(RelayTest, ReachesTlsWithinASecondWhereAllElseIsBlocked) {
  udp_works = false;
  tcp_works = false;
  Begin({kUdp, kTcp, kTls});
  Run(milliseconds(300 + 40 + 60));

  EXPECT_THAT(Relays(), ElementsAre(kTls));
  ASSERT_EQ(opened_.size(), 2U);
  EXPECT_EQ(opened_[1].name, "turn.example");
  EXPECT_EQ(opened_[1].remote.transport, Transport::kTcp);
  EXPECT_EQ(gatherer_.RelayTransportOf(Relayed()), kTls);
}

TEST_F(RelayTest, KeepsTheHeadStartsWhenTheNetworkComesBack) {
  Begin({kUdp, kTcp, kTls});
  Run(seconds(5));
  gatherer_.SetLocalAddresses(now_, {});
  Run(seconds(30));
  EXPECT_THAT(Relays(), IsEmpty());

  gatherer_.SetLocalAddresses(now_, {kHome});
  gatherer_.HandleNetworkChange(now_);
  Run(milliseconds(100));
  EXPECT_THAT(Relays(), ElementsAre(kUdp));
  EXPECT_THAT(opened_, IsEmpty());
}

TEST_F(RelayTest, GivesTcpTheHeadStartOverTls) {
  udp_works = false;
  Begin({kUdp, kTcp, kTls});
  Run(seconds(2));

  EXPECT_THAT(Relays(), ElementsAre(kTcp));
  EXPECT_EQ(opened_.size(), 1U);
}

TEST_F(RelayTest, MovesToUdpWhenItBeginsToWork) {
  udp_works = false;
  Begin({kUdp, kTls});
  Run(seconds(30));
  EXPECT_THAT(Relays(), ElementsAre(kTls));

  udp_works = true;
  Run(seconds(20));
  EXPECT_THAT(Relays(), ElementsAre(kTls, kUdp)) << "what goes over TLS has time to move";
  Run(seconds(25));
  EXPECT_THAT(Relays(), ElementsAre(kUdp));
  EXPECT_TRUE(streams_.empty()) << "and then it is closed";
}

TEST_F(RelayTest, GoesByTlsWithinThreeSecondsWhenUdpFallsSilent) {
  Begin({kUdp, kTls});
  Run(seconds(5));
  udp_works = false;
  gatherer_.HandleNetworkChange(now_);  // As the engine says, of a path that has gone quiet.
  Run(seconds(3));

  EXPECT_THAT(Relays(), ElementsAre(kUdp, kTls));
  Run(seconds(60));
  EXPECT_THAT(Relays(), ElementsAre(kTls));
}

TEST_F(RelayTest, ComesBackToUdpThatWasSilentForAMoment) {
  Begin({kUdp, kTls});
  Run(seconds(5));
  const SocketAddress before = Relayed();
  udp_works = false;
  gatherer_.HandleNetworkChange(now_);
  Run(seconds(3));
  udp_works = true;
  Run(seconds(60));

  EXPECT_THAT(Relays(), ElementsAre(kUdp));
  EXPECT_EQ(Relayed(), before) << "the allocation has survived";
}

TEST_F(RelayTest, AStreamThatBreaksIsOpenedAgain) {
  Begin({kTcp});
  Run(seconds(1));
  Break();
  EXPECT_THAT(Relays(), IsEmpty());
  Run(seconds(3));

  EXPECT_THAT(Relays(), ElementsAre(kTcp));
}

TEST_F(RelayTest, CarriesDataBothWaysOverAStream) {
  Begin({kTcp});
  Run(seconds(1));
  const SocketAddress relayed = Relayed();
  gatherer_.UseForData(now_, relayed, kPeer);
  Run(seconds(1));
  server_->HandleRelayed(now_, relayed, kPeer, AsBytes("hello"));
  Run(seconds(1));

  EXPECT_THAT(data_, ElementsAre(std::pair(kPeer, std::string("hello"))));
}

TEST_F(RelayTest, GarbageOnAStreamEndsIt) {
  Begin({kTcp});
  Run(seconds(1));
  const StreamId id = streams_.begin()->first;
  gatherer_.HandleStreamBytes(now_, id, AsBytes("\xFFnonsense"));
  Run(milliseconds(1));

  EXPECT_THAT(Relays(), IsEmpty());
  EXPECT_FALSE(streams_.contains(id));
}

TEST_F(RelayTest, ARelayByAStreamTellsNothingOfOurSocket) {
  Begin({kTcp});
  Run(seconds(1));

  for (const Candidate& candidate : gatherer_.candidates()) {
    EXPECT_NE(candidate.type, CandidateType::kServerReflexive);
  }
  EXPECT_EQ(gatherer_.nat(), NatKind::kUnknown);
}

TEST_F(RelayTest, WorseTransportsHaveLowerPriority) {
  udp_works = false;
  Begin({kUdp, kTls});
  Run(seconds(30));
  udp_works = true;
  Run(seconds(15));
  std::map<RelayTransport, std::uint32_t> priorities;
  for (const Candidate& candidate : gatherer_.candidates()) {
    if (candidate.type == CandidateType::kRelayed) {
      priorities[candidate.relay_transport] = candidate.priority;
    }
  }
  ASSERT_EQ(priorities.size(), 2U);
  EXPECT_GT(priorities[kUdp], priorities[kTls]);
}

TEST_F(RelayTest, KeepsTheFamilyOfTheServerThatWorks) {
  std::vector<RelayServer> ways;
  ways.push_back(Way(kUdp, kServer6));
  ways.push_back(Way(kUdp, kServer));
  udp6_works = false;
  gatherer_.SetLocalAddresses(now_, {kHome6, kHome});
  gatherer_.SetServers(now_, {}, std::move(ways));
  Run(4 * kLatency + milliseconds(1));

  EXPECT_THAT(Relays(), ElementsAre(kUdp)) << "broken IPv6 costs no time";
  EXPECT_EQ(gatherer_.RelayOf(Relayed()), kServer);
}

TEST_F(RelayTest, MovesToTheOtherFamilyWhenItsOwnIsGone) {
  std::vector<RelayServer> ways;
  ways.push_back(Way(kUdp, kServer));
  ways.push_back(Way(kUdp, kServer6));
  gatherer_.SetLocalAddresses(now_, {kHome6, kHome});
  gatherer_.SetServers(now_, {}, std::move(ways));
  Run(seconds(1));
  gatherer_.SetLocalAddresses(now_, {kHome6});
  Run(milliseconds(100));

  EXPECT_THAT(Relays(), ElementsAre(kUdp));
  EXPECT_EQ(gatherer_.RelayOf(Relayed()), kServer6);
}

TEST_F(RelayTest, SaysThatItIsRefusedAndAsksNoMore) {
  gatherer_.SetLocalAddresses(now_, {kHome});
  std::vector<RelayServer> ways;
  ways.push_back(Way(kUdp, kServer, "wrong"));
  gatherer_.SetServers(now_, {}, std::move(ways));
  Run(minutes(9));

  const auto refusals = std::ranges::count_if(events_, [](const GathererEvent& event) {
    return std::holds_alternative<RelayRefused>(event);
  });
  EXPECT_EQ(refusals, 1);
  gatherer_.HandleNetworkChange(now_);
  Run(seconds(1));
  EXPECT_THAT(Relays(), IsEmpty());

  std::vector<RelayServer> right;
  right.push_back(Way(kUdp));
  gatherer_.SetServers(now_, {}, std::move(right));
  Run(seconds(1));
  EXPECT_THAT(Relays(), ElementsAre(kUdp)) << "other credentials are tried at once";
}

TEST_F(RelayTest, ARestartedServerIsUsedTheSameWay) {
  Begin({kUdp, kTcp, kTls});
  Run(seconds(5));
  Restart();
  gatherer_.HandleNetworkChange(now_);
  Run(seconds(3));

  EXPECT_THAT(Relays(), ElementsAre(kUdp));
  EXPECT_THAT(opened_, IsEmpty());
}

TEST_F(RelayTest, ClosingEndsEverything) {
  udp_works = false;
  Begin({kUdp, kTcp, kTls});
  Run(seconds(1));
  gatherer_.Close(now_);
  Run(seconds(1));

  EXPECT_TRUE(streams_.empty());
  EXPECT_THAT(Relays(), IsEmpty());
  EXPECT_EQ(gatherer_.NextTimeout(), std::nullopt);
}

}  // namespace
}  // namespace floe::ice
