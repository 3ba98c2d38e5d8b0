#include "app/floed/runtime/flood_filter.h"

#include <gtest/gtest.h>
#include <optional>
#include <utility>
#include <vector>

#include "base/uv/udp_socket.h"
#include "tunnel/messages.h"

namespace floe::daemon {
namespace {

using tunnel::MessageType;

constexpr int kCount = 400;

class FloodFilterTest : public ::testing::TestWithParam<const char*> {
 protected:
  FloodFilterTest() : ip_(*ParseIpAddress(GetParam())) {
    auto receiver = uv::UdpSocket::OpenAt({ip_, 0});
    auto sender = uv::UdpSocket::OpenAt({ip_, 0});
    EXPECT_TRUE(receiver && sender);
    receiver_.emplace(std::move(*receiver));
    sender_.emplace(std::move(*sender));
  }

  /// How many of these get through, each one its own.
  int Count(const std::vector<std::uint8_t>& datagram) {
    int received = 0;
    for (int i = 0; i < kCount; ++i) {
      EXPECT_EQ(sender_->Send({ip_, 0}, {ip_, receiver_->port()}, datagram), uv::SendResult::kSent);
      receiver_->Receive(
          [&](const SocketAddress&, const SocketAddress&, Bytes, std::uint8_t) { ++received; }, 1);
    }
    return received;
  }

  static std::vector<std::uint8_t> Message(MessageType type, std::size_t size) {
    std::vector<std::uint8_t> message(size);
    tunnel::WriteMessageType(message, type);
    return message;
  }

  IpAddress ip_;
  std::optional<uv::UdpSocket> receiver_;
  std::optional<uv::UdpSocket> sender_;
};

TEST_P(FloodFilterTest, DropsMostInitiationsWithoutACookieAndNothingElse) {
  const auto bare = Message(MessageType::kInitiation, tunnel::initiation::kSize);
  auto with_cookie = bare;
  with_cookie[tunnel::initiation::kMac2] = 1;

  ASSERT_TRUE(ShedInitiations(receiver_->fd(), true));

  const int kept = Count(bare);  // 100 are to be expected, give or take 9.
  EXPECT_GT(kept, 30);
  EXPECT_LT(kept, 200);
  EXPECT_EQ(Count(with_cookie), kCount);
  EXPECT_EQ(Count(Message(MessageType::kResponse, tunnel::response::kSize)), kCount);
  EXPECT_EQ(Count(Message(MessageType::kTransport, tunnel::initiation::kSize)), kCount);
  EXPECT_EQ(Count(Message(MessageType::kInitiation, 149)), kCount);
}

TEST_P(FloodFilterTest, DropsNothingOnceItIsOff) {
  ASSERT_TRUE(ShedInitiations(receiver_->fd(), true));
  ASSERT_TRUE(ShedInitiations(receiver_->fd(), false));

  EXPECT_EQ(Count(Message(MessageType::kInitiation, tunnel::initiation::kSize)), kCount);
  EXPECT_TRUE(ShedInitiations(receiver_->fd(), false));  // As often as one likes.
}

INSTANTIATE_TEST_SUITE_P(Families, FloodFilterTest, ::testing::Values("127.0.0.1", "::1"));

}  // namespace
}  // namespace floe::daemon
