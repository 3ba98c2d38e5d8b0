#include "base/uv/stream.h"

#include <chrono>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

#include "base/uv/listener.h"
#include "tests/support/network_namespace.h"
#include "tests/support/run_loop.h"

namespace floe::uv {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Closed {
  CloseReason reason;
  Error error;
};

const SocketAddress kAnyLoopback = *ParseSocketAddress("127.0.0.1:0");

class StreamTest : public ::testing::Test {
 protected:
  /// Connects client_ to a listener and runs until server_ has accepted it. Neither is started.
  void Connect() {
    auto listener = Listener::ListenTcp(*loop_, kAnyLoopback, [this](auto stream) {
      server_ = std::move(stream);
      loop_->Stop();
    });
    ASSERT_TRUE(listener) << listener.error().context;
    listener_ = std::move(*listener);
    auto client = Stream::ConnectTcp(*loop_, *listener_->local_address(), Loop::Now() + seconds(9));
    ASSERT_TRUE(client) << client.error().context;
    client_ = std::move(*client);
    test::RunLoop(*loop_);
    ASSERT_NE(server_, nullptr);
  }

  /// A handler that remembers the reason and stops the loop.
  auto Remember(std::optional<Closed>& closed) {
    return [this, &closed](CloseReason reason, const Error& error) {
      closed = Closed{reason, error};
      loop_->Stop();
    };
  }

  std::unique_ptr<Loop> loop_ = *Loop::Make();
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Stream> server_;
  std::unique_ptr<Stream> client_;
};

TEST_F(StreamTest, SendsWhatWasWrittenBeforeItWasConnected) {
  std::string received;
  bool connected = false;
  auto listener = Listener::ListenTcp(*loop_, kAnyLoopback, [&](auto stream) {
    server_ = std::move(stream);
    server_->Start({.on_data = [&](Bytes data) {
      received += AsText(data);
      if (received.size() == 5) {
        loop_->Stop();
      }
    }});
  });
  ASSERT_TRUE(listener);
  auto client = Stream::ConnectTcp(*loop_, *(*listener)->local_address(), Loop::Now() + seconds(9));
  ASSERT_TRUE(client);
  EXPECT_EQ((*client)->state(), Stream::State::kConnecting);
  (*client)->Start({.on_connect = [&] { connected = true; }});

  (*client)->Write(AsBytes("hello"));
  EXPECT_EQ((*client)->write_queue_size(), 5U);
  test::RunLoop(*loop_);

  EXPECT_EQ(received, "hello");
  EXPECT_TRUE(connected);
  EXPECT_EQ((*client)->state(), Stream::State::kOpen);
  EXPECT_EQ((*client)->write_queue_size(), 0U);
}

TEST_F(StreamTest, KnowsTheAddressesOfBothEnds) {
  Connect();

  EXPECT_EQ(*client_->remote_address(), *listener_->local_address());
  EXPECT_EQ(*client_->local_address(), *server_->remote_address());
  EXPECT_FALSE(client_->peer_credentials());
}

TEST_F(StreamTest, CountsWhatTheKernelDoesNotTakeAndTellsWhenItIsGone) {
  Connect();
  const std::string chunk(1 << 20, 'x');
  std::size_t received = 0;
  bool drained = false;
  client_->Start({.on_drain = [&] {
    drained = true;
    EXPECT_EQ(client_->write_queue_size(), 0U);
  }});

  std::size_t written = 0;
  while (client_->write_queue_size() == 0) {  // The server is not reading yet.
    client_->Write(AsBytes(chunk));
    written += chunk.size();
  }
  client_->Write(AsBytes(chunk));
  written += chunk.size();
  EXPECT_GE(client_->write_queue_size(), chunk.size());
  server_->Start({.on_data = [&](Bytes data) {
    received += data.size();
    if (received == written) {
      loop_->Stop();
    }
  }});
  test::RunLoop(*loop_);
  uv_run(loop_->raw(), UV_RUN_NOWAIT);

  EXPECT_EQ(received, written);
  EXPECT_TRUE(drained);
}

TEST_F(StreamTest, AnswersOnAHalfClosedConnectionThenBothEnd) {
  Connect();
  std::string question;
  std::string answer;
  std::optional<Closed> server_closed;
  std::optional<Closed> client_closed;
  server_->Start({.on_data = [&](Bytes data) { question += AsText(data); },
                  .on_end =
                      [&] {
                        server_->Write(AsBytes("answer to " + question));
                        server_->Shutdown();
                      },
                  .on_close = [&](CloseReason reason,
                                  const Error& error) { server_closed = Closed{reason, error}; }});
  client_->Start({.on_data = [&](Bytes data) { answer += AsText(data); },
                  .on_close = Remember(client_closed)});

  client_->Write(AsBytes("question"));
  client_->Shutdown();
  client_->Write(AsBytes("ignored"));
  test::RunLoop(*loop_);

  EXPECT_EQ(answer, "answer to question");
  ASSERT_TRUE(client_closed);
  EXPECT_EQ(client_closed->reason, CloseReason::kEnded);
  ASSERT_TRUE(server_closed);
  EXPECT_EQ(server_closed->reason, CloseReason::kEnded);
}

TEST_F(StreamTest, StaysOpenAfterTheOtherSideEndedIfSomeoneHandlesThat) {
  Connect();
  bool ended = false;
  server_->Start({.on_end =
                      [&] {
                        ended = true;
                        loop_->Stop();
                      },
                  .on_close = [](CloseReason, const Error&) { FAIL() << "still open"; }});

  client_->Start({});
  client_->Shutdown();
  test::RunLoop(*loop_);

  EXPECT_TRUE(ended);
  EXPECT_EQ(server_->state(), Stream::State::kOpen);
}

TEST_F(StreamTest, ClosesWhenTheOtherSideEndsAndNobodyHandlesThat) {
  Connect();
  std::optional<Closed> closed;
  server_->Start({.on_close = Remember(closed)});

  client_.reset();
  test::RunLoop(*loop_);

  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->reason, CloseReason::kEnded);
  EXPECT_EQ(server_->state(), Stream::State::kClosed);
  EXPECT_FALSE(server_->remote_address());
}

