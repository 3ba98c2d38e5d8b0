#include "ice/turn/stream_framer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "ice/stun/builder.h"
#include "ice/turn/channel_data.h"

namespace floe::ice::turn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Message = std::vector<std::uint8_t>;

Message Stun() {
  return stun::Builder(stun::Class::kIndication, stun::Method::kData, stun::TransactionId{1, 2, 3})
      .AddText(stun::AttributeType::kSoftware, "some text")
      .Take();
}

Message Channel(std::string_view text) {
  Message message = MakeChannelData(0x4001, AsBytes(text));
  PadForStream(message);
  return message;
}

std::vector<Message> Take(StreamFramer& framer) {
  std::vector<Message> messages;
  while (const auto message = framer.Poll()) {
    messages.emplace_back(message->begin(), message->end());
  }
  return messages;
}

TEST(StreamFramerTest, FindsSeveralMessagesInOneRead) {
  Message bytes = Stun();
  for (const std::string_view text : {"", "a", "ab", "abc", "abcd"}) {
    const Message channel = Channel(text);
    bytes.insert(bytes.end(), channel.begin(), channel.end());
  }
  StreamFramer framer;
  framer.HandleBytes(bytes);

  EXPECT_THAT(Take(framer), ElementsAre(Stun(), Channel(""), Channel("a"), Channel("ab"),
                                        Channel("abc"), Channel("abcd")));
  EXPECT_FALSE(framer.is_broken());
}

TEST(StreamFramerTest, FindsMessagesThatComeByteByByte) {
  StreamFramer framer;
  std::vector<Message> messages;
  for (const Message& whole : {Stun(), Channel("hello"), Stun()}) {
    for (const std::uint8_t byte : whole) {
      framer.HandleBytes({&byte, 1});
      for (Message& message : Take(framer)) {
        messages.push_back(std::move(message));
      }
    }
  }

  EXPECT_THAT(messages, ElementsAre(Stun(), Channel("hello"), Stun()));
}

TEST(StreamFramerTest, TakesTheLargestMessages) {
  const Message channel = Channel(std::string(65'535, 'x'));
  EXPECT_EQ(channel.size(), 65'540U);
  StreamFramer framer;
  framer.HandleBytes(channel);

  EXPECT_THAT(Take(framer), ElementsAre(channel));
}

TEST(StreamFramerTest, IsBrokenByWhatIsNoMessage) {
  Message no_cookie = Stun();
  no_cookie[4] ^= 1U;
  Message odd_length = Stun();
  odd_length[3] ^= 1U;
  for (const Message& bad :
       {Message{0x50, 0, 0, 0}, Message{0x80}, Message{0xFF, 0xFF}, no_cookie, odd_length}) {
    StreamFramer framer;
    framer.HandleBytes(bad);
    EXPECT_THAT(Take(framer), IsEmpty());
    EXPECT_TRUE(framer.is_broken());

    framer.HandleBytes(Stun());
    EXPECT_THAT(Take(framer), IsEmpty()) << "it stays broken";
  }
}

}  // namespace
}  // namespace floe::ice::turn
