// What a tunnel does with inner packets that are larger than the path to a peer has room for, and
// with the marks of congestion.

#include <algorithm>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <vector>

#include "tests/support/fake_random.h"
#include "tests/support/tunnel_pair.h"
#include "tunnel/constants.h"
#include "tunnel/packet/header_walk.h"
#include "tunnel/packet/headers.h"
#include "tunnel/packet/test_packets.h"
#include "tunnel/transport.h"
#include "tunnel/tunnel.h"

namespace floe::tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::MakePacket;
using test::Packet;
using test::PacketOptions;

constexpr PeerId kPeer = 3;

/// Two tunnels with a session, each of which has all addresses of both families among its allowed
/// IPs, so that any packet of MakePacket() passes.
class RoomTest : public testing::Test {
 protected:
  RoomTest() : key_a_(GeneratePrivateKey(random_)), key_b_(GeneratePrivateKey(random_)) {
    a_ = Make(key_a_, DerivePublicKey(key_b_));
    b_ = Make(key_b_, DerivePublicKey(key_a_));
    a_->StartHandshake(now_, kPeer);
    Carry();
  }

  std::unique_ptr<Tunnel> Make(const PrivateKey& own, const PublicKey& peer) {
    auto tunnel = std::make_unique<Tunnel>(now_, own.Clone(), seconds(1'700'000'000), random_);
    PeerConfig config{.public_key = peer};
    config.allowed_ips = {{IpAddress::V4(0, 0, 0, 0), 0}, {*ParseIpAddress("::"), 0}};
    EXPECT_TRUE(tunnel->AddPeer(now_, kPeer, std::move(config)));
    return tunnel;
  }

  /// Until both are silent. What goes from a is marked `mark_` on the way.
  void Carry() {
    bool busy = true;
    while (busy) {
      busy = false;
      while (const auto datagram = a_->PollDatagram()) {
        sizes_.push_back(datagram->bytes.size());
        tos_.push_back(datagram->tos);
        static_cast<void>(
            b_->HandleDatagram(now_, kToB, datagram->bytes, mark_.value_or(EcnOf(datagram->tos))));
        busy = true;
      }
      while (const auto datagram = b_->PollDatagram()) {
        static_cast<void>(a_->HandleDatagram(now_, kToA, datagram->bytes));
        busy = true;
      }
    }
  }

  void Send(const Packet& packet) {
    sizes_.clear();
    tos_.clear();
    a_->HandlePacket(now_, packet);
    Carry();
  }

  static std::vector<Packet> TakeFrom(Tunnel& tunnel) {
    std::vector<Packet> packets;
    while (auto packet = tunnel.PollPacket()) {
      EXPECT_EQ(packet->peer, kPeer);
      packets.push_back(std::move(packet->bytes));
    }
    return packets;
  }

  std::vector<Packet> Arrived() { return TakeFrom(*b_); }

  std::vector<Packet> Told() { return TakeFrom(*a_); }

  /// Of `size` bytes.
  static Packet Sized(std::size_t size, PacketOptions options = {.tcp = false}, bool df = true) {
    const std::size_t headers = MakePacket([&] {
                                  options.payload = 0;
                                  return options;
                                }())
                                    .size();
    options.payload = size - headers;
    Packet packet = MakePacket(options);
    if (options.v4 && !df) {
      StoreBe<std::uint16_t>(packet, kIpv4Fragment, 0);
      WriteIpv4Checksum(packet);
    }
    return packet;
  }

  static Packet Ipv6(std::size_t size) { return Sized(size, {.v4 = false, .tcp = false}); }

  static inline const Way kToA{{IpAddress::V4(192, 0, 2, 1), 1}, {IpAddress::V4(192, 0, 2, 2), 2}};
  static inline const Way kToB{{IpAddress::V4(192, 0, 2, 2), 2}, {IpAddress::V4(192, 0, 2, 1), 1}};

  TimePoint now_{std::chrono::hours(1)};
  floe::test::FakeRandom random_;
  PrivateKey key_a_;
  PrivateKey key_b_;
  std::unique_ptr<Tunnel> a_;
  std::unique_ptr<Tunnel> b_;
  std::optional<Ecn> mark_;
  std::vector<std::size_t> sizes_;  // Of the datagrams of a,
  std::vector<std::uint8_t> tos_;   // and what they asked for.
};

TEST_F(RoomTest, WhatFitsPassesWhole) {
  a_->SetRoom(kPeer, 1300);
  const Packet packet = Sized(1300);

  Send(packet);

  EXPECT_EQ(Arrived(), std::vector<Packet>{packet});
  EXPECT_TRUE(Told().empty());
}

TEST_F(RoomTest, AnIpv4SenderThatForbidsFragmentsIsTold) {
  a_->SetRoom(kPeer, 1296);

  Send(Sized(1297));

  EXPECT_TRUE(Arrived().empty());
  const auto told = Told();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0][20], 3);
  EXPECT_EQ(LoadBe<std::uint16_t>(told[0], 26), 1296);
  EXPECT_EQ(a_->counters().too_big_told, 1U);
}

