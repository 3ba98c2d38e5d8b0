#include "app/control/client.h"

#include <algorithm>
#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>

#include "app/control/sample_status.h"
#include "tests/support/temporary_directory.h"

namespace floe::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kPatience{10};  // Far more than any of this takes.

/// Accepts one connection, reads one line, writes `answer` in small pieces, and hangs up.
class FakeDaemon {
 public:
  FakeDaemon(const std::string& path, std::string answer)
      : listener_(socket(AF_UNIX, SOCK_STREAM, 0)), answer_(std::move(answer)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path, std::begin(address.sun_path));
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    EXPECT_EQ(listen(listener_.get(), 1), 0);
    thread_ = std::thread([this] { Run(); });
  }

  ~FakeDaemon() {
    shutdown(listener_.get(), SHUT_RDWR);  // Wakes it if nobody came.
    Join();
  }

  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;

  /// What it was asked.
  const std::string& request() {
    Join();
    return request_;
  }

 private:
  void Join() {
    if (thread_.joinable()) {
      thread_.join();
    }
  }

  void Run() {
    const UniqueFd peer(accept(listener_.get(), nullptr, nullptr));
    char c = 0;
    while (recv(peer.get(), &c, 1, 0) == 1 && c != '\n') {
      request_ += c;
    }
    constexpr std::size_t kPiece = 7;
    for (std::size_t at = 0; at < answer_.size(); at += kPiece) {
      const std::string piece = answer_.substr(at, kPiece);
      send(peer.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
    }
  }

  UniqueFd listener_;
  std::string answer_;
  std::string request_;
  std::thread thread_;
};

class ClientTest : public testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return (directory_.path() / "floe.sock").native(); }

  [[nodiscard]] ClientErrorKind ErrorOfAsking(Duration patience = kPatience) const {
    const auto reply = Ask(path(), StatusRequest{}, patience);
    EXPECT_FALSE(reply.has_value());
    return reply ? ClientErrorKind{} : reply.error().kind;
  }

  floe::test::TemporaryDirectory directory_;
};

TEST_F(ClientTest, AsksAndIsAnswered) {
  FakeDaemon daemon(path(), Serialize(StatusReply{test::SampleStatus()}) + "\n");

  const auto reply = Ask(path(), StatusRequest{}, kPatience);

  ASSERT_TRUE(reply.has_value()) << reply.error().context;
  EXPECT_EQ(*reply, Reply(StatusReply{test::SampleStatus()}));
  EXPECT_EQ(daemon.request(), R"({"verb":"status"})");
}

TEST_F(ClientTest, ReturnsRepliesOneByOne) {
  const FakeDaemon daemon(path(), Serialize(TimeoutReply{1}) + "\n" + Serialize(TimeoutReply{2}) +
                                      "\n" + Serialize(SummaryReply{2, 0}) + "\n");
  const TimePoint deadline = std::chrono::steady_clock::now() + kPatience;
  auto client = Client::Connect(path());
  ASSERT_TRUE(client.has_value());
  ASSERT_TRUE(client->Send(PingRequest{.peer = "b"}, deadline).has_value());

  EXPECT_EQ(client->Receive(deadline).value(), Reply(TimeoutReply{1}));
  EXPECT_EQ(client->Receive(deadline).value(), Reply(TimeoutReply{2}));
  EXPECT_EQ(client->Receive(deadline).value(), Reply(SummaryReply{2, 0}));
  EXPECT_EQ(client->Receive(deadline).error().kind, ClientErrorKind::kClosed);
}

TEST_F(ClientTest, SaysThatNobodyIsThere) {
  EXPECT_EQ(ErrorOfAsking(), ClientErrorKind::kNotRunning);
}

TEST_F(ClientTest, SaysThatNobodyListensAnyMore) {
  {
    const FakeDaemon daemon(path(), "{\"ok\":true}\n");
    EXPECT_TRUE(Ask(path(), StatusRequest{}, kPatience).has_value());
  }
  EXPECT_EQ(ErrorOfAsking(), ClientErrorKind::kNotRunning);
}

TEST_F(ClientTest, RefusesANameNoSocketCanHave) {
  EXPECT_EQ(Client::Connect(std::string(108, 'x')).error().kind, ClientErrorKind::kBadPath);
  EXPECT_EQ(Client::Connect("").error().kind, ClientErrorKind::kBadPath);
}

TEST_F(ClientTest, SaysThatTheDaemonHungUp) {
  const FakeDaemon daemon(path(), R"({"ok":tr)");
  EXPECT_EQ(ErrorOfAsking(), ClientErrorKind::kClosed);
}

TEST_F(ClientTest, RefusesWhatIsNoReply) {
  const FakeDaemon daemon(path(), "220 ready\n");
  EXPECT_EQ(ErrorOfAsking(), ClientErrorKind::kBadReply);
}

TEST_F(ClientTest, DoesNotWaitForever) {
  const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(path(), std::begin(address.sun_path));
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);

  EXPECT_EQ(ErrorOfAsking(milliseconds(1)), ClientErrorKind::kTimedOut);
}

TEST(ClientErrorTest, HasTheExitCodesScriptsLeanOn) {
  EXPECT_EQ(ExitCodeOf(ClientErrorKind::kBadPath), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeOf(ClientErrorKind::kNotRunning), ExitCode::kNotRunning);
  EXPECT_EQ(ExitCodeOf(ClientErrorKind::kNotPermitted), ExitCode::kNotPermitted);
  EXPECT_EQ(ExitCodeOf(ClientErrorKind::kTimedOut), ExitCode::kTimedOut);
  EXPECT_EQ(ExitCodeOf(ClientErrorKind::kClosed), ExitCode::kNo);
  EXPECT_EQ(ExitCodeOf(ClientErrorKind::kBadReply), ExitCode::kNo);
  EXPECT_EQ(ExitCodeOf(ClientErrorKind::kFailed), ExitCode::kNo);
}

}  // namespace
}  // namespace floe::control
