#include "ice/turn/permissions.h"

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace floe::ice::turn {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Addresses = std::vector<IpAddress>;

constexpr TimePoint kStart{};
const IpAddress kA = IpAddress::V4(192, 0, 2, 1);
const IpAddress kB = IpAddress::V4(192, 0, 2, 2);
const IpAddress kC = IpAddress::V4(192, 0, 2, 3);

TEST(PermissionsTest, AsksForAllThatIsWantedInOneRequest) {
  Permissions permissions;
  permissions.Want(kStart, kA);
  permissions.Want(kStart, kB);

  EXPECT_THAT(permissions.TakeDue(kStart), ElementsAre(kA, kB));
  EXPECT_THAT(permissions.TakeDue(kStart), IsEmpty()) << "both are being asked for";
  EXPECT_EQ(permissions.NextTimeout(), std::nullopt);
}

TEST(PermissionsTest, BoundsARequest) {
  Permissions permissions;
  for (std::uint8_t i = 0; i < 40; ++i) {
    permissions.Want(kStart, IpAddress::V4(10, 0, 0, i));
  }
  EXPECT_THAT(permissions.TakeDue(kStart), SizeIs(Permissions::kMaxPerRequest));
  EXPECT_THAT(permissions.TakeDue(kStart), SizeIs(40 - Permissions::kMaxPerRequest));
}

TEST(PermissionsTest, BoundsThePeers) {
  Permissions permissions;
  for (std::size_t i = 0; i < Permissions::kMaxPeers; ++i) {
    const auto high = static_cast<std::uint8_t>(i / 256);
    EXPECT_TRUE(permissions.Want(kStart, IpAddress::V4(10, 0, high, static_cast<std::uint8_t>(i))));
  }
  EXPECT_FALSE(permissions.Want(kStart, kA));
}

TEST(PermissionsTest, RefreshesBeforeFourMinutesAreOver) {
  Permissions permissions;
  permissions.Want(kStart, kA);
  static_cast<void>(permissions.TakeDue(kStart));
  static_cast<void>(permissions.HandleInstalled(kStart, Addresses{kA}));

  EXPECT_TRUE(permissions.IsInstalled(kStart + seconds(299), kA));
  EXPECT_FALSE(permissions.IsInstalled(kStart + seconds(300), kA));
  EXPECT_EQ(permissions.NextTimeout(), kStart + seconds(240));
  EXPECT_THAT(permissions.TakeDue(kStart + seconds(240)), ElementsAre(kA));
}

TEST(PermissionsTest, GathersRefreshesThatAreClose) {
  Permissions permissions;
  permissions.Want(kStart, kA);
  static_cast<void>(permissions.TakeDue(kStart));
  static_cast<void>(permissions.HandleInstalled(kStart, Addresses{kA}));
  permissions.Want(kStart + seconds(20), kB);
  static_cast<void>(permissions.TakeDue(kStart + seconds(20)));
  static_cast<void>(permissions.HandleInstalled(kStart + seconds(20), Addresses{kB}));

  EXPECT_THAT(permissions.TakeDue(kStart + seconds(240)), ElementsAre(kA, kB));
}

TEST(PermissionsTest, ForgetsWhatIsNoLongerWanted) {
  Permissions permissions;
  permissions.Want(kStart, kA);
  static_cast<void>(permissions.TakeDue(kStart));
  permissions.Forget(kA);
  static_cast<void>(permissions.HandleInstalled(kStart, Addresses{kA}));

  EXPECT_FALSE(permissions.IsWanted(kA));
  EXPECT_EQ(permissions.NextTimeout(), std::nullopt);
}

TEST(PermissionsTest, HoldsDataAndDropsTheOldest) {
  Permissions permissions;
  permissions.Want(kStart, kA);
  for (std::uint8_t i = 0; i < Permissions::kMaxHeld + 2; ++i) {
    permissions.Hold({.ip = kA, .port = 1}, std::vector<std::uint8_t>{i});
  }

  const auto held = permissions.HandleInstalled(kStart, Addresses{kA});
  ASSERT_THAT(held, SizeIs(Permissions::kMaxHeld));
  EXPECT_THAT(held.front().payload, ElementsAre(2));
  EXPECT_THAT(held.back().payload, ElementsAre(Permissions::kMaxHeld + 1));
  EXPECT_THAT(permissions.HandleInstalled(kStart, Addresses{kA}), IsEmpty());
}

TEST(PermissionsTest, FindsWhoWasRefusedByAskingForEachAlone) {
  Permissions permissions;
  permissions.Want(kStart, kA);
  permissions.Want(kStart, kB);
  permissions.Want(kStart, kC);
  permissions.HandleRefused(kStart, permissions.TakeDue(kStart));

  EXPECT_THAT(permissions.TakeDue(kStart), ElementsAre(kA));
  EXPECT_THAT(permissions.TakeDue(kStart), ElementsAre(kB));
  EXPECT_THAT(permissions.TakeDue(kStart), ElementsAre(kC));
  permissions.HandleRefused(kStart, Addresses{kB});
  static_cast<void>(permissions.HandleInstalled(kStart, Addresses{kA}));

  EXPECT_TRUE(permissions.IsRefused(kB));
  EXPECT_FALSE(permissions.IsRefused(kC));
  EXPECT_TRUE(permissions.IsInstalled(kStart, kA));
  EXPECT_THAT(permissions.TakeDue(kStart), IsEmpty());
}

TEST(PermissionsTest, TriesARefusedPeerAgainWhenAsked) {
  Permissions permissions;
  permissions.Want(kStart, kA);
  permissions.HandleRefused(kStart, permissions.TakeDue(kStart));
  ASSERT_TRUE(permissions.IsRefused(kA));

  permissions.Want(kStart, kA);
  EXPECT_FALSE(permissions.IsRefused(kA));
  EXPECT_THAT(permissions.TakeDue(kStart), ElementsAre(kA));
}

TEST(PermissionsTest, AsksAgainAfterAPause) {
  Permissions permissions;
  permissions.Want(kStart, kA);
  permissions.HandleFailed(kStart, permissions.TakeDue(kStart), seconds(5));

  EXPECT_THAT(permissions.TakeDue(kStart + seconds(4)), IsEmpty());
  EXPECT_THAT(permissions.TakeDue(kStart + seconds(5)), ElementsAre(kA));
}

}  // namespace
}  // namespace floe::ice::turn