TEST_F(RoomTest, AnIpv4PacketWithoutDfIsCut) {
  a_->SetRoom(kPeer, 1296);

  Send(Sized(1400, {.tcp = false}, /*df=*/false));

  const auto arrived = Arrived();
  ASSERT_EQ(arrived.size(), 2U);
  EXPECT_EQ(arrived[0].size() + arrived[1].size(), 1400U + 20);
  for (const std::size_t size : sizes_) {
    EXPECT_LE(size, SealedSize(1296));
  }
  EXPECT_TRUE(Told().empty());
  EXPECT_EQ(a_->room_counters().fragmented, 1U);
}

TEST_F(RoomTest, AnIpv6SenderIsTold) {
  a_->SetRoom(kPeer, 1296);

  Send(Ipv6(1300));

  EXPECT_TRUE(Arrived().empty());
  const auto told = Told();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0][40], 2);
  EXPECT_EQ(LoadBe<std::uint32_t>(told[0], 44), 1296U);
}

// RFC 8200 section 5: a link that carries less than 1280 bytes cuts and joins below IPv6.
TEST_F(RoomTest, WhatEveryIpv6LinkCarriesIsCutWhereItDoesNotFit) {
  a_->SetRoom(kPeer, 1184);

  Send(Ipv6(1280));
  auto arrived = Arrived();
  ASSERT_EQ(arrived.size(), 2U);
  for (const Packet& fragment : arrived) {
    EXPECT_EQ(fragment[kIpv6NextHeader], kProtocolFragment);
    EXPECT_LE(fragment.size(), 1184U);
  }

  Send(Ipv6(1281));
  EXPECT_TRUE(Arrived().empty());
  const auto told = Told();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(LoadBe<std::uint32_t>(told[0], 44), 1280U) << "RFC 8200 does not know less";
}

TEST_F(RoomTest, TwoPacketsThatAreCutHaveDifferentIds) {
  a_->SetRoom(kPeer, 1184);
  Send(Ipv6(1280));
  Send(Ipv6(1280));

  const auto arrived = Arrived();

  ASSERT_EQ(arrived.size(), 4U);
  EXPECT_EQ(LoadBe<std::uint32_t>(arrived[0], 44), LoadBe<std::uint32_t>(arrived[1], 44));
  EXPECT_NE(LoadBe<std::uint32_t>(arrived[0], 44), LoadBe<std::uint32_t>(arrived[2], 44));
}

// RFC 4443 section 2.4 (f).
TEST_F(RoomTest, SendersAreToldOnlySoOften) {
  a_->SetRoom(kPeer, 1296);
  for (int i = 0; i < 1000; ++i) {
    Send(Sized(1400));
  }
  const auto at_once = Told().size();
  EXPECT_GE(at_once, 50U);
  EXPECT_LE(at_once, 200U);
  EXPECT_EQ(a_->counters().too_big_told, at_once);
  EXPECT_EQ(a_->counters().too_big_untold, 1000 - at_once);

  now_ += seconds(1);
  Send(Sized(1400));
  EXPECT_EQ(Told().size(), 1U) << "again after a while";
}

TEST_F(RoomTest, NobodyIsToldOfAnErrorAndItIsCounted) {
  a_->SetRoom(kPeer, 600);
  Packet packet = Sized(700);
  packet[kIpv4Protocol] = kProtocolIcmp4;
  packet[20] = 3;

  Send(packet);

  EXPECT_TRUE(Told().empty());
  EXPECT_EQ(a_->counters().too_big_untold, 1U);
}

