// Outbound and Inbound, by what Forwarding says, against whole tunnels.

#include "tunnel/forwarding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/tunnel_pair.h"
#include "tunnel/constants.h"
#include "tunnel/inbound.h"
#include "tunnel/outbound.h"
#include "tunnel/packet/headers.h"
#include "tunnel/packet/test_packets.h"
#include "tunnel/read_queue.h"

namespace floe::tunnel {
namespace {

using floe::test::MakeIpv4;
using floe::test::TunnelPair;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Packet;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr auto kA = TunnelPair::kA;
constexpr auto kB = TunnelPair::kB;
constexpr PeerId kPeer = TunnelPair::kPeer;
constexpr TimePoint kAlways = TimePoint::max();
const SocketAddress kOurs{IpAddress::V4(192, 0, 2, 1), 41820};
const SocketAddress kTheirs{IpAddress::V4(203, 0, 113, 7), 51820};
constexpr std::uint16_t kChannel = 0x4001;

/// All that an Outbound sends, datagram by datagram.
struct Sent final : OutboundSink {
  void Send(const UdpWay& way, std::uint8_t tos, Bytes bytes, std::size_t size) override {
    toses.push_back(tos);
    ways.push_back(way);
    for (std::size_t at = 0; at < bytes.size(); at += size) {
      const Bytes datagram = bytes.subspan(at, std::min(size, bytes.size() - at));
      datagrams.emplace_back(datagram.begin(), datagram.end());
    }
  }

  void HandOver(Bytes packet) override { handed_over.emplace_back(packet.begin(), packet.end()); }

  void NoteActivity() override { ++notes; }

  std::vector<UdpWay> ways;  // Of each batch.
  std::vector<std::uint8_t> toses;
  std::vector<Packet> datagrams;
  std::vector<Packet> handed_over;
  int notes = 0;
};

/// All that an Inbound writes, packet by packet as the device sees them.
struct Received final : InboundSink {
  Joinable Write(const Coalescer::Group& group) override {
    Packet packet;
    for (const Bytes part : group.parts()) {
      packet.insert(packet.end(), part.begin(), part.end());
    }
    packets.push_back(std::move(packet));
    return {};
  }

  void HandOver(const SocketAddress& /*local*/, const SocketAddress& /*remote*/, Bytes datagram,
                std::uint8_t /*tos*/) override {
    handed_over.emplace_back(datagram.begin(), datagram.end());
  }

  void HandOverPacket(PeerId /*peer*/, Bytes packet) override {
    inner.emplace_back(packet.begin(), packet.end());
  }

  void NoteActivity() override { ++notes; }

  std::vector<Packet> packets;
  std::vector<Packet> handed_over;
  std::vector<Packet> inner;
  int notes = 0;
};

/// A sends on its fast path, B receives on its own.
class ForwardingTest : public testing::Test {
 protected:
  ForwardingTest() { pair_.Connect(); }

  void SetWays(std::optional<std::uint16_t> channel = std::nullopt) {
    pair_.a().SetWay(kPeer, UdpWay{kOurs, kTheirs, channel, !channel}, kAlways);
    pair_.b().SetWay(kPeer, UdpWay{kTheirs, kOurs, channel, !channel}, kAlways);
  }

  /// As the kernel gives it.
  void Read(Bytes packet, const OffloadHeader& header = {}) {
    header.Store(queue_.buffer());
    std::ranges::copy(packet, queue_.buffer().begin() + kOffloadHeaderSize);
    if (const auto read = queue_.Add(kOffloadHeaderSize + packet.size())) {
      outbound_.HandleRead(pair_.now(), *read);
    }
    while (const auto read = queue_.Next()) {
      outbound_.HandleRead(pair_.now(), *read);
    }
  }

  void SendAll() {
    outbound_.Flush();
    for (const Packet& datagram : std::exchange(sent_.datagrams, {})) {
      Receive(datagram);
    }
    inbound_.Flush();
  }

  void Receive(Bytes datagram, const SocketAddress& from = kOurs, std::uint8_t tos = 0) {
    Packet buffer(kCipherHeadroom + datagram.size() + kCipherSlack);
    std::ranges::copy(datagram, buffer.begin() + kCipherHeadroom);
    inbound_.HandleDatagrams(pair_.now(), kTheirs, from,
                             Bytes(buffer).subspan(kCipherHeadroom, datagram.size()),
                             datagram.size(), tos);
  }

