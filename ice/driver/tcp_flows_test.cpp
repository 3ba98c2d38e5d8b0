#include "ice/driver/tcp_flows.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "base/uv/poll.h"
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

  std::unique_ptr<uv::Loop> loop_ = *uv::Loop::Make();
  std::vector<Packet> at_active_;
  std::vector<Packet> at_passive_;
  std::vector<std::pair<SocketAddress, SocketAddress>> gone_;
  TcpFlows active_{*loop_, Remember(at_active_)};
  TcpFlows passive_{*loop_, Remember(at_passive_)};
};

TEST_F(TcpFlowsTest, CarriesPacketsBothWays) {
  const auto listening = passive_.Listen(kActive.ip);
  ASSERT_TRUE(listening) << listening.error().context;
  EXPECT_EQ(listening->transport, Transport::kTcp);

  ASSERT_TRUE(active_.Send(kActive, *listening, AsBytes("hello")));
  test::RunLoop(*loop_);
  ASSERT_EQ(at_passive_.size(), 1U);
  EXPECT_EQ(at_passive_[0].text, "hello");
  EXPECT_EQ(at_passive_[0].local, *listening);
  EXPECT_EQ(at_passive_[0].remote.ip, kActive.ip);
  EXPECT_EQ(at_passive_[0].remote.transport, Transport::kTcp);

  ASSERT_TRUE(passive_.Send(at_passive_[0].local, at_passive_[0].remote, AsBytes("you too")));
  test::RunLoop(*loop_);
  ASSERT_EQ(at_active_.size(), 1U);
  EXPECT_EQ(at_active_[0].text, "you too");
  EXPECT_EQ(at_active_[0].local, kActive);
  EXPECT_EQ(at_active_[0].remote, *listening);
}

TEST_F(TcpFlowsTest, APassiveCandidateConnectsToNobody) {
  const auto listening = passive_.Listen(kActive.ip);
  ASSERT_TRUE(listening);

  EXPECT_FALSE(passive_.Send(*listening, {kActive.ip, 4000, Transport::kTcp}, AsBytes("hello")));
}

TEST_F(TcpFlowsTest, SaysThatAConnectionWasRefused) {
  SocketAddress nobody;
  {
    TcpFlows closed(*loop_, {});
    nobody = *closed.Listen(kActive.ip);
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

}  // namespace
}  // namespace floe::ice
