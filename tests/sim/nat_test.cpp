#include "tests/sim/nat.h"

#include <chrono>
#include <gtest/gtest.h>
#include <optional>
#include <set>

namespace floe::sim {
namespace {

using std::chrono::seconds;

constexpr TimePoint kNow = TimePoint{} + seconds(1000);
const SocketAddress kInside{IpAddress::V4(192, 0, 2, 2), 5000};
const SocketAddress kNeighbour{IpAddress::V4(192, 0, 2, 3), 5000};
const SocketAddress kRemote{IpAddress::V4(198, 51, 100, 10), 3478};
const SocketAddress kSameIp{IpAddress::V4(198, 51, 100, 10), 3479};
const SocketAddress kOther{IpAddress::V4(198, 51, 100, 11), 3478};

class NatTest : public ::testing::Test {
 protected:
  test::FakeRandom random_{3};
};

/// The outside ports towards kRemote, kSameIp and kOther, how many differ, as RFC 4787 section 4.1.
std::size_t CountPorts(Nat& nat) {
  std::set<std::optional<std::uint16_t>> ports;
  for (const SocketAddress& remote : {kRemote, kSameIp, kOther}) {
    ports.insert(nat.TranslateOut(kNow, kInside, remote));
  }
  EXPECT_FALSE(ports.contains(std::nullopt));
  return ports.size();
}

TEST_F(NatTest, MapsAsItsKindSays) {
  const auto count = [this](Mapping mapping) {
    Nat nat({.mapping = mapping, .ports = PortChoice::kRandom}, random_);
    return CountPorts(nat);
  };
  EXPECT_EQ(count(Mapping::kEndpointIndependent), 1U);
  EXPECT_EQ(count(Mapping::kAddressDependent), 2U);
  EXPECT_EQ(count(Mapping::kAddressAndPortDependent), 3U);
}

TEST_F(NatTest, FiltersAsItsKindSays) {
  const auto admits = [this](Filtering filtering, const SocketAddress& remote) {
    Nat nat(NatOptions::Cone(filtering), random_);
    const auto port = nat.TranslateOut(kNow, kInside, kRemote);
    return nat.TranslateIn(kNow, port.value_or(0), remote) == kInside;
  };
  for (const Filtering any : {Filtering::kEndpointIndependent, Filtering::kAddressDependent,
                              Filtering::kAddressAndPortDependent}) {
    EXPECT_TRUE(admits(any, kRemote));
  }
  EXPECT_TRUE(admits(Filtering::kEndpointIndependent, kOther));
  EXPECT_TRUE(admits(Filtering::kAddressDependent, kSameIp));
  EXPECT_FALSE(admits(Filtering::kAddressDependent, kOther));
  EXPECT_FALSE(admits(Filtering::kAddressAndPortDependent, kSameIp));
}

TEST_F(NatTest, NobodyComesInWithoutAMapping) {
  Nat nat(NatOptions::Cone(Filtering::kEndpointIndependent), random_);

  EXPECT_EQ(nat.TranslateIn(kNow, 5000, kRemote), std::nullopt);
  EXPECT_EQ(nat.CountMappings(kNow), 0U);
}

TEST_F(NatTest, PreservesThePortOrDrawsOne) {
  Nat preserving(NatOptions::Masquerade(), random_);
  Nat drawing(NatOptions::Symmetric(), random_);

  EXPECT_EQ(preserving.TranslateOut(kNow, kInside, kRemote), kInside.port);
  EXPECT_NE(drawing.TranslateOut(kNow, kInside, kRemote), kInside.port);
}

TEST_F(NatTest, UnderContentionAConeGivesTheLoserOnePortTowardsAll) {
  Nat nat(NatOptions::Cone(Filtering::kAddressAndPortDependent), random_);
  ASSERT_EQ(nat.TranslateOut(kNow, kInside, kRemote), 5000);

  const auto port = nat.TranslateOut(kNow, kNeighbour, kRemote);

  ASSERT_TRUE(port.has_value());
  EXPECT_NE(port, 5000);
  EXPECT_EQ(nat.TranslateOut(kNow, kNeighbour, kOther), port);
  EXPECT_EQ(nat.TranslateIn(kNow, *port, kRemote), kNeighbour);
  EXPECT_EQ(nat.TranslateIn(kNow, 5000, kRemote), kInside);
}

TEST_F(NatTest, UnderContentionMasqueradeGivesTheLoserAPortThatDependsOnTheRemote) {
  Nat nat(NatOptions::Masquerade(), random_);
  ASSERT_EQ(nat.TranslateOut(kNow, kInside, kRemote), 5000);

  EXPECT_NE(nat.TranslateOut(kNow, kNeighbour, kRemote), 5000);
  EXPECT_EQ(nat.TranslateOut(kNow, kNeighbour, kOther), 5000);
  EXPECT_EQ(nat.TranslateIn(kNow, 5000, kRemote), kInside);
  EXPECT_EQ(nat.TranslateIn(kNow, 5000, kOther), kNeighbour);
}

TEST_F(NatTest, AMappingEndsAfterItsTimeout) {
  Nat nat(NatOptions::Cone(Filtering::kEndpointIndependent), random_);
  ASSERT_TRUE(nat.TranslateOut(kNow, kInside, kRemote).has_value());

  EXPECT_EQ(nat.TranslateIn(kNow + seconds(119), 5000, kRemote), kInside);
  EXPECT_EQ(nat.TranslateIn(kNow + seconds(120), 5000, kRemote), std::nullopt);
}

TEST_F(NatTest, OutboundPacketsKeepAMappingAlive) {
  Nat nat(NatOptions::Cone(Filtering::kEndpointIndependent), random_);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(nat.TranslateOut(kNow + i * seconds(100), kInside, kRemote).has_value());
  }

