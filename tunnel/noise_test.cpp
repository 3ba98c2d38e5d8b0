#include "tunnel/noise.h"

#include <array>
#include <gtest/gtest.h>
#include <vector>

#include "tests/support/fake_random.h"
#include "tests/support/hex.h"

namespace floe::tunnel {
namespace {

using test::ToHex;

constexpr Tai64n kTimestamp = {0x40, 0, 0, 0, 0, 0, 0, 10, 1, 2, 3, 4};

class NoiseTest : public ::testing::Test {
 protected:
  [[nodiscard]] static RemoteIdentity Remote(const LocalIdentity& local, const LocalIdentity& peer,
                                             std::uint8_t preshared = 0) {
    PresharedKey key;
    std::ranges::fill(key.mutable_bytes(), preshared);
    auto remote = RemoteIdentity::Make(local, peer.public_key(), std::move(key));
    EXPECT_TRUE(remote.has_value());
    return std::move(*remote);
  }

  [[nodiscard]] Initiator Initiate() {
    return {local_, remote_, 0x11223344, kTimestamp, random_, std::span(initiation_)};
  }

  /// The responder's side, with this preshared key.
  [[nodiscard]] TransportKeys Respond(std::uint8_t preshared = 0) {
    const auto view = InitiationView::Parse(initiation_);
    auto responder = Responder::ReadInitiation(peer_, *view);
    EXPECT_TRUE(responder.has_value());
    const RemoteIdentity initiator = Remote(peer_, local_, preshared);
    EXPECT_EQ(responder->ReadTimestamp(initiator, *view), kTimestamp);
    auto keys =
        responder->WriteResponse(initiator, *view, 0x55667788, random_, std::span(response_));
    EXPECT_TRUE(keys.has_value());
    return std::move(*keys);
  }

