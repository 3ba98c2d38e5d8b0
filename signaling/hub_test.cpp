#include "signaling/hub.h"

#include <chrono>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "signaling/login_proof.h"
#include "signaling/upgrade.h"
#include "tests/support/fake_random.h"
#include "tests/support/signaling_world.h"

namespace floe::signaling {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = WebSocketEvent::Kind;

const SocketAddress kRemote{IpAddress::V4(203, 0, 113, 7), 4711};

/// A hub and the test in the place of its clients, of which each writes what it likes.
class HubTest : public ::testing::Test {
 protected:
  struct Stream {
    std::string written;
    std::optional<HubClose::Mode> closed;
  };

  ConnectionId Open() {
    hub_.HandleOpened(now_, ++last_, kRemote);
    return last_;
  }

  void Give(ConnectionId id, std::string_view bytes) { hub_.HandleBytes(now_, id, AsBytes(bytes)); }

  void GiveFrame(ConnectionId id, Opcode opcode, std::string_view payload) {
    hub_.HandleBytes(now_, id, SerializeMaskedFrame(opcode, AsBytes(payload), random_));
  }

  Stream& StreamOf(ConnectionId id) {
    while (auto action = hub_.PollAction()) {
      if (const HubWrite* write = std::get_if<HubWrite>(&*action)) {
        streams_[write->id].written += AsText(write->bytes);
        if (!stuck_.contains(write->id)) {
          hub_.HandleWritten(now_, write->id, write->bytes.size());
        }
      } else {
        const HubClose& close = std::get<HubClose>(*action);
        streams_[close.id].closed = close.mode;
      }
    }
    return streams_[id];
  }

  /// What the hub wrote behind its HTTP response.
  std::vector<WebSocketEvent> FramesOf(ConnectionId id) {
    const std::string& written = StreamOf(id).written;
    WebSocketReader reader(WebSocketRole::kClient, kMaxServerMessage);
    Bytes input = AsBytes(written).subspan(written.find("\r\n\r\n") + 4);
    std::vector<WebSocketEvent> frames;
    while (auto frame = reader.Read(input)) {
      frames.push_back(std::move(*frame));
    }
    return frames;
  }

  /// The reason in the error frame, which stands before the close frame.
  std::string RefusalOf(ConnectionId id) {
    const auto frames = FramesOf(id);
    EXPECT_EQ(StreamOf(id).closed, HubClose::Mode::kFlush);
    if (frames.size() < 2 || frames.back().kind != Kind::kClose) {
      return "no close frame";
    }
    const auto frame = ParseServerFrame(frames[frames.size() - 2].payload);
    const auto* refusal = frame ? std::get_if<Refusal>(&*frame) : nullptr;
    return refusal == nullptr ? "no error frame" : refusal->reason;
  }

  ConnectionId OpenWebSocket() {
    const ConnectionId id = Open();
    Give(id, SerializeUpgradeRequest(url_, MakeWebSocketKey(random_)));
    return id;
  }

  Challenge ChallengeOf(ConnectionId id) {
    const auto frame = ParseServerFrame(FramesOf(id).at(0).payload);
    return std::get<Challenge>(frame.value());
  }

  std::string HelloTo(ConnectionId id, const PrivateKey& key) {
    const PublicKey public_key = DerivePublicKey(key);
    return Serialize(Hello{public_key, MakeLoginProof(key, public_key, ChallengeOf(id)).value()});
  }

  ConnectionId LogIn(const PrivateKey& key) {
    const ConnectionId id = OpenWebSocket();
    GiveFrame(id, Opcode::kText, HelloTo(id, key));
    return id;
  }

  void RunTo(TimePoint end) {
    StreamOf(last_);  // All read what there is.
    while (hub_.NextTimeout() && *hub_.NextTimeout() <= end) {
      now_ = *hub_.NextTimeout();
      hub_.HandleTimeout(now_);
      StreamOf(last_);
    }
    now_ = end;
  }

