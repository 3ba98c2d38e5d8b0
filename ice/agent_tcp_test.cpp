// The agent over TCP, RFC 6544.

#include "ice/test_peer.h"

namespace floe::ice {
namespace {

using stun::AttributeType;

SocketAddress Tcp(std::string_view text) {
  SocketAddress address = Address(text);
  address.transport = Transport::kTcp;
  return address;
}

Candidate TcpHost(std::string_view text, TcpType type) {
  Candidate candidate = Host(text);
  candidate.address = candidate.base = Tcp(text);
  candidate.tcp_type = type;
  candidate.priority = ComputeTcpPriority(CandidateType::kHost, type, 100);
  candidate.foundation = "tcp" + std::string(ToString(type));
  return candidate;
}

const SocketAddress kOurActive = Tcp("192.0.1.1:9");
const SocketAddress kOurPassive = Tcp("192.0.1.1:2000");
const SocketAddress kTheirPassive = Tcp("192.0.2.1:2000");

class TcpTest : public WithPeerTest {
 protected:
  void MakeWithTcp(Role role) {
    Make(role);
    agent().AddLocalCandidate(now_, TcpHost("192.0.1.1:9", TcpType::kActive));
    agent().AddLocalCandidate(now_, TcpHost("192.0.1.1:2000", TcpType::kPassive));
  }
};

// RFC 6544 section 6.2.
TEST_F(TcpTest, ActiveGoesWithPassiveAndThePassiveEndFormsNoPair) {
  MakeWithTcp(Role::kControlling);
  agent().AddLocalCandidate(now_, TcpHost("192.0.1.1:3000", TcpType::kSimultaneousOpen));
  AddRemote(TcpHost("192.0.2.1:9", TcpType::kActive));
  AddRemote(TcpHost("192.0.2.1:2000", TcpType::kPassive));
  AddRemote(TcpHost("192.0.2.1:3000", TcpType::kSimultaneousOpen));
  AddRemote(Host("192.0.2.1:2000"));

  ASSERT_EQ(agent().pairs().size(), 3U);
  EXPECT_EQ(pair(0).local->base.transport, Transport::kUdp) << "before all others";
  EXPECT_EQ(pair(1).local->base, kOurActive);
  EXPECT_EQ(pair(1).remote->address, kTheirPassive);
  EXPECT_EQ(pair(2).local->tcp_type, TcpType::kSimultaneousOpen);
  EXPECT_EQ(pair(2).remote->tcp_type, TcpType::kSimultaneousOpen);
}

// RFC 8489 section 6.2.2.
TEST_F(TcpTest, ACheckIsSentOnceAndGivenUpAfterTi) {
  MakeWithTcp(Role::kControlling);
  AddRemote(TcpHost("192.0.2.1:2000", TcpType::kPassive));
  Introduce();

  Pass(milliseconds(39'499));
  const auto requests = Requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].transmit.local, kOurActive);
  EXPECT_EQ(requests[0].transmit.remote, kTheirPassive);
  const auto priority = stun::FindU32(requests[0].message(), AttributeType::kPriority);
  EXPECT_EQ(*priority >> 24U, 80U) << "as a peer-reflexive TCP candidate";
  EXPECT_EQ(pair().state, PairState::kInProgress);

  Pass(milliseconds(1));
  EXPECT_EQ(pair().state, PairState::kFailed);
}

TEST_F(TcpTest, AnAcceptedConnectionIsAPeerReflexiveCandidateAndIsCheckedBack) {
  MakeWithTcp(Role::kControlled);
  AddRemote(TcpHost("192.0.2.1:9", TcpType::kActive));
  Introduce();
  const SocketAddress accepted = Tcp("192.0.2.1:50123");

  Send({.use_candidate = true, .from = accepted, .to = kOurPassive});
  Pass(milliseconds(60));

  ASSERT_EQ(agent().pairs().size(), 1U);
  EXPECT_EQ(pair().remote->type, CandidateType::kPeerReflexive);
  EXPECT_EQ(pair().remote->tcp_type, TcpType::kActive);
  const auto requests = Requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].transmit.local, kOurPassive);
  EXPECT_EQ(requests[0].transmit.remote, accepted);
  Answer(requests[0]);
  EXPECT_NE(agent().nominated(), nullptr);
  EXPECT_EQ(agent().path()->tier(), PathTier::kDirectTcp);
}