  EXPECT_EQ(nat.TranslateIn(kNow + seconds(519), 5000, kOther), kInside);
}

TEST_F(NatTest, InboundPacketsKeepAMappingAliveOnlyIfToldSo) {
  const auto lives = [this](Refresh refresh) {
    NatOptions options = NatOptions::Cone(Filtering::kAddressAndPortDependent);
    options.refresh = refresh;
    Nat nat(options, random_);
    EXPECT_TRUE(nat.TranslateOut(kNow, kInside, kRemote).has_value());
    EXPECT_TRUE(nat.TranslateIn(kNow + seconds(100), 5000, kRemote).has_value());
    return nat.TranslateIn(kNow + seconds(200), 5000, kRemote).has_value();
  };
  EXPECT_TRUE(lives(Refresh::kBothWays));
  EXPECT_FALSE(lives(Refresh::kOutbound));
}

TEST_F(NatTest, AnUnansweredFlowOfMasqueradeEndsSooner) {
  Nat nat(NatOptions::Masquerade(), random_);
  ASSERT_TRUE(nat.TranslateOut(kNow, kInside, kRemote).has_value());
  ASSERT_TRUE(nat.TranslateOut(kNow, kInside, kOther).has_value());
  ASSERT_TRUE(nat.TranslateIn(kNow, 5000, kOther).has_value());

  EXPECT_EQ(nat.TranslateIn(kNow + seconds(31), 5000, kRemote), std::nullopt);
  EXPECT_EQ(nat.TranslateIn(kNow + seconds(31), 5000, kOther), kInside);
}

TEST_F(NatTest, APermissionEndsThoughItsMappingLives) {
  Nat nat(NatOptions::Cone(Filtering::kAddressAndPortDependent), random_);
  ASSERT_TRUE(nat.TranslateOut(kNow, kInside, kRemote).has_value());
  ASSERT_TRUE(nat.TranslateOut(kNow + seconds(60), kInside, kOther).has_value());

  EXPECT_EQ(nat.TranslateIn(kNow + seconds(130), 5000, kRemote), std::nullopt);
  EXPECT_EQ(nat.TranslateIn(kNow + seconds(130), 5000, kOther), kInside);
}

TEST_F(NatTest, ASymmetricMappingThatTimedOutComesBackWithAnotherPort) {
  Nat nat(NatOptions::Symmetric(), random_);
  const auto before = nat.TranslateOut(kNow, kInside, kRemote);

  const auto after = nat.TranslateOut(kNow + seconds(121), kInside, kRemote);

  EXPECT_NE(before, after);
}

TEST_F(NatTest, NoTwoInsideEndpointsOfAConeShareAPort) {
  Nat nat({.ports = PortChoice::kRandom}, random_);

  std::set<std::uint16_t> ports;
  for (std::uint16_t i = 0; i < 1000; ++i) {
    const auto port = nat.TranslateOut(kNow, {kInside.ip, i}, kRemote);
    ASSERT_TRUE(port.has_value());
    EXPECT_TRUE(ports.insert(*port).second);
  }
}

TEST_F(NatTest, HairpinIsNotFiltered) {
  Nat nat(NatOptions::Cone(Filtering::kAddressAndPortDependent), random_);
  ASSERT_TRUE(nat.TranslateOut(kNow, kInside, kRemote).has_value());

  EXPECT_EQ(nat.TranslateHairpin(kNow, 5000), kInside);
  EXPECT_EQ(nat.TranslateHairpin(kNow, 5001), std::nullopt);
}

TEST_F(NatTest, ResetForgetsAll) {
  Nat nat(NatOptions::Masquerade(), random_);
  ASSERT_TRUE(nat.TranslateOut(kNow, kInside, kRemote).has_value());

  nat.Reset();

  EXPECT_EQ(nat.CountMappings(kNow), 0U);
  EXPECT_EQ(nat.TranslateIn(kNow, 5000, kRemote), std::nullopt);
}

}  // namespace
}  // namespace floe::sim
