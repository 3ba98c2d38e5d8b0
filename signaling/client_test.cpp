#include "signaling/client.h"

#include <chrono>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "signaling/login_proof.h"
#include "signaling/upgrade.h"
#include "tests/support/fake_random.h"

namespace floe::signaling {
namespace {

using std::chrono::seconds;
using State = Client::State;

/// A client and the test in the place of its server.
class ClientTest : public ::testing::Test {
 protected:
  void Serve(std::string_view text) { client_.HandleBytes(now_, AsBytes(text)); }

  void ServeFrame(Opcode opcode, std::string_view payload) {
    client_.HandleBytes(now_, SerializeFrame(opcode, AsBytes(payload)));
  }

  template <typename Frame>
  void ServeFrame(const Frame& frame) {
    ServeFrame(Opcode::kText, Serialize(frame));
  }

  /// Takes all actions: what was written goes to written_, the others are counted.
  void Drain() {
    while (auto action = client_.PollAction()) {
      if (const Write* write = std::get_if<Write>(&*action)) {
        written_.insert(written_.end(), write->bytes.begin(), write->bytes.end());
      } else if (std::holds_alternative<Connect>(*action)) {
        ++connects_;
      } else {
        ++disconnects_;
      }
    }
    while (auto event = client_.PollEvent()) {
      events_.push_back(std::move(*event));
    }
  }

  /// The WebSocket events the client has written, behind its HTTP request.
  std::vector<WebSocketEvent> WrittenFrames() {
    Drain();
    const std::string_view text = AsText(written_);
    WebSocketReader reader(WebSocketRole::kServer, kMaxClientMessage);
    Bytes input = Bytes(written_).subspan(text.find("\r\n\r\n") + 4);
    std::vector<WebSocketEvent> frames;
    while (auto frame = reader.Read(input)) {
      frames.push_back(std::move(*frame));
    }
    return frames;
  }

  std::string UpgradeResponse() {
    Drain();
    const auto request = ParseHttpRequest(AsText(written_));
    EXPECT_TRUE(request.has_value());
    return AnswerUpgrade(request.value(), kDefaultPath).response;
  }

  void Reach(State state) {
    client_.Start(now_);
    if (state == State::kConnecting) {
      return;
    }
    client_.HandleConnected(now_);
    if (state == State::kUpgrading) {
      return;
    }
    Serve(UpgradeResponse());
    if (state == State::kGreeting) {
      return;
    }
    ServeFrame(challenge_);
    if (state == State::kProving) {
      return;
    }
    ServeFrame(welcome_);
  }

  std::string LogoutReason() {
    Drain();
    const auto* out = events_.empty() ? nullptr : std::get_if<LoggedOut>(&events_.back());
    return out == nullptr ? "" : out->reason;
  }

