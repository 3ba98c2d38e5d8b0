#include "ice/portmap/message.h"

#include <gtest/gtest.h>

#include "tests/support/hex.h"

namespace floe::ice::portmap {
namespace {

const IpAddress kUs = *ParseIpAddress("192.0.2.2");
constexpr Nonce kNonce{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

// The layouts of RFC 6887 figures 2, 3, 9 and 10, and of RFC 6886 sections 3.2 and 3.3.
constexpr const char* kMapRequest =
    "02010000"
    "00001c20"
    "00000000000000000000ffffc0000202"
    "0102030405060708090a0b0c"
    "11000000"
    "a35c"
    "1000"
    "00000000000000000000ffff00000000";
constexpr const char* kMapResponse =
    "02810000"
    "00000e10"
    "00000064"
    "000000000000000000000000"
    "0102030405060708090a0b0c"
    "11000000"
    "a35c"
    "1001"
    "00000000000000000000ffffcb007105";

TEST(PortmapMessageTest, WritesAPcpMapRequest) {
  const auto bytes = MakePcpMap({.internal = {kUs, 41820},
                                 .suggested = {IpAddress::V4(0, 0, 0, 0), 4096},
                                 .nonce = kNonce,
                                 .lifetime = 7200});

  EXPECT_EQ(test::ToHex(bytes), kMapRequest);
}

TEST(PortmapMessageTest, WritesIpv6AsItIs) {
  const IpAddress ip = *ParseIpAddress("2001:db8::2");

  const auto bytes = MakePcpMap({.internal = {ip, 1}, .suggested = {ip, 1}, .nonce = kNonce});

  EXPECT_EQ(test::ToHex(Bytes(bytes).subspan(8, 16)), "20010db8000000000000000000000002");
  EXPECT_EQ(test::ToHex(Bytes(bytes).subspan(44, 16)), "20010db8000000000000000000000002");
}

TEST(PortmapMessageTest, WritesTheOtherRequests) {
  EXPECT_EQ(test::ToHex(MakePcpAnnounce(kUs)),
            "0200000000000000"
            "00000000000000000000ffffc0000202");
  EXPECT_EQ(test::ToHex(MakeNatPmpAddressRequest()), "0000");
  EXPECT_EQ(test::ToHex(MakeNatPmpMap(41820, 4096, 7200)),
            "00010000"
            "a35c1000"
            "00001c20");
}

TEST(PortmapMessageTest, ReadsAPcpMapResponse) {
  const auto response = ParseResponse(test::FromHex(kMapResponse));

  ASSERT_TRUE(response);
  EXPECT_EQ(response->kind, ResponseKind::kPcpMap);
  EXPECT_EQ(response->result, 0);
  EXPECT_EQ(response->epoch, 100U);
  EXPECT_EQ(response->lifetime, 3600U);
  EXPECT_EQ(response->nonce, kNonce);
  EXPECT_EQ(response->internal_port, 41820);
  EXPECT_EQ(ToString(response->external), "203.0.113.5:4097");
}

TEST(PortmapMessageTest, ReadsNatPmpResponses) {
  const auto address = ParseResponse(test::FromHex("0080000000000064cb007105"));
  ASSERT_TRUE(address);
  EXPECT_EQ(address->kind, ResponseKind::kNatPmpAddress);
  EXPECT_EQ(ToString(address->external.ip), "203.0.113.5");
  EXPECT_EQ(address->epoch, 100U);

  const auto map = ParseResponse(test::FromHex("0081000000000064a35c100100000e10"));
  ASSERT_TRUE(map);
  EXPECT_EQ(map->kind, ResponseKind::kNatPmpMap);
  EXPECT_EQ(map->internal_port, 41820);
  EXPECT_EQ(map->external.port, 4097);
  EXPECT_EQ(map->lifetime, 3600U);
}

TEST(PortmapMessageTest, ReadsErrors) {
  EXPECT_EQ(ParseResponse(test::FromHex("0000000100000064"))->kind, ResponseKind::kVersionError);
  EXPECT_EQ(ParseResponse(test::FromHex("0081000200000064"))->result, 2);
  std::string refused = kMapResponse;
  refused.replace(6, 2, "08");
  EXPECT_EQ(ParseResponse(test::FromHex(refused))->result, 8);
}

TEST(PortmapMessageTest, RefusesEveryTruncation) {
  for (const char* text :
       {kMapResponse, "0080000000000064cb007105", "0081000000000064a35c100100000e10"}) {
    const auto whole = test::FromHex(text);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_FALSE(ParseResponse(Bytes(whole).first(size))) << text << ' ' << size;
    }
  }
}

TEST(PortmapMessageTest, RefusesWhatIsNoResponse) {
  EXPECT_FALSE(ParseResponse(test::FromHex(kMapRequest)));
  EXPECT_FALSE(ParseResponse(MakePcpAnnounce(kUs)));
  EXPECT_FALSE(ParseResponse(MakeNatPmpMap(41820, 4096, 7200)));
  std::string tcp = kMapResponse;
  tcp.replace(72, 2, "06");
  EXPECT_FALSE(ParseResponse(test::FromHex(tcp)));
  EXPECT_FALSE(ParseResponse(std::vector<std::uint8_t>(1104, 0x82)));
}

}  // namespace
}  // namespace floe::ice::portmap