  [[nodiscard]] static Packet PacketFromA(std::string_view text) {
    return MakeIpv4(TunnelPair::AddressOf(kA), TunnelPair::AddressOf(kB), text);
  }

  [[nodiscard]] static Packet FromAToB(Packet packet) {
    StoreBe<std::uint32_t>(MutableBytes(packet), kIpv4Source, 0x0A00'0001);
    StoreBe<std::uint32_t>(MutableBytes(packet), kIpv4Destination, 0x0A00'0002);
    test::WriteChecksums(packet);
    return packet;
  }

  TunnelPair pair_;
  Sent sent_;
  Received received_;
  ReadQueue queue_;
  Outbound outbound_{*AllCiphers().front(), pair_.a().forwarding(), sent_};
  Inbound inbound_{*AllCiphers().front(), pair_.b().forwarding(), Joinable{}, received_};
};

TEST_F(ForwardingTest, CarriesPacketsOfEverySizeThatATunnelOpens) {
  SetWays();

  for (std::size_t size = 0; size < 40; ++size) {
    const Packet packet = PacketFromA(std::string(size, 'x'));
    Read(packet);
    outbound_.Flush();
    const auto accepted =
        pair_.b().HandleDatagram(pair_.now(), {kTheirs, kOurs}, sent_.datagrams.at(size));
    ASSERT_TRUE(accepted && accepted->data);
    EXPECT_EQ(pair_.b().PollPacket()->bytes, packet);
  }
  EXPECT_THAT(sent_.handed_over, IsEmpty());
}

TEST_F(ForwardingTest, OpensWhatATunnelSealed) {
  SetWays();
  pair_.a().HandlePacket(pair_.now(), PacketFromA("hello"));

  Receive(pair_.a().PollDatagram()->bytes);
  inbound_.Flush();

  EXPECT_THAT(received_.packets, ElementsAre(PacketFromA("hello")));
  EXPECT_THAT(received_.handed_over, IsEmpty());
}

TEST_F(ForwardingTest, CutsALargePacketAndJoinsItAgain) {
  SetWays();
  const Packet packet = FromAToB(test::MakePacket({.payload = 10'000, .tcp_options = 0}));

  Read(packet, {.segments = OffloadHeader::Segments::kTcp4,
                .needs_checksum = true,
                .header_size = 40,
                .segment_size = 1360,
                .checksum_start = 20,
                .checksum_offset = 16});
  outbound_.Flush();
  EXPECT_THAT(sent_.ways, SizeIs(1));
  EXPECT_THAT(sent_.datagrams, SizeIs(8));
  SendAll();

  ASSERT_THAT(received_.packets, SizeIs(1));
  EXPECT_EQ(test::PayloadOf(received_.packets[0]), test::PayloadOf(packet));
}

TEST_F(ForwardingTest, GoesOverARelaysChannel) {
  SetWays(kChannel);

  Read(PacketFromA("one"));
  Read(PacketFromA("two"));
  outbound_.Flush();
  ASSERT_THAT(sent_.datagrams, SizeIs(2));
  EXPECT_EQ(LoadBe<std::uint16_t>(sent_.datagrams[0], 0), kChannel);
  EXPECT_EQ(LoadBe<std::uint16_t>(sent_.datagrams[0], 2), sent_.datagrams[0].size() - 4);
  SendAll();

  EXPECT_THAT(received_.packets, ElementsAre(PacketFromA("one"), PacketFromA("two")));
}

TEST_F(ForwardingTest, CarriesCongestionMarks) {
  SetWays();
  Packet capable = PacketFromA("capable");
  capable[kIpv4Tos] = 0xB8 | 2;

  Read(PacketFromA("not capable"));
  Read(capable);
  outbound_.Flush();
  EXPECT_THAT(sent_.toses, ElementsAre(0, 2));
  Receive(sent_.datagrams.at(0), kOurs, /*tos=*/3);
  Receive(sent_.datagrams.at(1), kOurs, /*tos=*/3);
  inbound_.Flush();
  static_cast<void>(pair_.b().HandleActivity(pair_.now()));

  ASSERT_THAT(received_.packets, SizeIs(1));
  EXPECT_EQ(received_.packets[0][kIpv4Tos], 0xB8 | 3);
  EXPECT_EQ(pair_.b().counters().congested, 1U);
}

TEST_F(ForwardingTest, LeavesToTheTunnelWhatHasNoWay) {
  Read(PacketFromA("no way"));
  SetWays();
  Read(MakeIpv4(TunnelPair::AddressOf(kA), IpAddress::V4(10, 9, 9, 9), "nobody's"));
  pair_.a().SetWay(kPeer, UdpWay{kOurs, kTheirs}, pair_.now());
  Read(PacketFromA("too late"));
  outbound_.Flush();

  EXPECT_THAT(sent_.datagrams, IsEmpty());
  EXPECT_THAT(sent_.handed_over, SizeIs(3));
}

TEST_F(ForwardingTest, LeavesToTheTunnelWhatIsTooLargeForTheWay) {
  SetWays();
  pair_.a().SetRoom(kPeer, 60);

  Read(PacketFromA(std::string(40, 'x')));
  Read(PacketFromA(std::string(41, 'x')));
  outbound_.Flush();

  EXPECT_THAT(sent_.datagrams, SizeIs(1));
  EXPECT_THAT(sent_.handed_over, SizeIs(1));
}

TEST_F(ForwardingTest, OfWhatTheKernelGivesAsOneTheSegmentsHaveToFit) {
  SetWays();
  const OffloadHeader header{.segments = OffloadHeader::Segments::kTcp4,
                             .needs_checksum = true,
                             .header_size = 40,
                             .segment_size = 1200,
                             .checksum_start = 20,
                             .checksum_offset = 16};
  const Packet packet = FromAToB(test::MakePacket({.payload = 2500, .tcp_options = 0}));

  pair_.a().SetRoom(kPeer, 1240);
  Read(packet, header);
  EXPECT_THAT(sent_.handed_over, IsEmpty());
  pair_.a().SetRoom(kPeer, 1239);
  Read(packet, header);
  outbound_.Flush();

  EXPECT_THAT(sent_.handed_over, SizeIs(2));
  EXPECT_THAT(sent_.datagrams, SizeIs(4)) << "the rest of each is small";
}

/// What a SYN asks for when it arrives, whose packet goes through the room of either end.
TEST_F(ForwardingTest, ClampsTheSegmentsOfForwardedConnectionsInBothDirections) {
  SetWays();
  Packet syn = test::MakePacket({.payload = 0, .tcp_options = 4, .flags = kTcpSyn});
  StoreBe<std::uint32_t>(syn, syn.size() - 4, 0x0204'05B4);  // 1460
  syn = FromAToB(std::move(syn));

  pair_.a().SetRoom(kPeer, 1300);
  Read(syn);
  pair_.a().SetOwnAddresses({TunnelPair::AddressOf(kA)});
  Read(syn);
  pair_.b().SetRoom(kPeer, 1200);
  SendAll();
  pair_.b().SetOwnAddresses({TunnelPair::AddressOf(kB)});
  Read(syn);
  SendAll();

  ASSERT_THAT(received_.packets, SizeIs(3));
  const auto mss = [&](std::size_t i) {
    EXPECT_TRUE(test::HasRightChecksums(received_.packets[i]));
    return LoadBe<std::uint16_t>(received_.packets[i], syn.size() - 2);
  };
  EXPECT_EQ(mss(0), 1160);
  EXPECT_EQ(mss(1), 1160) << "only where it arrives is it forwarded";
  EXPECT_EQ(mss(2), 1460) << "a matter of the kernels of both ends";
  EXPECT_EQ(pair_.a().room_counters().clamped_mss, 1U);
  EXPECT_EQ(pair_.b().room_counters().clamped_mss, 2U);
}

TEST_F(ForwardingTest, LeavesToTheTunnelWhatComesAnotherWay) {
  SetWays();
  Read(PacketFromA("hello"));
  outbound_.Flush();
  const Packet datagram = sent_.datagrams.at(0);
  Packet channel_data{0x40, 1, 0, static_cast<std::uint8_t>(datagram.size())};
  channel_data.insert(channel_data.end(), datagram.begin(), datagram.end());

  Receive(datagram, /*from=*/kTheirs);
  Receive(channel_data);
  Receive(Packet{1, 0, 0, 0});
  Receive(Packet{});

  EXPECT_THAT(received_.handed_over, SizeIs(4));
  EXPECT_EQ(received_.notes, 0);
}

TEST_F(ForwardingTest, RefusesReplaysForgeriesAndOthersAddresses) {
  SetWays();
  Read(PacketFromA("once"));
  Read(MakeIpv4(IpAddress::V4(10, 3, 3, 3), TunnelPair::AddressOf(kB), "spoofed"));
  Read(PacketFromA("to be forged"));
  outbound_.Flush();
  sent_.datagrams.at(2).back() ^= 1U;
  sent_.datagrams.push_back(sent_.datagrams[0]);

  SendAll();
  static_cast<void>(pair_.b().HandleActivity(pair_.now()));

  EXPECT_THAT(received_.packets, ElementsAre(PacketFromA("once")));
  EXPECT_EQ(pair_.b().counters().spoofed_inner, 1U);
  EXPECT_EQ(pair_.b().counters().forged_transport, 1U);
  EXPECT_EQ(pair_.b().counters().replayed_transport, 1U);
}

TEST_F(ForwardingTest, HandsOverAnswersToOurOwnPings) {
  SetWays();
  Packet ping = PacketFromA("echo reply");
  ping[kIpv4Protocol] = 1;

  Read(ping);
  SendAll();
  pair_.b().SetWantsEchoReplies(kPeer, true);
  Read(ping);
  Read(PacketFromA("other"));
  SendAll();

  EXPECT_THAT(received_.packets, ElementsAre(ping, PacketFromA("other")));
  EXPECT_THAT(received_.inner, ElementsAre(ping));
}

TEST_F(ForwardingTest, WhatItCarriesCountsAndKeepsTheTimers) {
  SetWays();
  const auto before = pair_.b().Stats(kPeer);

  Read(PacketFromA("one"));
  Read(PacketFromA("two"));
  SendAll();

  EXPECT_EQ(sent_.notes, 1);  // And again after it was asked.
  EXPECT_EQ(received_.notes, 1);
  const auto of_a = pair_.a().HandleActivity(pair_.now());
  ASSERT_THAT(of_a, SizeIs(1));
  EXPECT_EQ(of_a[0].first, kPeer);
  EXPECT_EQ(of_a[0].second.sent, pair_.now());
  EXPECT_THAT(pair_.a().HandleActivity(pair_.now()), IsEmpty());
  static_cast<void>(pair_.b().HandleActivity(pair_.now()));
  EXPECT_EQ(pair_.b().Stats(kPeer).rx_bytes - before.rx_bytes, 2 * SealedSize(23));

  // Data has come, and nothing goes back.
  const auto keepalives = pair_.CountKeepalives(kB);
  pair_.RunFor(kKeepaliveTimeout + milliseconds(1));
  EXPECT_EQ(pair_.CountKeepalives(kB), keepalives + 1);
}

TEST_F(ForwardingTest, ASessionThatIsOldIsReplacedWhileDataFlows) {
  SetWays();
  const auto initiations = pair_.CountSent(kA, 1);

  pair_.RunFor(kRekeyAfterTime + seconds(1));
  Read(PacketFromA("late"));
  outbound_.Flush();
  static_cast<void>(pair_.a().HandleActivity(pair_.now()));
  pair_.Drain();
  pair_.RunFor(milliseconds(100));

  EXPECT_EQ(pair_.CountSent(kA, 1), initiations + 1);
  Read(PacketFromA("on the next"));
  SendAll();
  EXPECT_THAT(received_.packets, ElementsAre(PacketFromA("on the next")));
  EXPECT_THAT(received_.handed_over, SizeIs(1)) << "what came on the session before";
}

TEST_F(ForwardingTest, ASessionThatIsOverIsNotUsed) {
  SetWays();
  pair_.loses = [](const auto& /*sent*/) { return true; };
  Read(PacketFromA("in time"));
  outbound_.Flush();

  pair_.RunFor(kRejectAfterTime);
  Read(PacketFromA("too late"));
  outbound_.Flush();

  EXPECT_THAT(sent_.datagrams, SizeIs(1));
  EXPECT_THAT(sent_.handed_over, SizeIs(1));
}

TEST_F(ForwardingTest, ARemovedPeerIsGone) {
  SetWays();
  Read(PacketFromA("hello"));
  outbound_.Flush();

  pair_.a().RemovePeer(kPeer);
  pair_.b().RemovePeer(kPeer);
  Read(PacketFromA("gone"));
  Receive(sent_.datagrams.at(0));

  EXPECT_THAT(sent_.handed_over, SizeIs(1));
  EXPECT_THAT(received_.handed_over, SizeIs(1));
  EXPECT_THAT(pair_.a().HandleActivity(pair_.now()), IsEmpty());
}

}  // namespace
}  // namespace floe::tunnel
