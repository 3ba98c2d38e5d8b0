#include "ice/turn/channel_data.h"

#include <gtest/gtest.h>
#include <vector>

namespace floe::ice::turn {
namespace {

TEST(ChannelDataTest, ReadsWhatItWrites) {
  const auto message = MakeChannelData(0x4001, AsBytes("hello"));
  EXPECT_EQ(message, (std::vector<std::uint8_t>{0x40, 0x01, 0, 5, 'h', 'e', 'l', 'l', 'o'}));

  const auto parsed = ParseChannelData(message);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->channel, 0x4001);
  EXPECT_EQ(AsText(parsed->payload), "hello");
}

TEST(ChannelDataTest, RefusesEveryTruncation) {
  const auto message = MakeChannelData(0x4FFF, AsBytes("hello"));
  for (std::size_t size = 0; size < message.size(); ++size) {
    EXPECT_FALSE(ParseChannelData(Bytes(message).first(size)).has_value()) << size;
  }
}

TEST(ChannelDataTest, LeavesPaddingOut) {
  auto message = MakeChannelData(0x4000, AsBytes("hello"));
  message.resize(message.size() + 3);
  EXPECT_EQ(AsText(ParseChannelData(message)->payload), "hello");
}

TEST(ChannelDataTest, AllowsNoDataAtAll) {
  EXPECT_TRUE(ParseChannelData(MakeChannelData(0x4000, {}))->payload.empty());
}

TEST(ChannelDataTest, RefusesReservedNumbers) {
  EXPECT_FALSE(ParseChannelData(MakeChannelData(0x3FFF, {})).has_value());
  EXPECT_FALSE(ParseChannelData(MakeChannelData(0x5000, {})).has_value());
}

TEST(ChannelDataTest, TellsItselfFromStunAndWireGuard) {
  EXPECT_TRUE(LooksLikeChannelData(MakeChannelData(0x4ABC, {})));
  EXPECT_FALSE(LooksLikeChannelData(std::vector<std::uint8_t>{0x00, 0x01}));
  EXPECT_FALSE(LooksLikeChannelData(std::vector<std::uint8_t>{0x04, 0, 0, 0}));
  EXPECT_FALSE(LooksLikeChannelData(std::vector<std::uint8_t>{0x50}));
  EXPECT_FALSE(LooksLikeChannelData(Bytes{}));
}

}  // namespace
}  // namespace floe::ice::turn
