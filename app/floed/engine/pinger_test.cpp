#include "app/floed/engine/pinger.h"

#include <algorithm>
#include <chrono>
#include <gtest/gtest.h>

#include "tests/support/fake_random.h"

namespace floe::engine {
namespace {

using std::chrono::milliseconds;

constexpr TimePoint kNow = TimePoint{} + std::chrono::seconds(100);
const IpAddress kOwn4 = IpAddress::V4(10, 71, 0, 1);
const IpAddress kPeer4 = IpAddress::V4(10, 71, 0, 2);
const IpAddress kOwn6 = *ParseIpAddress("fd66::1");
const IpAddress kPeer6 = *ParseIpAddress("fd66::2");

/// RFC 1071 over whole 16-bit words: 0xFFFF if the checksum in them is right.
std::uint32_t Sum(Bytes bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    sum += LoadBe<std::uint16_t>(bytes, i);
  }
  while (sum > 0xFFFF) {
    sum = (sum & 0xFFFFU) + (sum >> 16U);
  }
  return sum;
}

/// What a kernel makes of a request; that it checks no checksum of ours is tested elsewhere.
std::vector<std::uint8_t> AnswerTo(std::vector<std::uint8_t> packet) {
  const bool v4 = packet[0] == 0x45;
  packet[v4 ? 20 : 40] = v4 ? 0 : 129;
  return packet;
}

TEST(PingerTest, MakesAnIpv4EchoWithRightChecksums) {
  test::FakeRandom random;
  Pinger pinger(random);

  const auto request = pinger.MakeRequest(kNow, 0, kOwn4, kPeer4);

  ASSERT_EQ(request.packet.size(), 76U);
  const Bytes packet(request.packet);
  EXPECT_EQ(Sum(packet.first(20)), 0xFFFFU);
  EXPECT_EQ(Sum(packet.subspan(20)), 0xFFFFU);
  EXPECT_EQ(packet[20], 8);
  EXPECT_TRUE(std::ranges::equal(packet.subspan(16, 4), kPeer4.octets()));
}

TEST(PingerTest, MakesAnIpv6EchoWithTheChecksumOfItsPseudoHeader) {
  test::FakeRandom random;
  Pinger pinger(random);

  const auto request = pinger.MakeRequest(kNow, 0, kOwn6, kPeer6);

  ASSERT_EQ(request.packet.size(), 96U);
  const Bytes packet(request.packet);
  EXPECT_EQ(packet[40], 128);
  // RFC 8200 section 8.1: both addresses, the length and the next header.
  EXPECT_EQ(Sum(packet.subspan(40), Sum(packet.subspan(8, 32)) + 56 + 58), 0xFFFFU);
}

TEST(PingerTest, TellsTheRoundTripOfAnAnswerOnce) {
  test::FakeRandom random;
  Pinger pinger(random);
  for (const auto& [own, peer] : {std::pair(kOwn4, kPeer4), std::pair(kOwn6, kPeer6)}) {
    const auto request = pinger.MakeRequest(kNow, 3, own, peer);
    const auto answer = AnswerTo(request.packet);

    EXPECT_TRUE(pinger.HandlePacket(kNow + milliseconds(12), 3, answer));
    const auto pong = pinger.PollPong();
    ASSERT_TRUE(pong);
    EXPECT_EQ(pong->peer, 3U);
    EXPECT_EQ(pong->seq, request.seq);
    EXPECT_EQ(pong->rtt, milliseconds(12));

    EXPECT_FALSE(pinger.HandlePacket(kNow + milliseconds(13), 3, answer));
    EXPECT_FALSE(pinger.PollPong());
  }
}

TEST(PingerTest, LeavesEverythingElseToTheKernel) {
  test::FakeRandom random;
  Pinger pinger(random);
  const auto request = pinger.MakeRequest(kNow, 0, kOwn4, kPeer4);
  const auto answer = AnswerTo(request.packet);

  EXPECT_FALSE(pinger.HandlePacket(kNow, 0, request.packet)) << "a request of somebody else";
  EXPECT_FALSE(pinger.HandlePacket(kNow, 1, answer)) << "another peer";
  auto other = answer;
  other[24] ^= 1U;
  EXPECT_FALSE(pinger.HandlePacket(kNow, 0, other)) << "the id of a user's ping";
  other = answer;
  other[9] = 17;
  EXPECT_FALSE(pinger.HandlePacket(kNow, 0, other)) << "UDP";
  for (std::size_t size = 0; size < 28; ++size) {
    EXPECT_FALSE(pinger.HandlePacket(kNow, 0, Bytes(answer).first(size))) << size;
  }
}

TEST(PingerTest, RemembersABoundedNumberOfRequests) {
  test::FakeRandom random;
  Pinger pinger(random);
  const auto first = pinger.MakeRequest(kNow, 0, kOwn4, kPeer4);
  Pinger::Request last;
  for (int i = 1; i <= 1024; ++i) {
    last = pinger.MakeRequest(kNow + milliseconds(i), 0, kOwn4, kPeer4);
  }

  EXPECT_FALSE(pinger.HandlePacket(kNow, 0, AnswerTo(first.packet)));
  EXPECT_TRUE(pinger.HandlePacket(kNow + milliseconds(2000), 0, AnswerTo(last.packet)));
}

}  // namespace
}  // namespace floe::engine
