#include "tunnel/session.h"

#include <gtest/gtest.h>
#include <utility>
#include <vector>

#include "tests/support/fake_random.h"
#include "tunnel/peer.h"

namespace floe::tunnel {
namespace {

using std::chrono::seconds;
using OpenError = Session::OpenError;
using Role = Session::Role;

constexpr TimePoint kStart{std::chrono::hours(1)};
const std::vector<std::uint8_t> kInner(20, 0x45);

class SessionTest : public ::testing::Test {
 protected:
  /// The two ends of one session.
  struct Ends {
    Session ours;
    Session theirs;
  };

  Ends MakePair(std::uint64_t first_counter = 0) {
    TransportKeys ours;
    random_.Fill(ours.send.mutable_bytes());
    random_.Fill(ours.receive.mutable_bytes());
    TransportKeys theirs{.send = ours.receive.Clone(), .receive = ours.send.Clone()};
    auto our_index = indices_.Allocate(random_, owner());
    auto their_index = indices_.Allocate(random_, owner());
    const std::uint32_t ours_at = our_index.index();
    const std::uint32_t theirs_at = their_index.index();
    return {Session(kStart, Role::kInitiator, std::move(our_index), theirs_at, std::move(ours),
                    first_counter),
            Session(kStart, Role::kResponder, std::move(their_index), ours_at, std::move(theirs))};
  }

  // Never looked into: only its address goes into the table.
  Peer& owner() { return *reinterpret_cast<Peer*>(&storage_); }

  static std::vector<std::uint8_t> Seal(Session& session, Bytes inner) {
    Sealer sealer(ReferenceCipher());
    return session.Seal(sealer, inner);
  }

  static auto Open(Session& session, TimePoint now, Bytes message) {
    Sealer sealer(ReferenceCipher());
    return session.Open(now, sealer, *TransportView::Parse(message));
  }

  test::FakeRandom random_;
  IndexTable indices_;
  alignas(Peer) char storage_ = 0;
};

TEST_F(SessionTest, CarriesPacketsBothWays) {
  auto [ours, theirs] = MakePair();

  const auto there = Open(theirs, kStart, Seal(ours, kInner));
  ASSERT_TRUE(there.has_value());
  EXPECT_TRUE(std::equal(kInner.begin(), kInner.end(), there->begin()));
  EXPECT_EQ(there->size(), 32U);
  EXPECT_TRUE(Open(ours, kStart, Seal(theirs, {})).has_value());
}

TEST_F(SessionTest, RefusesAReplayEvenOfAnEarlierPacket) {
  auto [ours, theirs] = MakePair();
  const auto first = Seal(ours, kInner);
  const auto second = Seal(ours, kInner);
  ASSERT_TRUE(Open(theirs, kStart, second).has_value());

  EXPECT_TRUE(Open(theirs, kStart, first).has_value());
  EXPECT_EQ(Open(theirs, kStart, first).error(), OpenError::kReplay);
  EXPECT_EQ(Open(theirs, kStart, second).error(), OpenError::kReplay);
}

TEST_F(SessionTest, AForgedPacketDoesNotUseUpItsCounter) {
  auto [ours, theirs] = MakePair();
  const auto genuine = Seal(ours, kInner);
  auto forged = genuine;
  forged.back() ^= 1U;

  EXPECT_EQ(Open(theirs, kStart, forged).error(), OpenError::kForged);
  EXPECT_TRUE(Open(theirs, kStart, genuine).has_value());
}

TEST_F(SessionTest, NeitherSendsNorReceivesAfterRejectAfterTime) {
  auto [ours, theirs] = MakePair();
  const auto message = Seal(ours, kInner);

  EXPECT_TRUE(ours.CanSend(kStart + seconds(180) - Duration(1)));
  EXPECT_FALSE(ours.CanSend(kStart + seconds(180)));
  EXPECT_EQ(Open(theirs, kStart + seconds(180), message).error(), OpenError::kExpired);
  EXPECT_TRUE(Open(theirs, kStart + seconds(180) - Duration(1), message).has_value());
}

TEST_F(SessionTest, StopsAtRejectAfterMessages) {
  auto [ours, theirs] = MakePair(kRejectAfterMessages - 1);
  EXPECT_TRUE(ours.CanSend(kStart));
  auto last = Seal(ours, kInner);

  EXPECT_FALSE(ours.CanSend(kStart));
  EXPECT_TRUE(Open(theirs, kStart, last).has_value());
  StoreLe<std::uint64_t>(last, transport::kCounter, kRejectAfterMessages);
  EXPECT_EQ(Open(theirs, kStart, last).error(), OpenError::kExpired);
}

TEST_F(SessionTest, WantsARekeyAfterRekeyAfterMessagesOnEitherEnd) {
  auto [ours, theirs] = MakePair(kRekeyAfterMessages - 1);

  EXPECT_FALSE(ours.WantsRekeyAfterSend(kStart));
  static_cast<void>(Seal(ours, kInner));
  EXPECT_TRUE(ours.WantsRekeyAfterSend(kStart));
  EXPECT_FALSE(theirs.WantsRekeyAfterSend(kStart));
}

TEST_F(SessionTest, OnlyTheInitiatorWantsARekeyByTime) {
  const auto [ours, theirs] = MakePair();

  EXPECT_FALSE(ours.WantsRekeyAfterSend(kStart + seconds(120) - Duration(1)));
  EXPECT_TRUE(ours.WantsRekeyAfterSend(kStart + seconds(120)));
  EXPECT_FALSE(theirs.WantsRekeyAfterSend(kStart + seconds(179)));
  EXPECT_FALSE(ours.WantsRekeyAfterReceive(kStart + seconds(165) - Duration(1)));
  EXPECT_TRUE(ours.WantsRekeyAfterReceive(kStart + seconds(165)));
  EXPECT_FALSE(theirs.WantsRekeyAfterReceive(kStart + seconds(179)));
}

TEST_F(SessionTest, GivesItsIndexBack) {
  {
    const auto sessions = MakePair();
    EXPECT_EQ(indices_.size(), 2U);
    EXPECT_EQ(indices_.Find(sessions.ours.local_index()), &owner());
  }
  EXPECT_EQ(indices_.size(), 0U);
}

}  // namespace
}  // namespace floe::tunnel
