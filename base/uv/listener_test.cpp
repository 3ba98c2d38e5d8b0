#include "base/uv/listener.h"

#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "tests/support/run_loop.h"

namespace floe::uv {
namespace {

using std::chrono::seconds;

class ListenerTest : public ::testing::Test {
 protected:
  void TearDown() override { unlink(path_.c_str()); }

  std::unique_ptr<Loop> loop_ = *Loop::Make();
  std::string path_ = ::testing::TempDir() + "floe-listener-" + std::to_string(getpid());
};

TEST_F(ListenerTest, SaysThatAPortIsInUse) {
  const auto any = *ParseSocketAddress("127.0.0.1:0");
  const auto first = Listener::ListenTcp(*loop_, any, [](auto) {});
  ASSERT_TRUE(first) << first.error().context;
  const auto address = *(*first)->local_address();

  const auto second = Listener::ListenTcp(*loop_, address, [](auto) {});

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, std::errc::address_in_use);
  EXPECT_EQ(second.error().context, "listen on " + ToString(address));
}

TEST_F(ListenerTest, LeavesIpv4ToAnotherListener) {
  const auto v6 = Listener::ListenTcp(*loop_, *ParseSocketAddress("[::]:0"), [](auto) {});
  ASSERT_TRUE(v6);
  const SocketAddress same_port{.ip = {}, .port = (*v6)->local_address()->port};

  EXPECT_TRUE(Listener::ListenTcp(*loop_, same_port, [](auto) {}));
}

TEST_F(ListenerTest, AcceptsOnAUnixSocketAndKnowsWhoItIs) {
  std::unique_ptr<Stream> server;
  std::string received;
  const auto listener = Listener::ListenPipe(*loop_, path_, 0600, [&](auto stream) {
    server = std::move(stream);
    server->Start({.on_data = [&](Bytes data) {
      received += AsText(data);
      loop_->Stop();
    }});
  });
  ASSERT_TRUE(listener) << listener.error().context;
  const auto client = Stream::ConnectPipe(*loop_, path_, Loop::Now() + seconds(9));
  ASSERT_TRUE(client);
  (*client)->Start({});

  (*client)->Write(AsBytes("status"));
  test::RunLoop(*loop_);

  EXPECT_EQ(received, "status");
  const auto peer = server->peer_credentials();
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->process, getpid());
  EXPECT_EQ(peer->user, geteuid());
  EXPECT_EQ(peer->group, getegid());
  EXPECT_FALSE(server->remote_address());
}

TEST_F(ListenerTest, GivesTheSocketFileItsModeAndTakesItAway) {
  auto listener = Listener::ListenPipe(*loop_, path_, 0620, [](auto) {});
  ASSERT_TRUE(listener);
  struct stat status{};
  ASSERT_EQ(lstat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0620U);

  listener->reset();

  EXPECT_NE(lstat(path_.c_str(), &status), 0);
}

TEST_F(ListenerTest, ReplacesTheFileOfADeadProcess) {
  {
    const UniqueFd dead(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }

  const auto listener = Listener::ListenPipe(*loop_, path_, 0600, [](auto) {});

  EXPECT_TRUE(listener) << listener.error().context;
}

TEST_F(ListenerTest, LeavesTheFileOfALivingProcess) {
  const auto first = Listener::ListenPipe(*loop_, path_, 0600, [](auto) {});
  ASSERT_TRUE(first);

  const auto second = Listener::ListenPipe(*loop_, path_, 0600, [](auto) {});

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, std::errc::address_in_use);
  EXPECT_EQ(access(path_.c_str(), F_OK), 0);
}

TEST_F(ListenerTest, LeavesAFileThatIsNoSocket) {
  const UniqueFd file(creat(path_.c_str(), 0600));
  ASSERT_TRUE(file);

  const auto listener = Listener::ListenPipe(*loop_, path_, 0600, [](auto) {});

  EXPECT_FALSE(listener);
  EXPECT_EQ(access(path_.c_str(), F_OK), 0);
}

TEST_F(ListenerTest, RefusesAPathThatDoesNotFit) {
  const auto listener =
      Listener::ListenPipe(*loop_, "/tmp/" + std::string(200, 'p'), 0600, [](auto) {});

  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().code, std::errc::filename_too_long);
}

TEST_F(ListenerTest, MayBeDestroyedByItsCallback) {
  std::unique_ptr<Stream> server;
  std::unique_ptr<Listener> listener;
  auto made = Listener::ListenTcp(*loop_, *ParseSocketAddress("127.0.0.1:0"), [&](auto stream) {
    server = std::move(stream);
    listener.reset();
    loop_->Stop();
  });
  ASSERT_TRUE(made);
  listener = std::move(*made);
  const auto client =
      Stream::ConnectTcp(*loop_, *listener->local_address(), Loop::Now() + seconds(9));
  ASSERT_TRUE(client);

  test::RunLoop(*loop_);

  EXPECT_EQ(listener, nullptr);
  EXPECT_NE(server, nullptr);
}

}  // namespace
}  // namespace floe::uv
