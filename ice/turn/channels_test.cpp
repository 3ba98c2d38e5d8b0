#include "ice/turn/channels.h"

#include <chrono>
#include <gtest/gtest.h>

namespace floe::ice::turn {
namespace {

using std::chrono::seconds;

constexpr TimePoint kStart{};

SocketAddress Peer(std::uint32_t n) {
  return {
      .ip = IpAddress::V4(10, 0, static_cast<std::uint8_t>(n >> 8U), static_cast<std::uint8_t>(n)),
      .port = 1};
}

/// Binds at `now` and returns the number.
std::uint16_t Bind(Channels& channels, TimePoint now, const SocketAddress& peer) {
  EXPECT_TRUE(channels.Want(now, peer));
  const auto bind = channels.TakeDue(now);
  EXPECT_TRUE(bind.has_value());
  EXPECT_EQ(bind->peer, peer);
  channels.HandleBound(now, *bind);
  return bind->channel;
}

TEST(ChannelsTest, SendsOnlyOnceTheServerHasAgreed) {
  Channels channels;
  ASSERT_TRUE(channels.Want(kStart, Peer(1)));
  EXPECT_FALSE(channels.NumberOf(kStart, Peer(1)).has_value());

  const auto bind = channels.TakeDue(kStart);
  ASSERT_TRUE(bind.has_value());
  EXPECT_FALSE(channels.NumberOf(kStart, Peer(1)).has_value());
  channels.HandleBound(kStart, *bind);

  EXPECT_EQ(channels.NumberOf(kStart, Peer(1)), bind->channel);
}

TEST(ChannelsTest, TakesDataThatOvertakesTheAnswer) {
  Channels channels;
  ASSERT_TRUE(channels.Want(kStart, Peer(1)));
  EXPECT_FALSE(channels.PeerOf(kStart, 0x4000).has_value()) << "nothing has been asked for";

  const auto bind = channels.TakeDue(kStart);
  EXPECT_EQ(channels.PeerOf(kStart, bind->channel), Peer(1));
}

TEST(ChannelsTest, RefreshesInTimeForThePermissionToo) {
  Channels channels;
  Bind(channels, kStart, Peer(1));
  EXPECT_EQ(channels.NextTimeout(), kStart + seconds(240));
  EXPECT_FALSE(channels.TakeDue(kStart + seconds(239)).has_value());
  EXPECT_TRUE(channels.TakeDue(kStart + seconds(240)).has_value());
}

TEST(ChannelsTest, GoesBackToIndicationsWhenTheBindingHasExpired) {
  Channels channels;
  const auto number = Bind(channels, kStart, Peer(1));
  EXPECT_EQ(channels.NumberOf(kStart + seconds(599), Peer(1)), number);
  EXPECT_FALSE(channels.NumberOf(kStart + seconds(600), Peer(1)).has_value());
}

TEST(ChannelsTest, KeepsThePeersNumber) {
  Channels channels;
  const auto number = Bind(channels, kStart, Peer(1));
  channels.Forget(Peer(1));
  EXPECT_FALSE(channels.NumberOf(kStart, Peer(1)).has_value());
  EXPECT_EQ(channels.PeerOf(kStart, number), Peer(1)) << "the server still has it";

  EXPECT_EQ(Bind(channels, kStart + seconds(700), Peer(1)), number);
}

TEST(ChannelsTest, LeavesANumberAloneForFiveMinutesAfterItsExpiry) {
  Channels channels;
  // Every number is used once and given back.
  for (std::uint32_t i = 0; i < 4096; ++i) {
    EXPECT_EQ(Bind(channels, kStart, Peer(i)), 0x4000 + i);
    channels.Forget(Peer(i));
  }

  EXPECT_FALSE(channels.Want(kStart + seconds(899), Peer(5000))) << "all are cooling down";
  EXPECT_EQ(Bind(channels, kStart + seconds(900), Peer(5000)), 0x4000);
}

TEST(ChannelsTest, CoolsDownANumberWhoseAnswerWasLost) {
  Channels channels;
  ASSERT_TRUE(channels.Want(kStart, Peer(1)));
  const auto bind = channels.TakeDue(kStart);
  channels.HandleFailed(kStart + seconds(40), *bind, seconds(5));
  channels.Forget(Peer(1));

  // The request may have arrived: the server may hold the number until 600.
  EXPECT_EQ(channels.PeerOf(kStart + seconds(599), bind->channel), Peer(1));
  EXPECT_NE(Bind(channels, kStart + seconds(41), Peer(2)), bind->channel);
}

TEST(ChannelsTest, AsksAgainAfterAPause) {
  Channels channels;
  ASSERT_TRUE(channels.Want(kStart, Peer(1)));
  channels.HandleFailed(kStart, *channels.TakeDue(kStart), seconds(5));
  EXPECT_EQ(channels.NextTimeout(), kStart + seconds(5));
}

TEST(ChannelsTest, DoesNotAskAgainAfterARefusal) {
  Channels channels;
  ASSERT_TRUE(channels.Want(kStart, Peer(1)));
  channels.HandleRefused(*channels.TakeDue(kStart));
  EXPECT_EQ(channels.NextTimeout(), std::nullopt);
  EXPECT_FALSE(channels.NumberOf(kStart, Peer(1)).has_value());
}

}  // namespace
}  // namespace floe::ice::turn
