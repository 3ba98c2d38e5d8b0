#include "tunnel/packet/coalescer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>

#include "tunnel/packet/segmenter.h"
#include "tunnel/packet/test_packets.h"

namespace floe::tunnel {
namespace {

using test::MakePacket;
using test::Packet;
using test::PacketOptions;

Packet Flatten(const Coalescer::Group& group) {
  Packet flat;
  for (const Bytes part : group.parts()) {
    flat.insert(flat.end(), part.begin(), part.end());
  }
  return flat;
}

/// Joins a batch, and cuts it again as the kernel would.
struct Joined {
  explicit Joined(std::vector<Packet> batch, Joinable joinable = {}) {
    Coalescer coalescer(joinable);
    for (Packet& packet : batch) {
      coalescer.Add(packet);
    }
    for (const Coalescer::Group& group : coalescer.Finish()) {
      segments.push_back(group.parts().size());
      Packet flat = Flatten(group);
      const auto header = OffloadHeader::Parse(group.offload());
      auto segmenter = Segmenter::Make(header.value(), flat);
      while (auto segment = segmenter->Next()) {
        cut.emplace_back(segment->begin(), segment->end());
      }
    }
  }

  std::vector<std::size_t> segments;  // Of each write.
  std::vector<Packet> cut;
};

/// `count` packets of a flow that follow each other.
std::vector<Packet> Train(std::size_t count, PacketOptions options = {}) {
  std::vector<Packet> train;
  for (std::size_t i = 0; i < count; ++i) {
    Packet packet = MakePacket(options);
    if (options.v4) {
      StoreBe<std::uint16_t>(packet, kIpv4Id, static_cast<std::uint16_t>(i));
      test::WriteChecksums(packet);
    }
    train.push_back(packet);
    options.sequence += static_cast<std::uint32_t>(options.payload);
    ++options.seed;
  }
  return train;
}

using testing::ElementsAre;

TEST(CoalescerTest, JoinsATrainSoThatCuttingGivesItBack) {
  for (const bool v4 : {true, false}) {
    for (const bool tcp : {true, false}) {
      const std::vector<Packet> train = Train(40, {.v4 = v4, .tcp = tcp, .payload = 1361});
      const Joined joined(train);

      EXPECT_THAT(joined.segments, ElementsAre(40));
      EXPECT_EQ(joined.cut, train);
    }
  }
}

TEST(CoalescerTest, AShorterOneIsTheLast) {
  std::vector<Packet> train = Train(3);
  train.push_back(MakePacket({.payload = 10, .sequence = 3001}));
  train.push_back(MakePacket({.payload = 10, .sequence = 3011}));

  EXPECT_THAT(Joined(train).segments, ElementsAre(4, 1));
}

TEST(CoalescerTest, ALongerOneBeginsAnother) {
  EXPECT_THAT(
      Joined({MakePacket({.payload = 10}), MakePacket({.payload = 20, .sequence = 11})}).segments,
      ElementsAre(1, 1));
}

TEST(CoalescerTest, APushEndsATrainAndIsKept) {
  std::vector<Packet> train = Train(2);
  train.push_back(MakePacket({.sequence = 2001, .flags = kTcpAck | kTcpPush}));
  train.push_back(MakePacket({.sequence = 3001}));
  const Joined joined(train);

  EXPECT_THAT(joined.segments, ElementsAre(3, 1));
  EXPECT_EQ(test::FlagsOf(joined.cut[1]), kTcpAck);
  EXPECT_EQ(test::FlagsOf(joined.cut[2]), kTcpAck | kTcpPush);
}

TEST(CoalescerTest, WhatDiffersIsNotJoined) {
  const PacketOptions next{.sequence = 1001};
  const std::vector<PacketOptions> others{{.tcp_options = 0, .sequence = 1001},
                                          {.sequence = 1002},
                                          {.sequence = 1001, .window = 501},
                                          {.sequence = 1001, .tos = 2},
                                          {.sequence = 1001, .flags = kTcpAck | kTcpFin},
                                          {.sequence = 1001, .flags = kTcpAck | 0x40 /* ECE */},
                                          {.sequence = 1001, .source_port = 4001},
                                          {.v4 = false, .sequence = 1001},
                                          {.tcp = false}};

  EXPECT_THAT(Joined({MakePacket({}), MakePacket(next)}).segments, ElementsAre(2));
  for (const PacketOptions& other : others) {
    EXPECT_THAT(Joined({MakePacket({}), MakePacket(other)}).segments, ElementsAre(1, 1));
  }
}

TEST(CoalescerTest, WhatIsWrongOrNoSuchPacketGoesAsItIs) {
  const auto changed = [](std::size_t at, std::uint8_t value) {
    Packet packet = MakePacket({.sequence = 1001});
    packet[at] = value;
    return packet;
  };
  Packet with_more = MakePacket({.sequence = 1001});
  with_more.push_back(0);
  const std::vector<Packet> others{
      changed(500, 0),                               // Damaged.
      changed(kIpv4Ttl, 3),                          // Its header's checksum is wrong.
      changed(kIpv4Fragment, 0x20),                  // A fragment.
      changed(0, 0x46),                              // With options.
      changed(kIpv4HeaderSize + kTcpDataOffset, 0),  // TCP's header is too short.
      changed(kIpv4HeaderSize + kTcpDataOffset, 0xF0),
      with_more,
      Packet{0x45},
      Packet{},
      Packet(40, 0x60),
      Packet(19, 0x45)};

  for (const Packet& other : others) {
    std::vector<Packet> batch{MakePacket({}), other};
    const std::vector<Packet> before = batch;
    Coalescer coalescer({});
    for (Packet& packet : batch) {
      coalescer.Add(packet);
    }
    const auto groups = coalescer.Finish();

    ASSERT_EQ(groups.size(), 2U);
    EXPECT_EQ(Flatten(groups[1]), other);
    EXPECT_EQ(OffloadHeader::Parse(groups[1].offload()), OffloadHeader{});
  }
}

TEST(CoalescerTest, NothingOfAFlowIsOvertaken) {
  std::vector<Packet> batch = Train(2);
  batch.push_back(MakePacket({.payload = 0, .sequence = 2001}));  // An acknowledgement alone.
  batch.push_back(MakePacket({.sequence = 2001}));
  const Joined joined(batch);

  EXPECT_THAT(joined.segments, ElementsAre(2, 1, 1));
}

TEST(CoalescerTest, TrainsThatAreMixedAreJoinedEach) {
  const std::vector<Packet> a = Train(5);
  const std::vector<Packet> b = Train(5, {.source_port = 4001});
  std::vector<Packet> batch;
  for (std::size_t i = 0; i < 5; ++i) {
    batch.push_back(a[i]);
    batch.push_back(b[i]);
  }

  EXPECT_THAT(Joined(batch).segments, ElementsAre(5, 5));
}

TEST(CoalescerTest, NoGroupIsLargerThanAPacketMayBe) {
  EXPECT_THAT(Joined(Train(8, {.payload = 9000})).segments, ElementsAre(7, 1));
  EXPECT_THAT(Joined(Train(64, {.payload = 20})).segments, ElementsAre(64));
}

TEST(CoalescerTest, UdpWithoutAChecksumStaysAsItIs) {
  std::vector<Packet> train = Train(2, {.tcp = false});
  for (Packet& packet : train) {
    StoreBe<std::uint16_t>(packet, kIpv4HeaderSize + kUdpChecksum, 0);
  }

  EXPECT_THAT(Joined(train).segments, ElementsAre(1, 1));
}

TEST(CoalescerTest, JoinsOnlyWhatTheKernelTakes) {
  EXPECT_THAT(Joined(Train(3), {.tcp = false}).segments, ElementsAre(1, 1, 1));
  EXPECT_THAT(Joined(Train(3, {.tcp = false}), {.udp = false}).segments, ElementsAre(1, 1, 1));
}

TEST(CoalescerTest, IsFullOfGroupsAndEmptyAgain) {
  std::vector<Packet> batch;
  for (std::uint16_t i = 0; i < Coalescer::kMaxGroups; ++i) {
    batch.push_back(MakePacket({.source_port = i}));
  }
  Coalescer coalescer({});
  for (Packet& packet : batch) {
    EXPECT_FALSE(coalescer.full());
    coalescer.Add(packet);
  }
  EXPECT_TRUE(coalescer.full());
  EXPECT_EQ(coalescer.Finish().size(), Coalescer::kMaxGroups);

  coalescer.Clear();

  EXPECT_FALSE(coalescer.full());
  EXPECT_TRUE(coalescer.Finish().empty());
}

// Whatever comes, each flow's packets come out as they were and in their order.
TEST(CoalescerTest, ChangesNothingOfRandomBatches) {
  std::mt19937 random(7);
  const auto pick = [&](std::uint32_t n) { return static_cast<std::uint16_t>(random() % n); };
  for (int round = 0; round < 300; ++round) {
    std::array<std::uint32_t, 3> sequence{1, 1, 1};
    std::vector<Packet> batch;
    while (batch.size() < Coalescer::kMaxGroups) {
      const std::uint16_t flow = pick(3);
      const std::array<std::size_t, 4> sizes{1000, 1000, 1000, 333};
      const std::size_t size = sizes[pick(4)];
      Packet packet = MakePacket(
          {.v4 = flow != 1,
           .tcp = flow != 2,
           .payload = size,
           .sequence = sequence[flow],
           .flags = static_cast<std::uint8_t>(pick(9) == 0 ? kTcpAck | kTcpPush : kTcpAck),
           .source_port = flow,
           .seed = static_cast<std::uint8_t>(batch.size())});
      sequence[flow] += static_cast<std::uint32_t>(size);
      batch.push_back(packet);
    }
    const Joined joined(batch);
    for (std::uint16_t flow = 0; flow < 3; ++flow) {
      const auto of_flow = [&](std::vector<Packet> packets) {
        std::erase_if(packets, [&](const Packet& packet) {
          return LoadBe<std::uint16_t>(packet, test::TransportOffset(packet)) != flow;
        });
        for (Packet& packet : packets) {
          if (packet[0] >> 4U == 4) {  // Cutting numbers them anew.
            StoreBe<std::uint16_t>(packet, kIpv4Id, 0);
            test::WriteChecksums(packet);
          }
        }
        return packets;
      };
      ASSERT_EQ(of_flow(joined.cut), of_flow(batch));
    }
    ASSERT_LT(joined.segments.size(), batch.size());
  }
}

}  // namespace
}  // namespace floe::tunnel