TEST_F(RoomTest, TellsWithoutASession) {
  auto lonely = Make(key_a_, DerivePublicKey(key_b_));
  lonely->SetRoom(kPeer, 1296);

  lonely->HandlePacket(now_, Sized(1400));

  EXPECT_EQ(TakeFrom(*lonely).size(), 1U);
  EXPECT_FALSE(lonely->PollDatagram()) << "what does not fit is no reason for a handshake";
}

TEST_F(RoomTest, UnknownPeersHaveNoRoom) {
  a_->SetRoom(kPeer + 1, 600);
  Send(Sized(kDefaultRoom));
  EXPECT_EQ(Arrived().size(), 1U);
}

Packet Syn() {
  PacketOptions options{.payload = 0, .tcp_options = 4, .flags = kTcpSyn};
  Packet packet = MakePacket(options);
  StoreBe<std::uint32_t>(packet, packet.size() - 4, 0x0204'05B4);  // 1460
  test::WriteChecksums(packet);
  return packet;
}

std::uint16_t MssOf(const Packet& packet) {
  return LoadBe<std::uint16_t>(packet, packet.size() - 2);
}

TEST_F(RoomTest, ForwardedConnectionsAreToldWhatFits) {
  a_->SetRoom(kPeer, 1296);
  b_->SetRoom(kPeer, 1200);

  Send(Syn());

  const auto arrived = Arrived();
  ASSERT_EQ(arrived.size(), 1U);
  EXPECT_EQ(MssOf(arrived[0]), 1200 - 40) << "the smaller room of both directions";
  EXPECT_TRUE(test::HasRightChecksums(arrived[0]));
  EXPECT_EQ(a_->room_counters().clamped_mss, 1U);
  EXPECT_EQ(b_->room_counters().clamped_mss, 1U);
}

TEST_F(RoomTest, OwnConnectionsAreLeftToTheKernel) {
  a_->SetOwnAddresses({IpAddress::V4(192, 0, 2, 1)});
  b_->SetOwnAddresses({IpAddress::V4(198, 51, 100, 1)});
  a_->SetRoom(kPeer, 1296);
  b_->SetRoom(kPeer, 1296);

  Send(Syn());

  const auto arrived = Arrived();
  ASSERT_EQ(arrived.size(), 1U);
  EXPECT_EQ(MssOf(arrived[0]), 1460);
  EXPECT_EQ(a_->room_counters().clamped_mss + b_->room_counters().clamped_mss, 0U);
}

// RFC 6040 section 4.1, normal mode; DSCP stays inside.
TEST_F(RoomTest, TheOuterMarkIsThatOfThePacket) {
  Send(Sized(100, {.tcp = false, .tos = 0x8A}));  // AF41, and ECT(0).
  EXPECT_EQ(tos_, std::vector<std::uint8_t>{2});
}

TEST_F(RoomTest, HandshakesAndKeepalivesHaveNoMark) {
  a_->StartHandshake(now_, kPeer);
  EXPECT_EQ(a_->PollDatagram()->tos, 0) << "a keepalive, as there is a session";
  auto other = Make(key_a_, DerivePublicKey(key_b_));
  other->StartHandshake(now_, kPeer);
  EXPECT_EQ(other->PollDatagram()->tos, kHandshakeTos);
  EXPECT_EQ(EcnOf(kHandshakeTos), Ecn::kNotEct);
}

TEST_F(RoomTest, CongestionOutsideIsTheInnerEndsToHear) {
  mark_ = Ecn::kCe;

  Send(Sized(100, {.tcp = false, .tos = 0x02}));

  const auto arrived = Arrived();
  ASSERT_EQ(arrived.size(), 1U);
  EXPECT_EQ(ReadEcn(arrived[0]), Ecn::kCe);
  EXPECT_TRUE(test::HasRightChecksums(arrived[0]));
}

TEST_F(RoomTest, CongestionThatNobodyWouldHearIsALoss) {
  mark_ = Ecn::kCe;

  Send(Sized(100, {.tcp = false}));

  EXPECT_TRUE(Arrived().empty());
  EXPECT_EQ(b_->counters().congested, 1U);
}

}  // namespace
}  // namespace floe::tunnel