TEST_F(StreamTest, FailsWhenItIsReset) {
  Connect();
  std::optional<Closed> closed;
  client_->Start({.on_close = Remember(closed)});

  // A close with unread bytes resets the connection.
  client_->Write(AsBytes("never read"));
  server_.reset();
  test::RunLoop(*loop_);

  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->reason, CloseReason::kFailed);
  EXPECT_EQ(closed->error.code, std::errc::connection_reset);
}

TEST_F(StreamTest, IgnoresWhatIsDoneToItOnceClosed) {
  Connect();
  std::optional<Closed> closed;
  server_->Start({.on_close = Remember(closed)});
  client_.reset();
  test::RunLoop(*loop_);
  ASSERT_TRUE(closed);

  server_->Write(AsBytes("too late"));
  server_->Shutdown();

  EXPECT_EQ(server_->write_queue_size(), 0U);
}

TEST_F(StreamTest, SaysThatItWasRefused) {
  std::optional<Closed> closed;
  auto listener = Listener::ListenTcp(*loop_, kAnyLoopback, [](auto) {});
  ASSERT_TRUE(listener);
  const SocketAddress nobody = *(*listener)->local_address();
  listener->reset();

  auto client = Stream::ConnectTcp(*loop_, nobody, Loop::Now() + seconds(9));
  ASSERT_TRUE(client);
  (*client)->Start(
      {.on_connect = [] { FAIL() << "nobody listens"; }, .on_close = Remember(closed)});
  test::RunLoop(*loop_);

  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->reason, CloseReason::kConnectFailed);
  EXPECT_EQ(closed->error.code, std::errc::connection_refused);
  EXPECT_EQ(closed->error.context, "connect " + ToString(nobody));
}

