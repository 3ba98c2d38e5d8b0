#include "tunnel/messages.h"

#include <gtest/gtest.h>
#include <vector>

namespace floe::tunnel {
namespace {

std::vector<std::uint8_t> Numbered(MessageType type, std::size_t size) {
  std::vector<std::uint8_t> message(size);
  for (std::size_t i = 0; i < size; ++i) {
    message[i] = static_cast<std::uint8_t>(i);
  }
  WriteMessageType(message, type);
  return message;
}

TEST(MessagesTest, ReadsTheFieldsOfAnInitiation) {
  const auto bytes = Numbered(MessageType::kInitiation, 148);
  const auto message = InitiationView::Parse(bytes);
  ASSERT_TRUE(message.has_value());

  EXPECT_EQ(message->sender(), 0x07060504U);
  EXPECT_EQ(message->ephemeral().bytes.front(), 8);
  EXPECT_EQ(message->ephemeral().bytes.back(), 39);
  EXPECT_EQ(message->encrypted_static().front(), 40);
  EXPECT_EQ(message->encrypted_static().size(), 48U);
  EXPECT_EQ(message->encrypted_timestamp().front(), 88);
  EXPECT_EQ(message->encrypted_timestamp().size(), 28U);
}

TEST(MessagesTest, ReadsTheFieldsOfAResponse) {
  const auto bytes = Numbered(MessageType::kResponse, 92);
  const auto message = ResponseView::Parse(bytes);
  ASSERT_TRUE(message.has_value());

  EXPECT_EQ(message->sender(), 0x07060504U);
  EXPECT_EQ(message->receiver(), 0x0b0a0908U);
  EXPECT_EQ(message->ephemeral().bytes.front(), 12);
  EXPECT_EQ(message->encrypted_empty().front(), 44);
  EXPECT_EQ(message->encrypted_empty().size(), 16U);
}

TEST(MessagesTest, ReadsTheFieldsOfATransportMessage) {
  const auto bytes = Numbered(MessageType::kTransport, 48);
  const auto message = TransportView::Parse(bytes);
  ASSERT_TRUE(message.has_value());

  EXPECT_EQ(message->receiver(), 0x07060504U);
  EXPECT_EQ(message->counter(), 0x0f0e0d0c0b0a0908U);
  EXPECT_EQ(message->encrypted_packet().front(), 16);
  EXPECT_EQ(message->encrypted_packet().size(), 32U);
}

TEST(MessagesTest, RefusesEveryOtherSizeOfAHandshakeMessage) {
  for (std::size_t size = 4; size < 200; ++size) {
    EXPECT_EQ(InitiationView::Parse(Numbered(MessageType::kInitiation, size)).has_value(),
              size == 148);
    EXPECT_EQ(ResponseView::Parse(Numbered(MessageType::kResponse, size)).has_value(), size == 92);
    EXPECT_EQ(TransportView::Parse(Numbered(MessageType::kTransport, size)).has_value(),
              size >= 32);
  }
}

TEST(MessagesTest, KnowsFourTypesAndNoReservedBits) {
  for (unsigned first = 0; first < 256; ++first) {
    const std::vector<std::uint8_t> bytes = {static_cast<std::uint8_t>(first), 0, 0, 0};
    EXPECT_EQ(ReadMessageType(bytes).has_value(), first >= 1 && first <= 4);
  }
  for (const std::size_t reserved : {1U, 2U, 3U}) {
    std::vector<std::uint8_t> bytes = {4, 0, 0, 0};
    bytes[reserved] = 1;
    EXPECT_FALSE(ReadMessageType(bytes).has_value());
  }
  EXPECT_FALSE(ReadMessageType(std::vector<std::uint8_t>{4, 0, 0}).has_value());
}

}  // namespace
}  // namespace floe::tunnel
