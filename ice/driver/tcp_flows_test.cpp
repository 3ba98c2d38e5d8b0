#include "ice/driver/tcp_flows.h"

#include <algorithm>
#include <cerrno>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "base/uv/poll.h"
#include "base/uv/timer.h"
#include "ice/candidate.h"
#include "tests/support/run_loop.h"

namespace floe::ice {
namespace {

const SocketAddress kActive{IpAddress::V4(127, 0, 0, 1), kActivePort, Transport::kTcp};

struct Packet {
  SocketAddress local;
  SocketAddress remote;
  std::string text;
};

class TcpFlowsTest : public ::testing::Test {
 protected:
  TcpFlows::Handlers Remember(std::vector<Packet>& packets) {
    return {.on_packet =
                [this, &packets](const SocketAddress& local, const SocketAddress& remote,
                                 Bytes packet) {
                  packets.push_back({local, remote, std::string(AsText(packet))});
                  loop_->Stop();
                },
            .on_gone =
                [this](const SocketAddress& local, const SocketAddress& remote) {
                  gone_.emplace_back(local, remote);
                  loop_->Stop();
                }};
  }

  [[nodiscard]] static SocketAddress Listen(TcpFlows& flows) {
    return flows.Listen({{kActive.ip, 0}}).at(0);
  }

  /// A connection that says nothing, from this address of the loopback network.
  [[nodiscard]] static UniqueFd Connect(std::uint8_t from, const SocketAddress& to) {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in name{.sin_family = AF_INET,
                     .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK - 1U + from)}};
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)), 0);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    name.sin_port = htons(to.port);
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)), 0);
    return fd;
  }

  /// How many of these the other side has not closed.
  [[nodiscard]] static long CountOpen(const std::vector<UniqueFd>& connections) {
    return std::ranges::count_if(connections, [](const UniqueFd& fd) {
      char byte = 0;
      return recv(fd.get(), &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
    });
  }

  /// Runs the loop until `done` or a deadline.
  template <typename Condition>
  [[nodiscard]] bool RunUntil(Condition done) {
    bool met = false;
    uv::Timer look(*loop_, [&] {
      met = done();
      met ? loop_->Stop() : look.ArmAt(uv::Loop::Now() + std::chrono::milliseconds(5));
    });
    while (!met && !HasFailure()) {  // A packet stops the loop as well.
      look.ArmAt(uv::Loop::Now());
      test::RunLoop(*loop_);
    }
    return met;
  }

  std::unique_ptr<uv::Loop> loop_ = *uv::Loop::Make();
  std::vector<Packet> at_active_;
  std::vector<Packet> at_passive_;
  std::vector<std::pair<SocketAddress, SocketAddress>> gone_;
  TcpFlows active_{*loop_, Remember(at_active_)};
  TcpFlows passive_{*loop_, Remember(at_passive_)};
};

TEST_F(TcpFlowsTest, CarriesPacketsBothWays) {
  const SocketAddress listening = Listen(passive_);
  EXPECT_EQ(listening.transport, Transport::kTcp);

  ASSERT_TRUE(active_.Send(kActive, listening, AsBytes("hello")));
  test::RunLoop(*loop_);
  ASSERT_EQ(at_passive_.size(), 1U);
  EXPECT_EQ(at_passive_[0].text, "hello");
  EXPECT_EQ(at_passive_[0].local, listening);
  EXPECT_EQ(at_passive_[0].remote.ip, kActive.ip);
  EXPECT_EQ(at_passive_[0].remote.transport, Transport::kTcp);

  ASSERT_TRUE(passive_.Send(at_passive_[0].local, at_passive_[0].remote, AsBytes("you too")));
  test::RunLoop(*loop_);
  ASSERT_EQ(at_active_.size(), 1U);
  EXPECT_EQ(at_active_[0].text, "you too");
  EXPECT_EQ(at_active_[0].local, kActive);
  EXPECT_EQ(at_active_[0].remote, listening);
}

TEST_F(TcpFlowsTest, APassiveCandidateConnectsToNobody) {
  const SocketAddress listening = Listen(passive_);

  EXPECT_FALSE(passive_.Send(listening, {kActive.ip, 4000, Transport::kTcp}, AsBytes("hello")));
}

TEST_F(TcpFlowsTest, SaysThatAConnectionWasRefused) {
  SocketAddress nobody;
  {
    TcpFlows closed(*loop_, {});
    nobody = Listen(closed);
  }

  ASSERT_TRUE(active_.Send(kActive, nobody, AsBytes("hello")));
  test::RunLoop(*loop_);

  ASSERT_EQ(gone_.size(), 1U);
  EXPECT_EQ(gone_[0], std::pair(kActive, nobody));
}