TEST_F(StreamTest, GivesUpAtTheDeadline) {
  // A full backlog leaves the SYN unanswered: 0 lets one connection in, and here are three more.
  const UniqueFd full(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  ASSERT_EQ(listen(full.get(), 0), 0);  // On 0.0.0.0 and a port of the kernel's choice.
  ASSERT_EQ(getsockname(full.get(), reinterpret_cast<sockaddr*>(&bound), &size), 0);
  SocketAddress remote = kAnyLoopback;
  remote.port = ntohs(reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
  auto first = Stream::ConnectTcp(*loop_, remote, Loop::Now() + seconds(9));
  ASSERT_TRUE(first);
  (*first)->Start({.on_connect = [&] { loop_->Stop(); }});
  test::RunLoop(*loop_);

  std::optional<Closed> closed;
  const TimePoint deadline = Loop::Now() + milliseconds(50);
  auto client = Stream::ConnectTcp(*loop_, remote, deadline);
  ASSERT_TRUE(client);
  (*client)->Start(
      {.on_connect = [] { FAIL() << "nobody accepts"; }, .on_close = Remember(closed)});
  test::RunLoop(*loop_);

  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->reason, CloseReason::kTimedOut);
  EXPECT_EQ(closed->error.code, std::errc::timed_out);
  EXPECT_GE(Loop::Now(), deadline);
}

TEST_F(StreamTest, SaysNothingWhenItsOwnerDestroysItWhileConnecting) {
  auto listener = Listener::ListenTcp(*loop_, kAnyLoopback, [](auto) {});
  ASSERT_TRUE(listener);
  auto client = Stream::ConnectTcp(*loop_, *(*listener)->local_address(), Loop::Now() + seconds(9));
  ASSERT_TRUE(client);
  (*client)->Start({.on_connect = [] { FAIL() << "destroyed"; },
                    .on_close = [](CloseReason, const Error&) { FAIL() << "destroyed"; }});

  (*client)->Write(AsBytes("dropped"));
  client->reset();
  uv_run(loop_->raw(), UV_RUN_NOWAIT);
}

TEST_F(StreamTest, MayBeDestroyedByItsDataHandler) {
  Connect();
  server_->Start({.on_data = [&](Bytes) {
    server_.reset();
    loop_->Stop();
  }});

  client_->Start({});
  client_->Write(AsBytes("x"));
  test::RunLoop(*loop_);

  EXPECT_EQ(server_, nullptr);
}

TEST_F(StreamTest, MayBeDestroyedByItsCloseHandler) {
  Connect();
  server_->Start({.on_close = [&](CloseReason, const Error&) {
    server_.reset();
    loop_->Stop();
  }});

  client_.reset();
  test::RunLoop(*loop_);

  EXPECT_EQ(server_, nullptr);
}

TEST_F(StreamTest, RefusesAPathThatDoesNotFit) {
  const auto stream = Stream::ConnectPipe(*loop_, std::string(200, 'p'), Loop::Now() + seconds(9));

  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, std::errc::filename_too_long);
}

TEST_F(StreamTest, SaysThatASocketFileIsMissing) {
  std::optional<Closed> closed;
  auto stream = Stream::ConnectPipe(*loop_, "/nowhere/floe.sock", Loop::Now() + seconds(9));
  ASSERT_TRUE(stream);
  (*stream)->Start({.on_close = Remember(closed)});

  test::RunLoop(*loop_);

  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->reason, CloseReason::kConnectFailed);
  EXPECT_EQ(closed->error.code, std::errc::no_such_file_or_directory);
}

using StreamNamespaceTest = test::NetworkNamespaceTest;

TEST_F(StreamNamespaceTest, FailsAtOnceWithoutARoute) {
  const auto loop = *Loop::Make();

  const auto stream =
      Stream::ConnectTcp(*loop, *ParseSocketAddress("192.0.2.1:443"), Loop::Now() + seconds(9));

  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, std::errc::network_unreachable);
  EXPECT_EQ(stream.error().context, "connect 192.0.2.1:443");
}

}  // namespace
}  // namespace floe::uv