  test::FakeRandom random_;
  LocalIdentity local_{GeneratePrivateKey(random_)};
  LocalIdentity peer_{GeneratePrivateKey(random_)};
  RemoteIdentity remote_ = Remote(local_, peer_);
  std::array<std::uint8_t, initiation::kSize> initiation_{};
  std::array<std::uint8_t, response::kSize> response_{};
};

// The two constants that implementations of WireGuard begin with: Hash(Construction), and
// Hash(Hash(Construction) || Identifier).
TEST_F(NoiseTest, BeginsWithTheConstantsOfWireGuard) {
  const SymmetricState state(peer_.public_key());

  EXPECT_EQ(ToHex(state.chaining_key().bytes()),
            "60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36");
  Hash hash{};
  const std::array<std::uint8_t, 32> initial = {
      0x22, 0x11, 0xb3, 0x61, 0x08, 0x1a, 0xc5, 0x66, 0x69, 0x12, 0x43,
      0xdb, 0x45, 0x8a, 0xd5, 0x32, 0x2d, 0x9c, 0x6c, 0x66, 0x22, 0x93,
      0xe8, 0xb7, 0x0e, 0xe1, 0x9c, 0x65, 0xba, 0x07, 0x9e, 0xf3,
  };
  hash = Blake2s({initial, peer_.public_key().bytes});
  EXPECT_EQ(state.hash(), hash);
}

TEST_F(NoiseTest, BothEndsHaveTheSameKeysCrosswise) {
  const Initiator initiator = Initiate();
  const TransportKeys theirs = Respond();
  const auto ours = initiator.ReadResponse(local_, remote_, *ResponseView::Parse(response_));
  ASSERT_TRUE(ours.has_value());

  EXPECT_EQ(ours->send, theirs.receive);
  EXPECT_EQ(ours->receive, theirs.send);
  EXPECT_FALSE(ours->send == ours->receive);
}

TEST_F(NoiseTest, WritesIndicesAndMacs) {
  static_cast<void>(Initiate());
  static_cast<void>(Respond());

  EXPECT_EQ(InitiationView::Parse(initiation_)->sender(), 0x11223344U);
  EXPECT_EQ(ResponseView::Parse(response_)->sender(), 0x55667788U);
  EXPECT_EQ(ResponseView::Parse(response_)->receiver(), 0x11223344U);
  EXPECT_TRUE(HasValidMac1(peer_.mac1_key(), initiation_));
  EXPECT_FALSE(HasValidMac1(local_.mac1_key(), initiation_));
  EXPECT_TRUE(HasValidMac1(local_.mac1_key(), response_));
  EXPECT_EQ(ToHex(Bytes(initiation_).last(16)), "00000000000000000000000000000000");
}

TEST_F(NoiseTest, TellsTheResponderWhoInitiates) {
  static_cast<void>(Initiate());
  const auto responder = Responder::ReadInitiation(peer_, *InitiationView::Parse(initiation_));
  ASSERT_TRUE(responder.has_value());

  EXPECT_EQ(responder->initiator(), local_.public_key());
}

TEST_F(NoiseTest, RefusesAnInitiationWithAnyByteChanged) {
  static_cast<void>(Initiate());
  const RemoteIdentity initiator = Remote(peer_, local_);
  // From the ephemeral key on: type and sender are covered by mac1 alone.
  for (std::size_t i = initiation::kEphemeral; i < initiation::kMac1; ++i) {
    auto changed = initiation_;
    changed[i] ^= 0x01U;
    const auto view = InitiationView::Parse(changed);
    auto responder = Responder::ReadInitiation(peer_, *view);

    EXPECT_FALSE(responder && responder->ReadTimestamp(initiator, *view)) << i;
    EXPECT_FALSE(HasValidMac1(peer_.mac1_key(), changed)) << i;
  }
}

TEST_F(NoiseTest, AForgedResponseDoesNotSpoilTheTrueOne) {
  const Initiator initiator = Initiate();
  const TransportKeys theirs = Respond();
  auto forged = response_;
  forged[response::kEmpty] ^= 0x01U;

  EXPECT_FALSE(initiator.ReadResponse(local_, remote_, *ResponseView::Parse(forged)).has_value());
  const auto ours = initiator.ReadResponse(local_, remote_, *ResponseView::Parse(response_));
  ASSERT_TRUE(ours.has_value());
  EXPECT_EQ(ours->send, theirs.receive);
}

TEST_F(NoiseTest, AnotherPresharedKeyFails) {
  const Initiator initiator = Initiate();
  static_cast<void>(Respond(/*preshared=*/9));

  EXPECT_FALSE(
      initiator.ReadResponse(local_, remote_, *ResponseView::Parse(response_)).has_value());
}

TEST_F(NoiseTest, TheSamePresharedKeyGivesOtherKeysThanNone) {
  const Initiator without = Initiate();
  static_cast<void>(Respond());
  const auto keys_without = without.ReadResponse(local_, remote_, *ResponseView::Parse(response_));
  const RemoteIdentity with_key = Remote(local_, peer_, /*preshared=*/9);
  const TransportKeys theirs = Respond(/*preshared=*/9);
  const auto keys_with = without.ReadResponse(local_, with_key, *ResponseView::Parse(response_));
  ASSERT_TRUE(keys_without && keys_with);

  EXPECT_EQ(keys_with->send, theirs.receive);
  EXPECT_FALSE(keys_with->send == keys_without->send);
}

TEST_F(NoiseTest, RefusesAnEphemeralKeyOfSmallOrder) {
  static_cast<void>(Initiate());
  std::ranges::fill(MutableBytes(initiation_).subspan(initiation::kEphemeral, kKeySize),
                    std::uint8_t{0});
  EXPECT_FALSE(Responder::ReadInitiation(peer_, *InitiationView::Parse(initiation_)).has_value());

  const Initiator initiator = Initiate();
  static_cast<void>(Respond());
  std::ranges::fill(MutableBytes(response_).subspan(response::kEphemeral, kKeySize),
                    std::uint8_t{0});
  EXPECT_FALSE(
      initiator.ReadResponse(local_, remote_, *ResponseView::Parse(response_)).has_value());
}

TEST_F(NoiseTest, ARemoteIdentityIsNeitherOurOwnNorOfSmallOrder) {
  EXPECT_FALSE(RemoteIdentity::Make(local_, local_.public_key(), {}).has_value());
  EXPECT_FALSE(RemoteIdentity::Make(local_, PublicKey{}, {}).has_value());
}

}  // namespace
}  // namespace floe::tunnel
