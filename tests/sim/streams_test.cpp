#include "tests/sim/streams.h"

#include <chrono>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/scripted_node.h"
#include "tests/sim/simulation.h"

namespace floe::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = ScriptedNode::StreamEvent::Kind;

constexpr TimePoint kStart = Simulation::kStart;
constexpr StreamId kId = 7;

/// A client behind a NAT, 15 ms away from a server that listens on 8080.
class StreamsTest : public ::testing::Test {
 protected:
  StreamsTest() {
    server_node_.listens = 8080;
    host_.Attach(node_);
    server_.Attach(server_node_);
  }

  void Open(const SocketAddress& to) {
    node_.Open(kId, to);
    host_.Poke();
  }

  /// Opens a stream and waits until both ends have it.
  void Connect() {
    Open(address_);
    sim_.RunFor(milliseconds(100));
    ASSERT_EQ(node_.stream_events.size(), 1U);
    ASSERT_EQ(server_node_.stream_events.size(), 1U);
    accepted_ = server_node_.stream_events[0].id;
  }

  void Write(std::string_view text) {
    node_.Write(kId, text);
    host_.Poke();
  }

  void Answer(std::string_view text) {
    server_node_.Write(accepted_, text);
    server_.Poke();
  }

  /// All bytes that came, joined.
  static std::string Bytes(const ScriptedNode& node) {
    std::string all;
    for (const auto& event : node.stream_events) {
      all += event.bytes;
    }
    return all;
  }

  static bool IsClosed(const ScriptedNode& node) {
    return !node.stream_events.empty() && node.stream_events.back().kind == Kind::kClosed;
  }

  ScriptedNode node_;
  ScriptedNode server_node_;
  Simulation sim_{5};
  Site& site_ = sim_.AddSite(SiteKind::kEimApdf, {.delay = milliseconds(10)});
  Host& host_ = site_.AddHost();
  Host& server_ = sim_.AddServer({.delay = milliseconds(5)});
  SocketAddress address_{server_.ip4(), 8080};
  StreamId accepted_ = 0;
};

TEST_F(StreamsTest, ConnectingCostsOneRoundTrip) {
  Connect();

  EXPECT_EQ(node_.stream_events[0].kind, Kind::kOpened);
  EXPECT_EQ(node_.stream_events[0].id, kId);
  EXPECT_EQ(node_.stream_events[0].at, kStart + milliseconds(30));
  EXPECT_EQ(node_.stream_events[0].remote, address_);
  EXPECT_EQ(server_node_.stream_events[0].at, kStart + milliseconds(45));
  EXPECT_GE(accepted_, kAcceptedStream);
}

TEST_F(StreamsTest, TheServerSeesTheNat) {
  Connect();

  EXPECT_EQ(server_node_.stream_events[0].remote.ip, site_.public_ip());
}

TEST_F(StreamsTest, BytesArriveInOrderAfterTheDelay) {
  Connect();

  const TimePoint sent = sim_.now();
  Write("one ");
  Write("two");
  Answer("three");
  sim_.RunFor(seconds(1));

  EXPECT_EQ(Bytes(server_node_), "one two");
  EXPECT_EQ(server_node_.stream_events.back().at, sent + milliseconds(15));
  EXPECT_EQ(Bytes(node_), "three");
}

TEST_F(StreamsTest, LossDelaysButLosesNothing) {
  Connect();
  site_.link().SetLoss(0.3);

  std::string expected;
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    expected.push_back(letter);
    Write(std::string_view(&letter, 1));
    sim_.RunFor(milliseconds(10));
  }
  sim_.RunFor(seconds(10));

  EXPECT_EQ(Bytes(server_node_), expected);
  EXPECT_GE(server_node_.stream_events.back().at, kStart + milliseconds(100 + 260 + 200));
}

TEST_F(StreamsTest, NothingPassesWhileALineIsDown) {
  Connect();
  site_.link().Cut(Direction::kDown);
  Write("one ");
  Write("two ");
  sim_.RunFor(seconds(5));
  EXPECT_EQ(Bytes(server_node_), "");

  site_.link().Mend();
  Write("three");
  sim_.RunFor(seconds(3));

  EXPECT_EQ(Bytes(server_node_), "one two three");
}

TEST_F(StreamsTest, ASenderGivesUpOnALineThatStaysDown) {
  Connect();
  sim_.streams().options.dead_after = seconds(10);
  site_.link().Cut();
  Write("x");
  sim_.RunFor(seconds(9));
  EXPECT_FALSE(IsClosed(node_));

  sim_.RunFor(seconds(4));

  EXPECT_TRUE(IsClosed(node_));
  EXPECT_FALSE(IsClosed(server_node_)) << "it has sent nothing, so it cannot know";
}

TEST_F(StreamsTest, WhatIsWrittenToAnEndThatGaveUpIsAnsweredByAClose) {
  Connect();
  sim_.streams().options.dead_after = seconds(10);
  site_.link().Cut();
  Write("x");
  sim_.RunFor(seconds(15));
  ASSERT_TRUE(IsClosed(node_));

  site_.link().Mend();
  Answer("still there?");
  sim_.RunFor(seconds(1));

  EXPECT_TRUE(IsClosed(server_node_));
  EXPECT_EQ(sim_.streams().CountOpen(), 0U);
}