TEST_F(TcpFlowsTest, ConnectsOnceMoreAfterAReset) {
  const UniqueFd server(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  sockaddr_in name{.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof(name);
  ASSERT_EQ(bind(server.get(), reinterpret_cast<const sockaddr*>(&name), size), 0);
  ASSERT_EQ(listen(server.get(), 4), 0);
  ASSERT_EQ(getsockname(server.get(), reinterpret_cast<sockaddr*>(&name), &size), 0);
  int accepted = 0;
  const auto poll = *uv::Poll::Make(*loop_, server.get(), [&] {
    const UniqueFd connection(accept(server.get(), nullptr, nullptr));
    const linger reset{.l_onoff = 1, .l_linger = 0};
    setsockopt(connection.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    ++accepted;
  });
  poll->Watch(uv::Interest::kReadable);
  const SocketAddress remote{kActive.ip, ntohs(name.sin_port), Transport::kTcp};

  ASSERT_TRUE(active_.Send(kActive, remote, AsBytes("hello")));
  test::RunLoop(*loop_);

  EXPECT_EQ(accepted, 2);
  EXPECT_EQ(gone_.size(), 1U) << "the second reset is the end";
}

TEST_F(TcpFlowsTest, StrangersOfOneSourceAreFew) {
  const SocketAddress listening = Listen(passive_);
  std::vector<UniqueFd> connections;
  for (int i = 0; i < 20; ++i) {
    connections.push_back(Connect(1, listening));
  }

  EXPECT_TRUE(RunUntil([&] { return CountOpen(connections) == TcpFlows::kMaxStrangersOfOne; }));
}

TEST_F(TcpFlowsTest, TheOldestStrangerMakesRoomAndAPeerDoesNot) {
  const SocketAddress listening = Listen(passive_);
  ASSERT_TRUE(active_.Send(kActive, listening, AsBytes("hello")));
  test::RunLoop(*loop_);
  ASSERT_TRUE(passive_.Send(at_passive_[0].local, at_passive_[0].remote, AsBytes("you too")));
  test::RunLoop(*loop_);
  std::vector<UniqueFd> connections;
  for (std::uint8_t from = 2; from < 22; ++from) {
    for (int i = 0; i < 4; ++i) {
      connections.push_back(Connect(from, listening));
    }
  }

  EXPECT_TRUE(RunUntil([&] { return CountOpen(connections) == TcpFlows::kMaxStrangers; }));
  std::vector<UniqueFd> newest;
  for (std::size_t i = 0; i < TcpFlows::kMaxStrangers; ++i) {
    newest.insert(newest.begin(), std::move(connections.back()));
    connections.pop_back();
  }
  EXPECT_EQ(CountOpen(newest), TcpFlows::kMaxStrangers);
  ASSERT_TRUE(active_.Send(kActive, listening, AsBytes("again")));
  EXPECT_TRUE(RunUntil([&] { return at_passive_.size() == 2; }));
}

TEST_F(TcpFlowsTest, ATakenPortIsReplacedAndOneThatIsNotWantedIsClosed) {
  const SocketAddress first = Listen(passive_);
  const SocketAddress wanted{first.ip, first.port};
  EXPECT_EQ(active_.Listen({wanted}).size(), 1U);
  EXPECT_NE(active_.Listen({wanted}).at(0).port, first.port);

  EXPECT_TRUE(passive_.Listen({}).empty());
  ASSERT_TRUE(active_.Send(kActive, first, AsBytes("hello")));
  test::RunLoop(*loop_);

  EXPECT_EQ(gone_.size(), 1U);
}

TEST_F(TcpFlowsTest, OpensFromBothEndsAtOnce) {
  const SocketAddress a = *active_.OpenSimultaneous(kActive.ip);
  const SocketAddress b = *passive_.OpenSimultaneous(kActive.ip);

  ASSERT_TRUE(active_.Send(a, b, AsBytes("from a")));
  ASSERT_TRUE(passive_.Send(b, a, AsBytes("from b")));

  ASSERT_TRUE(RunUntil([&] { return !at_active_.empty() && !at_passive_.empty(); }));
  EXPECT_EQ(at_active_[0].text, "from b");
  EXPECT_EQ(at_active_[0].local, a);
  EXPECT_EQ(at_active_[0].remote, b);
  EXPECT_EQ(at_passive_[0].text, "from a");
}

// They are not told of each other at the same moment.
TEST_F(TcpFlowsTest, TheFirstOfTwoThatOpenGoesOnTrying) {
  const SocketAddress a = *active_.OpenSimultaneous(kActive.ip);
  SocketAddress b;
  {
    TcpFlows early(*loop_, {});
    b = *early.OpenSimultaneous(kActive.ip);
  }
  ASSERT_TRUE(active_.Send(a, b, AsBytes("from a")));
  int looks = 0;

  EXPECT_TRUE(RunUntil([&] {
    if (++looks == 10) {  // By then it was refused.
      EXPECT_EQ(passive_.Listen({{b.ip, b.port}}).at(0), b);
    }
    return !at_passive_.empty();
  }));
  EXPECT_TRUE(gone_.empty());
}

}  // namespace
}  // namespace floe::ice