  test::FakeRandom random_;
  PrivateKey server_ = GeneratePrivateKey(random_);
  Challenge challenge_{.key = DerivePublicKey(server_)};
  Welcome welcome_{.you = {IpAddress::V4(192, 0, 2, 1), 1}, .ping = seconds(30)};
  PrivateKey key_ = GeneratePrivateKey(random_);
  PublicKey public_key_ = DerivePublicKey(key_);
  Client client_{{ParseUrl("ws://floe.example").value()}, key_, public_key_, random_};
  TimePoint now_{};
  std::vector<std::uint8_t> written_;
  std::vector<ClientEvent> events_;
  int connects_ = 0;
  int disconnects_ = 0;
};

constexpr State kWithStream[] = {State::kConnecting, State::kUpgrading, State::kGreeting,
                                 State::kProving, State::kLoggedIn};

TEST_F(ClientTest, ReachesEveryStateInTurn) {
  EXPECT_EQ(client_.state(), State::kStopped);
  EXPECT_EQ(client_.NextTimeout(), std::nullopt);
  client_.Start(now_);
  EXPECT_EQ(client_.state(), State::kConnecting);
  client_.HandleConnected(now_);
  EXPECT_EQ(client_.state(), State::kUpgrading);
  Serve(UpgradeResponse());
  EXPECT_EQ(client_.state(), State::kGreeting);
  ServeFrame(challenge_);
  EXPECT_EQ(client_.state(), State::kProving);
  ServeFrame(welcome_);
  EXPECT_EQ(client_.state(), State::kLoggedIn);
}

TEST_F(ClientTest, ProvesItsKey) {
  Reach(State::kProving);

  const auto frames = WrittenFrames();

  ASSERT_EQ(frames.size(), 1U);
  const auto frame = ParseClientFrame(frames[0].payload);
  ASSERT_TRUE(frame.has_value());
  EXPECT_TRUE(VerifyLoginProof(server_, challenge_, std::get<Hello>(frame.value())));
}

TEST_F(ClientTest, ReadsTheWholeLoginInOneChunkOrByteByByte) {
  for (const bool whole : {true, false}) {
    client_.Stop(now_);
    Drain();
    written_.clear();
    Reach(State::kUpgrading);
    std::string stream = UpgradeResponse();
    for (const std::string& text : {Serialize(challenge_), Serialize(welcome_)}) {
      stream += AsText(SerializeFrame(Opcode::kText, AsBytes(text)));
    }
    for (std::size_t at = 0; at < stream.size(); at += whole ? stream.size() : 1) {
      Serve(std::string_view(stream).substr(at, whole ? stream.size() : 1));
    }
    EXPECT_EQ(client_.state(), State::kLoggedIn);
  }
}

TEST_F(ClientTest, LeavesEveryStateWhenTheStreamEnds) {
  for (const State state : kWithStream) {
    client_.Stop(now_);
    Drain();
    written_.clear();
    Reach(state);
    ASSERT_EQ(client_.state(), state);

    client_.HandleClosed(now_, "gone\n");

    EXPECT_EQ(client_.state(), State::kWaiting);
    EXPECT_EQ(LogoutReason(), "gone?");
    EXPECT_LE(*client_.NextTimeout() - now_, Client::kMaxRetry);
  }
}

TEST_F(ClientTest, StopsInEveryState) {
  for (const State state : kWithStream) {
    Reach(state);
    ASSERT_EQ(client_.state(), state);
    Drain();
    written_.clear();
    const int disconnects = disconnects_;

    client_.Stop(now_);

    EXPECT_EQ(LogoutReason(), "stopped");
    EXPECT_EQ(disconnects_, disconnects + 1);
    EXPECT_EQ(client_.NextTimeout(), std::nullopt);
    written_.clear();
  }
}

TEST_F(ClientTest, IgnoresWhatComesWithoutAStream) {
  client_.HandleConnected(now_);
  client_.HandleBytes(now_, AsBytes("HTTP/1.1 200 OK\r\n\r\n"));
  client_.HandleClosed(now_, "gone");
  client_.HandleNetworkChange(now_);
  client_.HandleTimeout(now_);
  client_.Stop(now_);
  EXPECT_EQ(client_.state(), State::kStopped);
  EXPECT_FALSE(client_.PollAction().has_value());
  EXPECT_FALSE(client_.PollEvent().has_value());

  client_.Start(now_);
  client_.HandleClosed(now_, "gone");
  Drain();
  client_.HandleBytes(now_, AsBytes("HTTP/1.1 200 OK\r\n\r\n"));
  client_.HandleConnected(now_);
  client_.HandleClosed(now_, "gone");
  EXPECT_EQ(client_.state(), State::kWaiting);
  EXPECT_FALSE(client_.PollAction().has_value());
}

TEST_F(ClientTest, IgnoresASecondStartAndASecondConnected) {
  Reach(State::kUpgrading);
  client_.Start(now_);
  client_.HandleConnected(now_);
  Drain();

  EXPECT_EQ(client_.state(), State::kUpgrading);
  EXPECT_EQ(connects_, 1);
}

TEST_F(ClientTest, SaysWhyAnUpgradeFailed) {
  const std::pair<std::string, std::string> cases[] = {
      {"HTTP/1.1 502 Bad Gateway\r\n\r\n", "the server does not switch to WebSocket: status 502"},
      {"SSH-2.0-OpenSSH\r\n\r\n", "the server does not speak HTTP"},
      {"HTTP/1.1 101 Fine\r\n\r\n", "the server's upgrade headers are wrong"},
      {std::string(kMaxHeadSize, 'a'), "the server's answer is too large"},
  };
  for (const auto& [response, reason] : cases) {
    client_.Stop(now_);
    Reach(State::kUpgrading);
    Serve(response);
    EXPECT_EQ(LogoutReason(), reason);
    EXPECT_EQ(client_.state(), State::kWaiting);
  }
}

TEST_F(ClientTest, LeavesAServerThatSpeaksOutOfTurn) {
  const PublicKey someone;

  const struct {
    State state;
    std::string text;
  } cases[] = {
      {State::kGreeting, Serialize(welcome_)},
      {State::kGreeting, Serialize(SendAnswer{})},
      {State::kGreeting, Serialize(ReceivedBox{someone, "Zm9v"})},
      {State::kProving, Serialize(challenge_)},
      {State::kProving, Serialize(SendAnswer{})},
      {State::kProving, Serialize(ReceivedBox{someone, "Zm9v"})},
      {State::kLoggedIn, Serialize(challenge_)},
      {State::kLoggedIn, "not JSON"},
      {State::kGreeting, Serialize(Challenge{})},  // A key of small order.
  };

  for (const auto& one : cases) {
    client_.Stop(now_);
    Drain();
    written_.clear();
    Reach(one.state);
    ASSERT_EQ(client_.state(), one.state);

    ServeFrame(Opcode::kText, one.text);

    EXPECT_EQ(client_.state(), State::kWaiting) << one.text;
    EXPECT_EQ(WrittenFrames().back().kind, WebSocketEvent::Kind::kClose);
  }
}

TEST_F(ClientTest, SkipsFramesOfAKindItDoesNotKnow) {
  Reach(State::kLoggedIn);

  ServeFrame(Opcode::kText, R"({"t":"later"})");
  ServeFrame(SendAnswer{.id = 99});

  EXPECT_EQ(client_.state(), State::kLoggedIn);
}

TEST_F(ClientTest, AnswersPingsAndCloses) {
  Reach(State::kLoggedIn);
  ServeFrame(Opcode::kPing, "abc");
  EXPECT_EQ(WrittenFrames().back().kind, WebSocketEvent::Kind::kPong);
  EXPECT_EQ(WrittenFrames().back().payload, "abc");

  ServeFrame(Opcode::kClose, ClosePayload(CloseCode::kGoingAway, "restart"));
  EXPECT_EQ(WrittenFrames().back().kind, WebSocketEvent::Kind::kClose);
  EXPECT_EQ(WrittenFrames().back().code, CloseCode::kGoingAway);
  EXPECT_EQ(LogoutReason(), "closed by the server: restart");
  EXPECT_EQ(disconnects_, 1);
}

TEST_F(ClientTest, LeavesOnAViolationOrABinaryMessage) {
  Reach(State::kLoggedIn);
  ServeFrame(Opcode::kBinary, "abc");
  EXPECT_EQ(LogoutReason(), "the server sent a binary message");

  client_.Stop(now_);
  Drain();
  written_.clear();
  Reach(State::kLoggedIn);
  Serve("\xFF");
  Serve(std::string(1, '\0'));
  EXPECT_EQ(LogoutReason(), "the server broke the WebSocket protocol");
}

TEST_F(ClientTest, CountsOnlyThePongOfItsLatestPing) {
  Reach(State::kLoggedIn);
  const std::string ping = WrittenFrames().back().payload;

  ServeFrame(Opcode::kPong, "12345678");
  ServeFrame(Opcode::kPong, "");
  EXPECT_EQ(client_.rtt(), std::nullopt);
  now_ += seconds(1);
  ServeFrame(Opcode::kPong, ping);
  EXPECT_EQ(client_.rtt(), Duration(seconds(1)));

  now_ += seconds(1);
  ServeFrame(Opcode::kPong, ping);
  EXPECT_EQ(client_.rtt(), Duration(seconds(1))) << "a pong counts once";
}

TEST_F(ClientTest, PingsAsOftenAsTheServerAsks) {
  welcome_.ping = seconds(5);
  Reach(State::kLoggedIn);
  ServeFrame(Opcode::kPong, WrittenFrames().back().payload);

  EXPECT_EQ(client_.NextTimeout(), now_ + seconds(5));
}

TEST_F(ClientTest, AnswersAtOnceWithoutAConnection) {
  const std::uint64_t id = client_.Send(now_, challenge_.key, "Zm9v");
  Drain();

  ASSERT_EQ(events_.size(), 1U);
  const Answered& answered = std::get<Answered>(events_[0]);
  EXPECT_EQ(answered.id, id);
  EXPECT_EQ(answered.result, Answered::Result::kNotConnected);
}

TEST_F(ClientTest, BoundsWhatWaits) {
  Reach(State::kConnecting);
  for (std::size_t i = 0; i < Client::kMaxQueued; ++i) {
    client_.Send(now_, challenge_.key, "Zm9v");
  }
  Drain();
  EXPECT_TRUE(events_.empty());

  client_.Send(now_, challenge_.key, "Zm9v");
  Drain();
  EXPECT_EQ(std::get<Answered>(events_.back()).result, Answered::Result::kLimited);
}

TEST_F(ClientTest, BoundsWhatIsUnanswered) {
  Reach(State::kLoggedIn);
  for (std::size_t i = 0; i < Client::kMaxUnanswered; ++i) {
    client_.Send(now_, challenge_.key, "Zm9v");
  }
  client_.Send(now_, challenge_.key, "Zm9v");
  Drain();

  EXPECT_EQ(std::get<Answered>(events_.back()).result, Answered::Result::kLimited);
  ServeFrame(SendAnswer{.id = 1});
  client_.Send(now_, challenge_.key, "Zm9v");
  Drain();
  EXPECT_EQ(std::get<Answered>(events_.back()).result, Answered::Result::kDelivered);
}

TEST_F(ClientTest, FailsEachMessageOnceWhenTheConnectionIsLost) {
  Reach(State::kConnecting);
  client_.Send(now_, challenge_.key, "Zm9v");
  client_.HandleClosed(now_, "gone");
  client_.Stop(now_);
  Drain();

  int failed = 0;
  for (const ClientEvent& event : events_) {
    failed += std::holds_alternative<Answered>(event) ? 1 : 0;
  }
  EXPECT_EQ(failed, 1);
}

TEST_F(ClientTest, TriesSoonAgainAfterAStableLogin) {
  for (int i = 0; i < 20; ++i) {
    client_.Start(now_);
    client_.HandleClosed(now_, "refused");
    now_ = *client_.NextTimeout();
    client_.HandleTimeout(now_);
  }
  client_.HandleConnected(now_);
  Drain();
  written_.erase(written_.begin(), written_.end());
  client_.HandleClosed(now_, "refused");
  now_ = *client_.NextTimeout();
  client_.HandleTimeout(now_);
  client_.HandleConnected(now_);
  Serve(UpgradeResponse());
  ServeFrame(challenge_);
  ServeFrame(welcome_);
  ASSERT_EQ(client_.state(), State::kLoggedIn);

  now_ += Client::kStable;
  client_.HandleClosed(now_, "gone");

  EXPECT_LE(*client_.NextTimeout() - now_, Client::kFirstRetry);
}

}  // namespace
}  // namespace floe::signaling
