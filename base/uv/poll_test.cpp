#include "base/uv/poll.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <memory>
#include <sys/socket.h>
#include <tuple>
#include <unistd.h>

#include "base/unique_fd.h"
#include "tests/support/run_loop.h"

namespace floe::uv {
namespace {

class PollTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> fds{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
    ours_ = UniqueFd(fds[0]);
    theirs_ = UniqueFd(fds[1]);
  }

  std::unique_ptr<Loop> loop_ = *Loop::Make();
  UniqueFd ours_;
  UniqueFd theirs_;
};

TEST_F(PollTest, TellsOfWhatCanBeRead) {
  char byte = 0;
  const auto poll = Poll::Make(*loop_, ours_.get(), [&] {
    EXPECT_EQ(read(ours_.get(), &byte, 1), 1);
    loop_->Stop();
  });
  ASSERT_TRUE(poll) << poll.error().context;

  (*poll)->Watch(Interest::kReadable);
  ASSERT_EQ(write(theirs_.get(), "x", 1), 1);
  test::RunLoop(*loop_);

  EXPECT_EQ(byte, 'x');
}

TEST_F(PollTest, CallsAgainUntilItIsRead) {
  int calls = 0;
  const auto poll = Poll::Make(*loop_, ours_.get(), [&] {
    if (++calls == 3) {
      loop_->Stop();
    }
  });
  ASSERT_TRUE(poll);

  (*poll)->Watch(Interest::kReadable);
  ASSERT_EQ(write(theirs_.get(), "x", 1), 1);
  test::RunLoop(*loop_);

  EXPECT_EQ(calls, 3);
}

TEST_F(PollTest, TellsOfRoomToWriteOnlyWhereThatIsWatched) {
  int writable = 0;
  const auto poll = Poll::Make(
      *loop_, ours_.get(), [] { FAIL() << "nothing to read"; },
      [&] {
        ++writable;
        loop_->Stop();
      });
  ASSERT_TRUE(poll);

  (*poll)->Watch(Interest::kReadable);
  uv_run(loop_->raw(), UV_RUN_NOWAIT);
  EXPECT_EQ(writable, 0);
  (*poll)->Watch(Interest::kBoth);
  test::RunLoop(*loop_);

  EXPECT_EQ(writable, 1);
}

TEST_F(PollTest, WatchesNothingAfterNone) {
  const auto poll = Poll::Make(*loop_, ours_.get(), [] { FAIL() << "not watched"; });
  ASSERT_TRUE(poll);
  ASSERT_EQ(write(theirs_.get(), "x", 1), 1);

  (*poll)->Watch(Interest::kReadable);
  (*poll)->Watch(Interest::kNone);
  test::RunLoop(*loop_);
}

TEST_F(PollTest, MayBeDestroyedByTheFirstOfTwoCallbacks) {
  std::unique_ptr<Poll> poll;
  auto made =
      Poll::Make(*loop_, ours_.get(), [&] { poll.reset(); }, [] { FAIL() << "the poll is gone"; });
  ASSERT_TRUE(made);
  poll = std::move(*made);
  ASSERT_EQ(write(theirs_.get(), "x", 1), 1);

  poll->Watch(Interest::kBoth);
  test::RunLoop(*loop_);

  EXPECT_EQ(poll, nullptr);
}

TEST_F(PollTest, GoesOnAfterANetlinkSocketHasOverflowed) {
  // A dump that does not fit the receive buffer leaves ENOBUFS on the socket, which epoll reports
  // as an error and libuv answers by not watching any more.
  const UniqueFd netlink(
      socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE));
  ASSERT_TRUE(netlink);
  const int one_byte = 1;  // The kernel makes that its minimum, of about 2 KiB.
  ASSERT_EQ(setsockopt(netlink.get(), SOL_SOCKET, SO_RCVBUF, &one_byte, sizeof(one_byte)), 0);

  struct {
    nlmsghdr header;
    rtgenmsg body;
  } request{};

  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = 0xFFF;  // Unknown, so each is answered by an error.
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  for (int i = 0; i < 64; ++i) {
    std::ignore = send(netlink.get(), &request, sizeof(request), 0);
  }
  bool overflowed = false;
  int reads = 0;
  const auto poll = Poll::Make(*loop_, netlink.get(), [&] {
    std::array<char, 4096> buffer{};
    const ssize_t size = recv(netlink.get(), buffer.data(), buffer.size(), 0);
    overflowed = overflowed || (size < 0 && errno == ENOBUFS);
    reads += size > 0 ? 1 : 0;
    if (overflowed && reads > 0) {
      loop_->Stop();
    }
  });
  ASSERT_TRUE(poll);

  (*poll)->Watch(Interest::kReadable);
  test::RunLoop(*loop_);

  EXPECT_TRUE(overflowed);
  EXPECT_GT(reads, 0);
}

TEST_F(PollTest, RefusesAFile) {
  const UniqueFd file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(file);

  EXPECT_FALSE(Poll::Make(*loop_, file.get(), [] {}));
}

}  // namespace
}  // namespace floe::uv
