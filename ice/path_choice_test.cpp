#include "ice/path_choice.h"

#include <chrono>
#include <gtest/gtest.h>
#include <vector>

namespace floe::ice {
namespace {

using std::chrono::milliseconds;

PathSample Path(PathTier tier, int rtt_ms, bool alive = true) {
  return {.tier = tier, .rtt = milliseconds(rtt_ms), .alive = alive};
}

TEST(PathChoiceTest, NothingAliveIsNoPath) {
  const std::vector<PathSample> paths{Path(PathTier::kLan, 1, false)};
  EXPECT_EQ(ChoosePath(paths, std::nullopt), std::nullopt);
  EXPECT_EQ(ChoosePath(paths, 0), std::nullopt);
}

TEST(PathChoiceTest, DirectBeatsRelayWhateverTheRtt) {
  const std::vector<PathSample> paths{Path(PathTier::kOneRelay, 5), Path(PathTier::kDirect, 200)};
  EXPECT_EQ(ChoosePath(paths, 0), 1U);
  EXPECT_EQ(ChoosePath(paths, std::nullopt), 1U);
}

TEST(PathChoiceTest, TcpComesAfterUdpAndBeforeARelay) {
  EXPECT_EQ(TierOf(CandidateType::kHost, CandidateType::kHost, Transport::kTcp),
            PathTier::kDirectTcp);
  EXPECT_TRUE(IsDirect(PathTier::kDirectTcp));
  const std::vector<PathSample> paths{Path(PathTier::kOneRelay, 5), Path(PathTier::kDirectTcp, 100),
                                      Path(PathTier::kDirect, 200)};
  EXPECT_EQ(ChoosePath(paths, 1), 2U);
  EXPECT_EQ(ChoosePath(std::span(paths).first(2), 0), 1U);
}

TEST(PathChoiceTest, OneRelayBeatsTwo) {
  const std::vector<PathSample> paths{Path(PathTier::kTwoRelays, 5), Path(PathTier::kOneRelay, 50)};
  EXPECT_EQ(ChoosePath(paths, 0), 1U);
}

TEST(PathChoiceTest, ARelayByUdpBeatsOneByAStream) {
  constexpr auto kRelayed = CandidateType::kRelayed;
  const auto tier = [](RelayTransport relay) {
    return TierOf(kRelayed, kRelayed, Transport::kUdp, relay);
  };
  const std::vector<PathSample> paths{Path(tier(RelayTransport::kTls), 5),
                                      Path(tier(RelayTransport::kTcp), 20),
                                      Path(tier(RelayTransport::kUdp), 50)};
  EXPECT_EQ(ChoosePath(paths, 0), 2U);
  EXPECT_EQ(ChoosePath(std::span(paths).first(2), 0), 1U);
  EXPECT_FALSE(IsDirect(tier(RelayTransport::kTls)));
}

TEST(PathChoiceTest, FallsBackToTheRelayWhenDirectDies) {
  const std::vector<PathSample> paths{Path(PathTier::kOneRelay, 50),
                                      Path(PathTier::kDirect, 5, false)};
  EXPECT_EQ(ChoosePath(paths, 1), 0U);
}

TEST(PathChoiceTest, StaysUnlessAnotherIsBetterByMarginAndShare) {
  // 12 ms better and 40 %: move. 5 ms better: stay. 12 ms better but only 12 %: stay.
  EXPECT_EQ(ChoosePath(std::vector{Path(PathTier::kDirect, 30), Path(PathTier::kDirect, 18)}, 0),
            1U);
  EXPECT_EQ(ChoosePath(std::vector{Path(PathTier::kDirect, 10), Path(PathTier::kDirect, 5)}, 0),
            0U);
  EXPECT_EQ(ChoosePath(std::vector{Path(PathTier::kDirect, 100), Path(PathTier::kDirect, 88)}, 0),
            0U);
}

TEST(PathChoiceTest, WithoutAnIncumbentTheFastestWinsAndEqualsGoToTheFirst) {
  EXPECT_EQ(ChoosePath(std::vector{Path(PathTier::kDirect, 10), Path(PathTier::kDirect, 5)},
                       std::nullopt),
            1U);
  EXPECT_EQ(
      ChoosePath(std::vector{Path(PathTier::kDirect, 5), Path(PathTier::kDirect, 5)}, std::nullopt),
      0U);
}

TEST(PathChoiceTest, TiersFollowTheCandidateTypes) {
  using enum CandidateType;
  EXPECT_EQ(TierOf(kHost, kHost), PathTier::kLan);
  EXPECT_EQ(TierOf(kHost, kServerReflexive), PathTier::kDirect);
  EXPECT_EQ(TierOf(kPeerReflexive, kHost), PathTier::kDirect);
  EXPECT_EQ(TierOf(kHost, kRelayed), PathTier::kOneRelay);
  EXPECT_EQ(TierOf(kRelayed, kRelayed), PathTier::kTwoRelays);
}

}  // namespace
}  // namespace floe::ice
