#include "ice/stun/attributes.h"

#include <array>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vector>

#include "ice/stun/builder.h"
#include "ice/stun/rfc_vectors.h"

namespace floe::ice::stun {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr TransactionId kId = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

Builder Request() {
  return {Class::kRequest, Method::kBinding, kId};
}

MessageView Parsed(Bytes bytes) {
  const auto message = MessageView::Parse(bytes);
  EXPECT_TRUE(message.has_value());
  return *message;
}

TEST(AttributesTest, ReadsTheMappedAddressesOfRfc5769) {
  EXPECT_EQ(FindMappedAddress(Parsed(vectors::kSampleIpv4Response)),
            ParseSocketAddress("192.0.2.1:32853"));
  EXPECT_EQ(FindMappedAddress(Parsed(vectors::kSampleIpv6Response)),
            ParseSocketAddress("[2001:db8:1234:5678:11:2233:4455:6677]:32853"));
}

TEST(AttributesTest, ReadsWhatItWritesInBothFamilies) {
  for (const char* text : {"198.51.100.7:1", "[2001:db8::7]:65535", "0.0.0.0:0"}) {
    const SocketAddress address = *ParseSocketAddress(text);
    EXPECT_EQ(ReadAddress(EncodeAddress(address).view()), address);
    EXPECT_EQ(ReadXorAddress(EncodeXorAddress(address, kId).view(), kId), address);
  }
}

TEST(AttributesTest, RefusesAddressesOfTheWrongSizeOrFamily) {
  const EncodedAddress v4 = EncodeAddress(*ParseSocketAddress("198.51.100.7:1"));
  const EncodedAddress v6 = EncodeAddress(*ParseSocketAddress("[2001:db8::7]:1"));
  for (std::size_t size = 0; size < v6.size; ++size) {
    EXPECT_FALSE(ReadAddress(v6.view().first(size)).has_value()) << size;
    EXPECT_FALSE(ReadXorAddress(v6.view().first(size), kId).has_value()) << size;
  }
  for (std::size_t size = 0; size < v4.size; ++size) {
    EXPECT_FALSE(ReadAddress(v4.view().first(size)).has_value()) << size;
  }
  EncodedAddress odd = v4;
  odd.bytes[1] = 3;
  EXPECT_FALSE(ReadAddress(odd.view()).has_value());
  const std::vector<std::uint8_t> longer(21, 0);
  EXPECT_FALSE(ReadXorAddress(longer, kId).has_value());
}

TEST(AttributesTest, FallsBackToThePlainMappedAddress) {
  const SocketAddress mapped = *ParseSocketAddress("203.0.113.1:5");
  const auto bytes = Request().AddPlainAddress(AttributeType::kMappedAddress, mapped).Take();
  EXPECT_EQ(FindMappedAddress(Parsed(bytes)), mapped);
}

TEST(AttributesTest, PrefersTheXorMappedAddress) {
  // A NAT that rewrites addresses in payloads spoils the plain one.
  const SocketAddress mapped = *ParseSocketAddress("203.0.113.1:5");
  const auto bytes =
      Request()
          .AddPlainAddress(AttributeType::kMappedAddress, *ParseSocketAddress("10.0.0.1:5"))
          .AddAddress(AttributeType::kXorMappedAddress, mapped)
          .Take();
  EXPECT_EQ(FindMappedAddress(Parsed(bytes)), mapped);
}

TEST(AttributesTest, ReadsErrorCodes) {
  const auto bytes = Request().AddErrorCode(ErrorCode::kStaleNonce, "Stale Nonce").Take();
  const auto error = FindError(Parsed(bytes));
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, ErrorCode::kStaleNonce);
  EXPECT_EQ(error->reason, "Stale Nonce");
}

TEST(AttributesTest, RefusesErrorCodesOutOfRange) {
  using Value = std::array<std::uint8_t, 4>;
  EXPECT_FALSE(ReadError(Value{0, 0, 2, 99}).has_value());
  EXPECT_FALSE(ReadError(Value{0, 0, 7, 0}).has_value());
  EXPECT_FALSE(ReadError(Value{0, 0, 4, 100}).has_value());
  EXPECT_FALSE(ReadError(Bytes(Value{0, 0, 4, 1}).first(3)).has_value());
  EXPECT_TRUE(ReadError(Value{0, 0, 6, 99}).has_value());
}

TEST(AttributesTest, RefusesNumbersOfTheWrongSize) {
  const auto bytes = Request()
                         .AddU32(AttributeType::kPriority, 0x01020304)
                         .AddU64(AttributeType::kIceControlled, 0x0102030405060708)
                         .AddU8(AttributeType::kRequestedTransport, 17)
                         .AddText(AttributeType::kRealm, "realm")
                         .Take();
  const MessageView message = Parsed(bytes);

  EXPECT_EQ(FindU32(message, AttributeType::kPriority), 0x01020304U);
  EXPECT_EQ(FindU64(message, AttributeType::kIceControlled), 0x0102030405060708U);
  EXPECT_EQ(FindU8(message, AttributeType::kRequestedTransport), 17);
  EXPECT_EQ(FindText(message, AttributeType::kRealm), "realm");
  EXPECT_FALSE(FindU32(message, AttributeType::kIceControlled).has_value());
  EXPECT_FALSE(FindU64(message, AttributeType::kPriority).has_value());
  EXPECT_FALSE(FindU8(message, AttributeType::kRealm).has_value());
  EXPECT_FALSE(FindU32(message, AttributeType::kLifetime).has_value());
}

TEST(AttributesTest, NamesUnknownRequiredAttributesOnceEach) {
  const auto bytes = Request()
                         .AddU32(AttributeType::kPriority, 1)
                         .AddFlag(AttributeType{0x7ABC})
                         .AddFlag(AttributeType{0x7ABC})
                         .AddFlag(AttributeType{0xBABC})
                         .Take();
  const std::array known = {AttributeType::kPriority};
  EXPECT_THAT(UnknownRequired(Parsed(bytes), known), ElementsAre(AttributeType{0x7ABC}));
}

TEST(AttributesTest, BoundsTheUnknownAttributesItNames) {
  Builder builder = Request();
  std::vector<AttributeType> types;
  for (std::uint16_t i = 0; i < 100; ++i) {
    types.push_back(AttributeType{static_cast<std::uint16_t>(0x7000 + i)});
    builder.AddFlag(types.back());
  }
  builder.AddUnknownAttributes(types);
  const auto bytes = builder.Take();

  EXPECT_THAT(UnknownRequired(Parsed(bytes), {}), SizeIs(kMaxUnknownAttributes));
  EXPECT_THAT(FindUnknownAttributes(Parsed(bytes)), SizeIs(kMaxUnknownAttributes));
}

TEST(AttributesTest, ReadsUnknownAttributes) {
  const std::array types = {AttributeType::kEvenPort, AttributeType::kDontFragment};
  const auto bytes = Request().AddUnknownAttributes(types).Take();
  EXPECT_THAT(FindUnknownAttributes(Parsed(bytes)), ElementsAre(types[0], types[1]));
  EXPECT_THAT(FindUnknownAttributes(Parsed(Request().Take())), IsEmpty());
}

}  // namespace
}  // namespace floe::ice::stun