TEST_F(TcpTest, AConnectionThatEndsTakesItsPairWithIt) {
  MakeWithTcp(Role::kControlled);
  AddRemote(TcpHost("192.0.2.1:2000", TcpType::kPassive));
  Introduce();
  Pass(milliseconds(60));
  Answer(Requests().at(0), Tcp("192.0.1.1:51000"));
  ASSERT_TRUE(agent().path().has_value());
  EXPECT_EQ(agent().LocalCandidateOf(pair()).type, CandidateType::kHost) << "its port is any";

  agent().HandleUnreachable(now_, kOurActive, kTheirPassive);

  EXPECT_FALSE(agent().path().has_value());
  EXPECT_EQ(pair().state, PairState::kFailed);
}

TEST_F(TcpTest, AConnectionThatCannotBeMadeFailsItsCheckAtOnce) {
  MakeWithTcp(Role::kControlling);
  AddRemote(TcpHost("192.0.2.1:2000", TcpType::kPassive));
  Introduce();
  Pass(milliseconds(60));

  agent().HandleUnreachable(now_, kOurActive, kTheirPassive);

  EXPECT_EQ(pair().state, PairState::kFailed);
}

const AgentConfig kFast{.pace = Pace::kFast, .renomination = true};

TEST_F(TcpTest, AtTheFastPaceUdpHasAHeadStart) {
  Make(Role::kControlling, kFast);
  agent().AddLocalCandidate(now_, TcpHost("192.0.1.1:9", TcpType::kActive));
  AddRemote(TcpHost("192.0.2.1:2000", TcpType::kPassive));
  AddRemote(Host("192.0.2.1:1000"));
  Introduce();
  const auto over_tcp = [&] {
    return std::ranges::count_if(Requests(), [](const Sent& sent) {
      return sent.transmit.local.transport == Transport::kTcp;
    });
  };

  Pass(milliseconds(499));
  EXPECT_EQ(over_tcp(), 0);
  Pass(milliseconds(10));
  EXPECT_EQ(over_tcp(), 1);
}

TEST_F(TcpTest, WhatAPeerTellsOfTcpLeavesRoomForUdp) {
  MakeWithTcp(Role::kControlling);
  for (int i = 0; i < 8; ++i) {
    AddRemote(TcpHost("192.0.2.1:" + std::to_string(2000 + i), TcpType::kPassive));
  }
  for (int i = 0; i < 40; ++i) {
    AddRemote(TcpHost("192.0.2." + std::to_string(1 + i) + ":9", TcpType::kActive));
  }

  EXPECT_FALSE(agent().AddRemoteCandidate(now_, TcpHost("192.0.2.1:3000", TcpType::kPassive)));
  for (int i = 0; i < 24; ++i) {
    AddRemote(Host("192.0.2.1:" + std::to_string(1000 + i)));
  }
}

TEST_F(TcpTest, WhereNoConnectionCouldBeMadeMakesRoomForAnother) {
  MakeWithTcp(Role::kControlling);
  for (int i = 0; i < 8; ++i) {
    AddRemote(TcpHost("192.0.2.1:" + std::to_string(2000 + i), TcpType::kPassive));
  }
  Introduce();
  Pass(milliseconds(60));
  agent().HandleUnreachable(now_, kOurActive, kTheirPassive);

  EXPECT_TRUE(agent().AddRemoteCandidate(now_, TcpHost("192.0.2.1:3000", TcpType::kPassive)));
  EXPECT_FALSE(agent().AddRemoteCandidate(now_, TcpHost("192.0.2.1:3001", TcpType::kPassive)));
}