  test::FakeRandom random_;
  test::FakeWelcomeSource source_;
  Hub hub_{{}, source_, random_};
  Url url_ = ParseUrl("ws://floe.example").value();
  PrivateKey alice_ = GeneratePrivateKey(random_);
  PrivateKey bob_ = GeneratePrivateKey(random_);
  TimePoint now_{};
  ConnectionId last_ = 0;
  std::map<ConnectionId, Stream> streams_;
  std::set<ConnectionId> stuck_;  // These do not read.
};

TEST_F(HubTest, ChallengesAtOnceAndWelcomesAProof) {
  const ConnectionId id = OpenWebSocket();
  ASSERT_EQ(FramesOf(id).size(), 1U);
  GiveFrame(id, Opcode::kText, HelloTo(id, alice_));

  ASSERT_EQ(FramesOf(id).size(), 2U);
  const auto welcome = ParseServerFrame(FramesOf(id)[1].payload);
  EXPECT_EQ(ToString(std::get<Welcome>(welcome.value()).you), "203.0.113.7:4711");
  EXPECT_TRUE(hub_.IsOnline(DerivePublicKey(alice_)));
}

TEST_F(HubTest, ReadsEverythingByteByByte) {
  const ConnectionId id = Open();
  for (const char c : SerializeUpgradeRequest(url_, MakeWebSocketKey(random_))) {
    Give(id, {&c, 1});
  }
  const std::string hello = HelloTo(id, alice_);
  for (const std::uint8_t byte : SerializeMaskedFrame(Opcode::kText, AsBytes(hello), random_)) {
    hub_.HandleBytes(now_, id, {&byte, 1});
  }

  EXPECT_EQ(hub_.online(), 1U);
}

TEST_F(HubTest, AnswersOrdinaryRequestsAndCloses) {
  const std::pair<std::string, std::string> cases[] = {
      {"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 "},
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 "},
      {"GET /floe HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 426 "},
      {"\x16\x03\x01 TLS, say\r\n\r\n", "HTTP/1.1 400 "},
      {std::string(kMaxHeadSize, 'a'), "HTTP/1.1 431 "},
  };
  for (const auto& [request, start] : cases) {
    const ConnectionId id = Open();
    Give(id, request);
    EXPECT_TRUE(StreamOf(id).written.starts_with(start)) << StreamOf(id).written;
    EXPECT_EQ(StreamOf(id).closed, HubClose::Mode::kFlush);
  }
  EXPECT_EQ(hub_.connections(), 0U);
}

TEST_F(HubTest, AnswersOnThePathItIsTold) {
  Hub hub({.path = "/other"}, source_, random_);
  url_.path = "/other";

  hub.HandleOpened(now_, 1, kRemote);
  hub.HandleBytes(now_, 1, AsBytes(SerializeUpgradeRequest(url_, MakeWebSocketKey(random_))));

  const auto action = hub.PollAction();
  ASSERT_TRUE(action.has_value());
  EXPECT_TRUE(AsText(std::get<HubWrite>(*action).bytes).starts_with("HTTP/1.1 101 "));
}

TEST_F(HubTest, RefusesAWrongProof) {
  const ConnectionId id = OpenWebSocket();
  auto hello = ParseClientFrame(HelloTo(id, alice_));
  auto& wrong = std::get<Hello>(hello.value());
  wrong.key = DerivePublicKey(bob_);

  GiveFrame(id, Opcode::kText, Serialize(wrong));

  EXPECT_EQ(RefusalOf(id), "the proof is wrong");
  EXPECT_EQ(hub_.online(), 0U);
  EXPECT_EQ(source_.made, 0) << "no credentials for whoever asks";
}

TEST_F(HubTest, RefusesAHelloFromAnotherConnection) {
  const ConnectionId first = OpenWebSocket();
  const std::string hello = HelloTo(first, alice_);
  GiveFrame(first, Opcode::kText, hello);

  const ConnectionId second = OpenWebSocket();
  GiveFrame(second, Opcode::kText, hello);

  EXPECT_EQ(RefusalOf(second), "the proof is wrong");
  EXPECT_EQ(hub_.online(), 1U) << "and the true login stays";
  EXPECT_NE(ChallengeOf(first).nonce, ChallengeOf(second).nonce);
}

TEST_F(HubTest, RefusesASecondHello) {
  const ConnectionId id = OpenWebSocket();
  const std::string hello = HelloTo(id, alice_);
  GiveFrame(id, Opcode::kText, hello);
  GiveFrame(id, Opcode::kText, hello);

  EXPECT_EQ(RefusalOf(id), "a second hello");
  EXPECT_EQ(hub_.online(), 0U);
}

TEST_F(HubTest, RefusesMessagesBeforeTheHello) {
  const ConnectionId id = OpenWebSocket();

  GiveFrame(id, Opcode::kText, Serialize(SendRequest{DerivePublicKey(bob_), 1, "Zm9v"}));

  EXPECT_EQ(RefusalOf(id), "hello first");
}

TEST_F(HubTest, RefusesFramesItCannotRead) {
  for (const bool logged_in : {false, true}) {
    const auto open = [&] { return logged_in ? LogIn(alice_) : OpenWebSocket(); };
    const ConnectionId bad = open();
    GiveFrame(bad, Opcode::kText, "not JSON");
    EXPECT_EQ(RefusalOf(bad), "not a JSON object");

    const ConnectionId binary = open();
    GiveFrame(binary, Opcode::kBinary, "abc");
    EXPECT_EQ(RefusalOf(binary), "binary messages are not understood");

    const ConnectionId large = open();
    GiveFrame(large, Opcode::kText, std::string(kMaxClientMessage + 1, ' '));
    EXPECT_EQ(FramesOf(large).back().code, CloseCode::kTooLarge);

    const ConnectionId unmasked = open();
    hub_.HandleBytes(now_, unmasked, SerializeFrame(Opcode::kText, AsBytes("{}")));
    EXPECT_EQ(FramesOf(unmasked).back().code, CloseCode::kProtocolError);
    EXPECT_EQ(hub_.connections(), 0U);
  }
}

TEST_F(HubTest, SkipsFramesOfAKindItDoesNotKnow) {
  const ConnectionId id = LogIn(alice_);

  GiveFrame(id, Opcode::kText, R"({"t":"later"})");

  EXPECT_EQ(StreamOf(id).closed, std::nullopt);
}

TEST_F(HubTest, AnswersAPingAndAClose) {
  const ConnectionId id = LogIn(alice_);

  GiveFrame(id, Opcode::kPing, "abc");
  EXPECT_EQ(FramesOf(id).back().kind, Kind::kPong);
  EXPECT_EQ(FramesOf(id).back().payload, "abc");
  GiveFrame(id, Opcode::kClose, ClosePayload(CloseCode::kNormal, {}));
  EXPECT_EQ(FramesOf(id).back().code, CloseCode::kNormal);
  EXPECT_EQ(StreamOf(id).closed, HubClose::Mode::kFlush);
  EXPECT_EQ(hub_.online(), 0U);
}

TEST_F(HubTest, TakesNothingBehindTheEnd) {
  const ConnectionId id = LogIn(alice_);
  GiveFrame(id, Opcode::kClose, {});
  const std::size_t written = StreamOf(id).written.size();

  GiveFrame(id, Opcode::kPing, "abc");
  hub_.HandleWritten(now_, id, 1);
  hub_.HandleClosed(now_, id);

  EXPECT_EQ(StreamOf(id).written.size(), written);
}

TEST_F(HubTest, ClosesWhoDoesNotSayHelloInTime) {
  const ConnectionId silent = Open();
  const ConnectionId half = OpenWebSocket();

  RunTo(now_ + HubConnection::kLoginDeadline - milliseconds(1));
  GiveFrame(half, Opcode::kPing, "a ping does not buy time");
  EXPECT_EQ(hub_.connections(), 2U);
  RunTo(now_ + milliseconds(1));

  EXPECT_EQ(hub_.connections(), 0U);
  EXPECT_EQ(StreamOf(silent).written, "");
  EXPECT_EQ(StreamOf(silent).closed, HubClose::Mode::kFlush);
  EXPECT_EQ(RefusalOf(half), "no hello in time");
  EXPECT_EQ(hub_.NextTimeout(), std::nullopt);
}

TEST_F(HubTest, PingsWhoIsSilentAndClosesWhoDoesNotAnswer) {
  const ConnectionId id = LogIn(alice_);

  RunTo(now_ + seconds(30));
  EXPECT_EQ(FramesOf(id).back().kind, Kind::kPing);
  RunTo(now_ + seconds(9));
  GiveFrame(id, Opcode::kPong, {});
  RunTo(now_ + seconds(39));
  EXPECT_EQ(hub_.online(), 1U);
  RunTo(now_ + seconds(1));

  EXPECT_EQ(hub_.online(), 0U);
}

TEST_F(HubTest, ClosesTheOlderLoginOfANode) {
  const ConnectionId older = LogIn(alice_);
  const ConnectionId newer = LogIn(alice_);

  EXPECT_EQ(RefusalOf(older), "replaced by a newer login");
  EXPECT_EQ(StreamOf(newer).closed, std::nullopt);
  hub_.HandleClosed(now_, older);
  EXPECT_TRUE(hub_.IsOnline(DerivePublicKey(alice_))) << "the older end takes nothing with it";
}

TEST_F(HubTest, ForgetsANodeWithItsConnection) {
  const ConnectionId id = LogIn(alice_);

  hub_.HandleClosed(now_, id);

  EXPECT_FALSE(hub_.IsOnline(DerivePublicKey(alice_)));
  EXPECT_EQ(hub_.connections(), 0U);
  EXPECT_EQ(hub_.NextTimeout(), std::nullopt);
}

TEST_F(HubTest, DeliversToANodeThatWritesToItself) {
  const ConnectionId id = LogIn(alice_);

  GiveFrame(id, Opcode::kText, Serialize(SendRequest{DerivePublicKey(alice_), 1, "Zm9v"}));

  ASSERT_EQ(FramesOf(id).size(), 4U);
  EXPECT_TRUE(
      std::holds_alternative<ReceivedBox>(ParseServerFrame(FramesOf(id)[2].payload).value()));
  EXPECT_TRUE(
      std::holds_alternative<SendAnswer>(ParseServerFrame(FramesOf(id)[3].payload).value()));
}

TEST_F(HubTest, ClosesAReaderThatDoesNotRead) {
  const ConnectionId slow = LogIn(alice_);
  const ConnectionId sender = LogIn(bob_);
  StreamOf(slow);
  stuck_.insert(slow);
  const std::string box(kMaxBoxSize, 'a');

  for (std::uint64_t i = 0; i < 40; ++i) {
    GiveFrame(sender, Opcode::kText, Serialize(SendRequest{DerivePublicKey(alice_), i, box}));
  }

  EXPECT_EQ(StreamOf(slow).closed, HubClose::Mode::kAbort);
  EXPECT_LE(StreamOf(slow).written.size(), Hub::kMaxUnwritten + 1024);
  EXPECT_EQ(hub_.counters().slow, 1U);
  EXPECT_EQ(hub_.counters().delivered, 0U) << "nothing of it was taken";
  EXPECT_EQ(hub_.counters().offline, 40U);
}

TEST_F(HubTest, ClosesAReaderThatStopsForTenSeconds) {
  const ConnectionId slow = LogIn(alice_);
  const ConnectionId sender = LogIn(bob_);
  StreamOf(slow);
  stuck_.insert(slow);
  GiveFrame(sender, Opcode::kText, Serialize(SendRequest{DerivePublicKey(alice_), 1, "Zm9v"}));

  RunTo(now_ + Hub::kReadDeadline - milliseconds(1));
  EXPECT_EQ(StreamOf(slow).closed, std::nullopt);
  EXPECT_EQ(hub_.counters().offline, 0U);
  RunTo(now_ + milliseconds(1));

  EXPECT_EQ(StreamOf(slow).closed, HubClose::Mode::kAbort);
  EXPECT_EQ(hub_.counters().offline, 1U);
  EXPECT_EQ(StreamOf(sender).closed, std::nullopt) << "the sender is not harmed";
}

TEST_F(HubTest, SaysDeliveredWhenTheTargetHasTakenAllOfIt) {
  const ConnectionId reader = LogIn(alice_);
  const ConnectionId sender = LogIn(bob_);
  StreamOf(reader).written.clear();
  stuck_.insert(reader);
  GiveFrame(sender, Opcode::kText, Serialize(SendRequest{DerivePublicKey(alice_), 7, "Zm9v"}));
  const std::size_t size = StreamOf(reader).written.size();
  const std::size_t frames = FramesOf(sender).size();

  hub_.HandleWritten(now_, reader, size - 1);
  EXPECT_EQ(FramesOf(sender).size(), frames);
  hub_.HandleWritten(now_, reader, 1);

  ASSERT_EQ(FramesOf(sender).size(), frames + 1);
  const auto answer = ParseServerFrame(FramesOf(sender).back().payload);
  EXPECT_EQ(std::get<SendAnswer>(answer.value()).id, 7U);
  EXPECT_EQ(std::get<SendAnswer>(answer.value()).result, Delivery::kDelivered);
}

TEST_F(HubTest, SaysOfflineWhenTheTargetGoesBeforeItHasTakenAll) {
  const ConnectionId reader = LogIn(alice_);
  const ConnectionId sender = LogIn(bob_);
  StreamOf(reader);
  stuck_.insert(reader);
  GiveFrame(sender, Opcode::kText, Serialize(SendRequest{DerivePublicKey(alice_), 7, "Zm9v"}));

  hub_.HandleClosed(now_, reader);

  const auto answer = ParseServerFrame(FramesOf(sender).back().payload);
  EXPECT_EQ(std::get<SendAnswer>(answer.value()).result, Delivery::kOffline);
}

TEST_F(HubTest, LimitsWhatWaitsForOneNode) {
  const ConnectionId reader = LogIn(alice_);
  StreamOf(reader);
  stuck_.insert(reader);
  for (const int count : {40, 40}) {
    LogIn(GeneratePrivateKey(random_));
    for (int i = 0; i < count; ++i) {
      GiveFrame(
          last_, Opcode::kText,
          Serialize(SendRequest{DerivePublicKey(alice_), static_cast<std::uint64_t>(i), "Zm9v"}));
    }
  }

  EXPECT_EQ(hub_.counters().limited, 80 - Hub::kMaxUndelivered);
  hub_.HandleWritten(now_, reader, StreamOf(reader).written.size());
  EXPECT_EQ(hub_.counters().delivered, Hub::kMaxUndelivered);
}

TEST_F(HubTest, CountsOnlyWhatIsNotWritten) {
  LogIn(alice_);
  const ConnectionId sender = LogIn(bob_);
  const std::string box(kMaxBoxSize, 'a');
  for (std::uint64_t i = 0; i < 60; ++i) {
    GiveFrame(sender, Opcode::kText, Serialize(SendRequest{DerivePublicKey(alice_), i, box}));
    StreamOf(sender);
  }

  EXPECT_EQ(hub_.counters().delivered, 60U);
}

TEST_F(HubTest, SurvivesANodeThatFloodsItself) {
  const ConnectionId id = LogIn(alice_);
  const std::string box(kMaxBoxSize, 'a');
  std::vector<std::uint8_t> flood;
  for (std::uint64_t i = 0; i < 60; ++i) {
    const std::string text = Serialize(SendRequest{DerivePublicKey(alice_), i, box});
    const auto frame = SerializeMaskedFrame(Opcode::kText, AsBytes(text), random_);
    flood.insert(flood.end(), frame.begin(), frame.end());
  }

  hub_.HandleBytes(now_, id, flood);

  EXPECT_EQ(StreamOf(id).closed, HubClose::Mode::kAbort);
  EXPECT_EQ(hub_.connections(), 0U);
}

TEST_F(HubTest, BoundsThePongsOfAReaderThatDoesNotRead) {
  const ConnectionId id = OpenWebSocket();
  for (int i = 0; i < 3000; ++i) {
    GiveFrame(id, Opcode::kPing, std::string(kMaxControlPayload, 'a'));
  }

  EXPECT_EQ(StreamOf(id).closed, HubClose::Mode::kAbort);
}

TEST_F(HubTest, LetsMessagesThroughAgainAsTokensComeBack) {
  const ConnectionId sender = LogIn(alice_);
  const std::string send = Serialize(SendRequest{DerivePublicKey(bob_), 1, "Zm9v"});
  for (int i = 0; i < 61; ++i) {
    GiveFrame(sender, Opcode::kText, send);
  }
  EXPECT_EQ(hub_.counters().offline, 60U);
  EXPECT_EQ(hub_.counters().limited, 1U);

  now_ += milliseconds(50);
  GiveFrame(sender, Opcode::kText, send);

  EXPECT_EQ(hub_.counters().offline, 61U);
}

}  // namespace
}  // namespace floe::signaling