TEST_F(StreamsTest, ClosingArrivesBehindWhatWasWritten) {
  Connect();

  Write("last words");
  node_.Close(kId);
  host_.Poke();
  sim_.RunFor(seconds(1));

  EXPECT_EQ(Bytes(server_node_), "last words");
  EXPECT_TRUE(IsClosed(server_node_));
  EXPECT_EQ(node_.stream_events.size(), 1U) << "who closes is not told of it";
}

TEST_F(StreamsTest, AnEndedProgramsStreamsAreClosed) {
  Connect();

  server_.Detach();
  sim_.RunFor(seconds(1));

  EXPECT_TRUE(IsClosed(node_));
  EXPECT_EQ(node_.stream_events.back().at, kStart + milliseconds(115));
}

TEST_F(StreamsTest, APortNobodyListensOnIsRefusedAfterOneRoundTrip) {
  Open({server_.ip4(), 8081});
  sim_.RunFor(seconds(1));

  ASSERT_EQ(node_.stream_events.size(), 1U);
  EXPECT_TRUE(IsClosed(node_));
  EXPECT_EQ(node_.stream_events[0].at, kStart + milliseconds(30));
}

TEST_F(StreamsTest, AnAddressWithoutARouteIsRefusedAtOnce) {
  Open({server_.ip6(), 8080});
  sim_.RunFor(seconds(1));

  ASSERT_TRUE(IsClosed(node_));
  EXPECT_EQ(node_.stream_events[0].at, kStart);
}

TEST_F(StreamsTest, NobodyConnectsIntoANat) {
  node_.listens = 8080;
  server_node_.Open(kId, {*site_.public_ip(), 8080});
  server_.Poke();
  sim_.RunFor(seconds(1));

  EXPECT_TRUE(IsClosed(server_node_));
  EXPECT_TRUE(node_.stream_events.empty());
}

TEST_F(StreamsTest, AConnectOverALineThatIsDownWaitsForIt) {
  site_.link().Cut();
  Open(address_);
  sim_.RunFor(seconds(5));
  EXPECT_TRUE(node_.stream_events.empty());

  site_.link().Mend();
  sim_.RunFor(seconds(3));

  ASSERT_EQ(node_.stream_events.size(), 1U);
  EXPECT_EQ(node_.stream_events[0].kind, Kind::kOpened);
}

TEST_F(StreamsTest, AClosedConnectIsNeverHeardOfAgain) {
  Open(address_);
  sim_.RunFor(milliseconds(5));
  node_.Close(kId);
  host_.Poke();
  sim_.RunFor(seconds(5));

  EXPECT_TRUE(node_.stream_events.empty());
  EXPECT_TRUE(server_node_.stream_events.empty());
}

TEST_F(StreamsTest, AStreamDoesNotSurviveRoaming) {
  Connect();
  sim_.streams().options.dead_after = seconds(10);

  host_.Roam(sim_.AddSite(SiteKind::kEimApdf));
  Write("from the old address");
  Answer("to the old address");
  sim_.RunFor(seconds(15));

  EXPECT_TRUE(IsClosed(node_));
  EXPECT_TRUE(IsClosed(server_node_));
  EXPECT_EQ(Bytes(server_node_), "");
}

TEST_F(StreamsTest, AStreamDoesNotSurviveItsNatsReboot) {
  Connect();
  sim_.streams().options.dead_after = seconds(10);

  site_.Reboot();
  Write("x");
  sim_.RunFor(seconds(15));

  EXPECT_TRUE(IsClosed(node_));
  EXPECT_EQ(Bytes(server_node_), "");
}

TEST_F(StreamsTest, ABlockRuleForTcpStopsThem) {
  Connect();

  site_.Block(BlockFar({.protocol = Protocol::kTcp, .port = 8080}));
  Write("x");
  sim_.RunFor(seconds(5));
  EXPECT_EQ(Bytes(server_node_), "");

  site_.Unblock();
  sim_.RunFor(seconds(3));
  EXPECT_EQ(Bytes(server_node_), "x");
}

TEST_F(StreamsTest, SitesThatBlockUdpLetStreamsOut) {
  Host& host = sim_.AddSite(SiteKind::kUdpBlocked).AddHost();
  ScriptedNode node;
  host.Attach(node);

  node.Open(kId, address_);
  host.Poke();
  sim_.RunFor(seconds(1));

  ASSERT_FALSE(node.stream_events.empty());
  EXPECT_EQ(node.stream_events[0].kind, Kind::kOpened);
}

TEST_F(StreamsTest, TwoStreamsAreKeptApart) {
  Connect();
  node_.Open(8, address_);
  host_.Poke();
  sim_.RunFor(milliseconds(100));

  node_.Write(8, "second");
  host_.Poke();
  sim_.RunFor(milliseconds(100));

  const auto& last = server_node_.stream_events.back();
  EXPECT_EQ(last.bytes, "second");
  EXPECT_NE(last.id, accepted_);
}

class StreamObserver final : public PacketObserver {
 public:
  std::string bytes;

  void HandlePacket(const PacketRecord& record) override {
    if (record.event == PacketEvent::kPublic && record.flow.protocol == Protocol::kTcp) {
      bytes.append(AsText(record.payload));
    }
  }
};

TEST_F(StreamsTest, AnObserverSeesTheBytes) {
  StreamObserver observed;
  sim_.network().Observe(observed);
  Connect();

  Write("ping");
  Answer("pong");

  EXPECT_EQ(observed.bytes, "pingpong");
}

}  // namespace
}  // namespace floe::sim