// A connection to us is the peer's to make.
TEST_F(TcpTest, AnAcceptedConnectionThatEndsIsNotTriedAgain) {
  Make(Role::kControlled, kFast);
  agent().AddLocalCandidate(now_, TcpHost("192.0.1.1:2000", TcpType::kPassive));
  Introduce();
  Send({.from = Tcp("192.0.2.1:50123"), .to = kOurPassive});
  Pass(milliseconds(60));
  Answer(Requests().at(0));
  ASSERT_TRUE(agent().path().has_value());

  agent().HandleUnreachable(now_, kOurPassive, Tcp("192.0.2.1:50123"));
  Requests();
  Pass(seconds(30));

  EXPECT_TRUE(Requests().empty());
}

class TcpPairingTest : public ::testing::TestWithParam<Pace> {};

/// A connects to B: its connection comes from a port that nobody knew.
TEST_P(TcpPairingTest, ConnectsAndMovesToUdpOnceThatWorks) {
  const bool renomination = GetParam() == Pace::kFast;
  Pairing pairing({.role = Role::kControlling, .pace = GetParam(), .renomination = renomination},
                  {.pace = GetParam(), .renomination = renomination});
  bool udp_blocked = true;
  pairing.drop = [&](const SocketAddress& from, const auto&) {
    return udp_blocked && from.transport == Transport::kUdp;
  };
  const SocketAddress outside = Tcp("192.0.1.1:50000");
  pairing.translate = [&](const auto& from) { return from == kOurActive ? outside : from; };
  pairing.arrive = [&](const auto& to) { return to == outside ? kOurActive : to; };
  pairing.Add(pairing.a(), Host("192.0.1.1:1000"));
  pairing.Add(pairing.b(), Host("192.0.2.1:1000"));
  pairing.Add(pairing.a(), TcpHost("192.0.1.1:9", TcpType::kActive));
  pairing.Add(pairing.b(), TcpHost("192.0.2.1:2000", TcpType::kPassive));
  pairing.ExchangeCredentials();

  ASSERT_TRUE(pairing.RunUntil([&] { return BothConnected(pairing); }, seconds(1)));
  EXPECT_EQ(pairing.a().path()->tier(), PathTier::kDirectTcp);
  EXPECT_EQ(pairing.b().path()->remote, outside);
  pairing.Run(seconds(60));
  ASSERT_TRUE(BothConnected(pairing));
  EXPECT_EQ(pairing.a().path()->tier(), PathTier::kDirectTcp);

  udp_blocked = false;
  pairing.Run(seconds(60));
  const PathTier expected = GetParam() == Pace::kFast ? PathTier::kLan : PathTier::kDirectTcp;
  EXPECT_EQ(pairing.a().path()->tier(), expected) << "the standard pace stays where it nominated";
  EXPECT_EQ(pairing.b().path()->tier(), expected);
}

TEST(FastTcpTest, NoConnectionIsMadeWhileUdpLeadsThere) {
  Pairing pairing;
  std::size_t over_tcp = 0;
  pairing.drop = [&](const SocketAddress& from, const auto&) {
    over_tcp += from.transport == Transport::kTcp ? 1U : 0U;
    return false;
  };
  pairing.Add(pairing.a(), Host("192.0.1.1:1000"));
  pairing.Add(pairing.b(), Host("192.0.2.1:1000"));
  pairing.Add(pairing.a(), TcpHost("192.0.1.1:9", TcpType::kActive));
  pairing.Add(pairing.b(), TcpHost("192.0.2.1:2000", TcpType::kPassive));
  pairing.ExchangeCredentials();

  pairing.Run(seconds(120));

  EXPECT_EQ(pairing.a().path()->tier(), PathTier::kLan);
  EXPECT_EQ(over_tcp, 0U);
}

INSTANTIATE_TEST_SUITE_P(Both, TcpPairingTest, ::testing::Values(Pace::kFast, Pace::kStandard));

}  // namespace
}  // namespace floe::ice
