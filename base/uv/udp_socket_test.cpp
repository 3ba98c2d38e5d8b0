#include "base/uv/udp_socket.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <tuple>
#include <vector>

#include "tests/support/network_namespace.h"

namespace floe::uv {
namespace {

struct Datagram {
  SocketAddress local;
  SocketAddress remote;
  std::string text;
  std::uint8_t tos;
};

SocketAddress At(const char* ip, std::uint16_t port) {
  return {*ParseIpAddress(ip), port};
}

/// Waits for something to arrive, up to 10 s, and takes it all.
std::vector<Datagram> ReceiveAll(UdpSocket& socket, std::size_t max_batches = 8) {
  pollfd waiting{.fd = socket.fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&waiting, 1, 10'000), 1) << "nothing arrived";
  std::vector<Datagram> received;
  socket.Receive(
      [&](const SocketAddress& local, const SocketAddress& remote, Bytes datagram,
          std::uint8_t tos) {
        received.push_back({local, remote, std::string(AsText(datagram)), tos});
      },
      max_batches);
  return received;
}

class UdpSocketTest : public ::testing::TestWithParam<IpFamily> {
 protected:
  [[nodiscard]] SocketAddress Loopback(const UdpSocket& socket) const {
    return At(GetParam() == IpFamily::kIpv4 ? "127.0.0.1" : "::1", socket.port());
  }

  UdpSocket a_ = *UdpSocket::Open(GetParam(), 0);
  UdpSocket b_ = *UdpSocket::Open(GetParam(), 0);
};

INSTANTIATE_TEST_SUITE_P(Families, UdpSocketTest,
                         ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         [](const auto& family) {
                           return family.param == IpFamily::kIpv4 ? "V4" : "V6";
                         });

TEST_P(UdpSocketTest, TellsBothAddressesOfADatagram) {
  ASSERT_EQ(a_.Send(SocketAddress{.ip = {.family = GetParam()}}, Loopback(b_), AsBytes("hello")),
            SendResult::kSent);

  const auto received = ReceiveAll(b_);

  ASSERT_EQ(received.size(), 1U);
  EXPECT_EQ(received[0].text, "hello");
  EXPECT_EQ(received[0].local, Loopback(b_));
  EXPECT_EQ(received[0].remote, Loopback(a_));
}

TEST_P(UdpSocketTest, HearsOnlyWhatIsSentToTheAddressItIsBoundTo) {
  const SocketAddress any = At(GetParam() == IpFamily::kIpv4 ? "127.0.0.1" : "::1", 0);

  auto bound = UdpSocket::OpenAt(any);

  ASSERT_TRUE(bound) << bound.error().context;
  const SocketAddress local{any.ip, bound->port()};
  ASSERT_EQ(a_.Send({}, local, AsBytes("hello")), SendResult::kSent);
  const auto received = ReceiveAll(*bound);
  ASSERT_EQ(received.size(), 1U);
  EXPECT_EQ(received[0].local, local);
  EXPECT_EQ(UdpSocket::OpenAt(local).error().code, std::errc::address_in_use);
  EXPECT_EQ(UdpSocket::OpenAt(At("192.0.2.77", 0)).error().code, std::errc::address_not_available);
}

TEST_P(UdpSocketTest, AnswersFromTheAddressItWasSentTo) {
  ASSERT_EQ(a_.Send({}, Loopback(b_), AsBytes("question")), SendResult::kSent);
  const auto question = ReceiveAll(b_);
  ASSERT_EQ(question.size(), 1U);

  ASSERT_EQ(b_.Send(question[0].local, question[0].remote, AsBytes("answer")), SendResult::kSent);

  const auto answer = ReceiveAll(a_);
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_EQ(answer[0].remote, Loopback(b_));
}

TEST_P(UdpSocketTest, CarriesTheTosOctet) {
  constexpr std::uint8_t kMarked = 0x8B;  // AF41, and CE
  ASSERT_EQ(a_.Send({}, Loopback(b_), AsBytes("plain")), SendResult::kSent);
  ASSERT_EQ(a_.Send({}, Loopback(b_), AsBytes("marked"), 0, kMarked), SendResult::kSent);

  const auto received = ReceiveAll(b_);

  ASSERT_EQ(received.size(), 2U);
  EXPECT_EQ(received[0].tos, 0);
  EXPECT_EQ(received[1].tos, kMarked);
}

TEST_P(UdpSocketTest, DatagramsSentTogetherHaveOneTosOctet) {
  ASSERT_EQ(a_.SendTogether({}, Loopback(b_), AsBytes("onetwosix"), 3, 0, /*tos=*/2),
            SendResult::kSent);

  const auto received = ReceiveAll(b_);

  ASSERT_EQ(received.size(), 3U);
  for (const Datagram& datagram : received) {
    EXPECT_EQ(datagram.tos, 2);
  }
}

TEST_P(UdpSocketTest, TakesEmptyDatagrams) {
  ASSERT_EQ(a_.Send({}, Loopback(b_), {}), SendResult::kSent);

  EXPECT_EQ(ReceiveAll(b_).size(), 1U);
}

TEST_P(UdpSocketTest, DropsAndCountsWhatIsLargerThanItsBuffers) {
  const std::string largest(UdpSocket::kMaxDatagram, 'l');
  const std::string larger(UdpSocket::kMaxDatagram + 1, 'L');
  ASSERT_EQ(a_.Send({}, Loopback(b_), AsBytes(larger)), SendResult::kSent);
  ASSERT_EQ(a_.Send({}, Loopback(b_), AsBytes(largest)), SendResult::kSent);

  const auto received = ReceiveAll(b_);

  ASSERT_EQ(received.size(), 1U);
  EXPECT_EQ(received[0].text, largest);
  EXPECT_EQ(b_.counters().truncated, 1U);
}

TEST_P(UdpSocketTest, SendsSeveralTogetherOfWhichTheLastMayBeSmaller) {
  std::string text;
  for (char c = 'a'; c < 'k'; ++c) {
    text += std::string(1200, c);
  }
  text += "end";

  ASSERT_EQ(a_.SendTogether({}, Loopback(b_), AsBytes(text), 1200), SendResult::kSent);

  const auto received = ReceiveAll(b_);
  ASSERT_EQ(received.size(), 11U);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(received[i].text, text.substr(i * 1200, 1200));
    EXPECT_EQ(received[i].remote, Loopback(a_));
  }
  EXPECT_EQ(received[10].text, "end");
}

TEST_P(UdpSocketTest, SendsOneByOneWhatTheKernelDoesNotTakeTogether) {
  const std::string text(UdpSocket::kMaxSegments * 3, 'x');  // More than it cuts.

  ASSERT_EQ(a_.SendTogether({}, Loopback(b_), AsBytes(text), 1), SendResult::kSent);

  std::size_t received = 0;
  while (received < text.size()) {
    received += ReceiveAll(b_, 32).size();
  }
  EXPECT_EQ(received, text.size());
}

TEST_P(UdpSocketTest, GivesUpSegmentingThatIsAlwaysRefused) {
  const std::string refused(UdpSocket::kMaxSegments * 3, 'x');
  const auto send = [&](int times) {
    for (int i = 0; i < times; ++i) {
      ASSERT_EQ(a_.SendTogether({}, Loopback(b_), AsBytes(refused), 1), SendResult::kSent);
    }
  };

  send(15);
  ASSERT_EQ(a_.SendTogether({}, Loopback(b_), AsBytes("four"), 2), SendResult::kSent);
  send(15);
  EXPECT_TRUE(a_.offloads().segment);
  send(1);
  EXPECT_FALSE(a_.offloads().segment);
}

TEST_P(UdpSocketTest, SendsAndReceivesOneByOneWhenTold) {
  a_.SetOffloads({.segment = false, .gro = false});
  b_.SetOffloads({.segment = false, .gro = false});

  ASSERT_EQ(a_.SendTogether({}, Loopback(b_), AsBytes("twofor"), 3), SendResult::kSent);

  const auto received = ReceiveAll(b_);
  ASSERT_EQ(received.size(), 2U);
  EXPECT_EQ(received[0].text, "two");
  EXPECT_EQ(received[1].text, "for");
  EXPECT_EQ(b_.offloads(), (UdpOffloads{.segment = false, .gro = false}));
}

TEST_P(UdpSocketTest, SaysOfSeveralThatTheyCannotBeSent) {
  const auto foreign = At(GetParam() == IpFamily::kIpv4 ? "192.0.2.77" : "2001:db8::77", 0);

  EXPECT_EQ(a_.SendTogether(foreign, Loopback(b_), AsBytes("four"), 2), SendResult::kUnreachable);
}

TEST_P(UdpSocketTest, TakesNoMoreBatchesThanItIsTold) {
  for (std::size_t i = 0; i < UdpSocket::kBatch * 3; ++i) {
    ASSERT_EQ(a_.Send({}, Loopback(b_), AsBytes(std::to_string(i))), SendResult::kSent);
  }

  const auto first = ReceiveAll(b_, /*max_batches=*/2);
  const auto rest = ReceiveAll(b_);

  ASSERT_EQ(first.size(), UdpSocket::kBatch * 2);
  ASSERT_EQ(rest.size(), UdpSocket::kBatch);
  EXPECT_EQ(first.back().text, std::to_string(UdpSocket::kBatch * 2 - 1));
  EXPECT_EQ(rest.back().text, std::to_string(UdpSocket::kBatch * 3 - 1));
}

TEST_P(UdpSocketTest, ReceivesNothingWithoutBlocking) {
  EXPECT_EQ(a_.Receive([](const auto&, const auto&, Bytes, auto) { FAIL(); }, 8), 0U);
}

TEST_P(UdpSocketTest, SaysThatThePortIsInUse) {
  const auto second = UdpSocket::Open(GetParam(), a_.port());

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, std::errc::address_in_use);
  EXPECT_EQ(second.error().context, "UDP port " + std::to_string(a_.port()) + " is in use");
}

TEST_P(UdpSocketTest, LeavesItsPortToTheOtherFamily) {
  const auto other = GetParam() == IpFamily::kIpv4 ? IpFamily::kIpv6 : IpFamily::kIpv4;

  EXPECT_TRUE(UdpSocket::Open(other, a_.port()));
}

TEST_P(UdpSocketTest, CannotReachFromAnAddressThatIsNotOurs) {
  const auto foreign = At(GetParam() == IpFamily::kIpv4 ? "192.0.2.77" : "2001:db8::77", 0);

  EXPECT_EQ(a_.Send(foreign, Loopback(b_), AsBytes("x")), SendResult::kUnreachable);
}

TEST_P(UdpSocketTest, CannotReachTheOtherFamily) {
  const auto other = At(GetParam() == IpFamily::kIpv4 ? "::1" : "127.0.0.1", b_.port());

  EXPECT_EQ(a_.Send({}, other, AsBytes("x")), SendResult::kUnreachable);
  EXPECT_EQ(a_.Send(other, Loopback(b_), AsBytes("x")), SendResult::kUnreachable);
}

TEST_P(UdpSocketTest, SaysThatADatagramIsTooBig) {
  const std::string text(70'000, 'x');

  EXPECT_EQ(a_.Send({}, Loopback(b_), AsBytes(text)), SendResult::kTooBig);
}

TEST_P(UdpSocketTest, GoesOnAfterAPortThatNobodyListensOn) {
  std::uint16_t closed = 0;
  {
    const auto gone = UdpSocket::Open(GetParam(), 0);
    closed = gone->port();
  }
  auto nobody = Loopback(b_);
  nobody.port = closed;

  EXPECT_EQ(a_.Send({}, nobody, AsBytes("x")), SendResult::kSent);
  EXPECT_EQ(a_.Send({}, Loopback(b_), AsBytes("y")), SendResult::kSent);

  EXPECT_EQ(ReceiveAll(b_).size(), 1U);
}

TEST_P(UdpSocketTest, StillWorksAfterAMove) {
  UdpSocket moved = std::move(b_);
  ASSERT_EQ(a_.Send({}, Loopback(moved), AsBytes("x")), SendResult::kSent);

  EXPECT_EQ(ReceiveAll(moved).size(), 1U);
}

TEST(UdpSocketV4Test, SendsFromTheAddressItIsToldTo) {
  auto a = UdpSocket::Open(IpFamily::kIpv4, 0);
  auto b = UdpSocket::Open(IpFamily::kIpv4, 0);
  ASSERT_TRUE(a && b);

  ASSERT_EQ(a->Send(At("127.0.0.2", 0), At("127.0.0.3", b->port()), AsBytes("x")),
            SendResult::kSent);

  const auto received = ReceiveAll(*b);
  ASSERT_EQ(received.size(), 1U);
  EXPECT_EQ(received[0].remote, At("127.0.0.2", a->port()));
  EXPECT_EQ(received[0].local, At("127.0.0.3", b->port()));
}

using UdpSocketNamespaceTest = test::NetworkNamespaceTest;

/// Gives the loopback interface of this namespace the address fe80::1 and switches it on.
void SetUpLoopback() {
  const UniqueFd v4(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq link{.ifr_ifrn = {"lo"}, .ifr_ifru = {}};
  link.ifr_flags = IFF_UP | IFF_RUNNING;
  ASSERT_EQ(ioctl(v4.get(), SIOCSIFFLAGS, &link), 0);
  const UniqueFd v6(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  in6_ifreq address{};
  const auto ip = *ParseIpAddress("fe80::1");
  std::ranges::copy(ip.octets(), std::begin(address.ifr6_addr.s6_addr));
  address.ifr6_prefixlen = 64;
  address.ifr6_ifindex = 1;
  ASSERT_EQ(ioctl(v6.get(), SIOCSIFADDR, &address), 0);
}

void SetLoopbackMtu(int mtu) {
  ifreq link{.ifr_ifrn = {"lo"}, .ifr_ifru = {}};
  link.ifr_mtu = mtu;
  const UniqueFd control(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(ioctl(control.get(), SIOCSIFMTU, &link), 0);
}

TEST_F(UdpSocketNamespaceTest, SendsWholeOnlyWhatFitsTheInterface) {
  SetUpLoopback();
  SetLoopbackMtu(1400);
  for (const IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    auto socket = UdpSocket::Open(family, 0);
    ASSERT_TRUE(socket);
    const bool v4 = family == IpFamily::kIpv4;
    const SocketAddress to = At(v4 ? "127.0.0.1" : "::1", socket->port());
    const std::string largest(1400 - (v4 ? 28 : 48), 'x');

    EXPECT_EQ(socket->SendWhole({}, to, AsBytes(largest)), SendResult::kSent);
    EXPECT_EQ(socket->SendWhole({}, to, AsBytes(largest + 'x')), SendResult::kTooBig);
    EXPECT_EQ(socket->Send({}, to, AsBytes(largest + 'x')), SendResult::kSent) << "in fragments";

    EXPECT_EQ(ReceiveAll(*socket).size(), 2U);
  }
}

TEST_F(UdpSocketNamespaceTest, SaysOfSeveralThatTheyWentInFragments) {
  SetUpLoopback();
  SetLoopbackMtu(1400);
  for (const IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    auto socket = UdpSocket::Open(family, 0);
    ASSERT_TRUE(socket);
    const bool v4 = family == IpFamily::kIpv4;
    const SocketAddress to = At(v4 ? "127.0.0.1" : "::1", socket->port());
    const std::size_t largest = 1400 - (v4 ? 28 : 48);
    EXPECT_EQ(socket->LargestWhole({}, to), largest);
    EXPECT_EQ(socket->LargestWhole(to, to), largest);

    for (int i = 0; i < 20; ++i) {  // As often as one likes: it is no fault of segmenting.
      EXPECT_EQ(socket->SendTogether({}, to, AsBytes(std::string(3 * largest, 'x')), largest),
                SendResult::kSent);
      EXPECT_EQ(socket->SendTogether({}, to, AsBytes(std::string(3 * largest, 'x')), largest + 1),
                SendResult::kTooBig);
      EXPECT_EQ(ReceiveAll(*socket, 32).size(), 6U);
    }

    EXPECT_TRUE(socket->offloads().segment);
    EXPECT_EQ(socket->counters().too_big, 20U);
  }
}

TEST_F(UdpSocketNamespaceTest, KnowsNoLargestDatagramWithoutARoute) {
  auto socket = UdpSocket::Open(IpFamily::kIpv4, 0);
  ASSERT_TRUE(socket);

  EXPECT_FALSE(socket->LargestWhole({}, At("192.0.2.1", 9)));
  EXPECT_FALSE(socket->LargestWhole({}, At("2001:db8::1", 9)));
}

TEST_F(UdpSocketNamespaceTest, CannotReachWithoutARoute) {
  auto v4 = UdpSocket::Open(IpFamily::kIpv4, 0);
  auto v6 = UdpSocket::Open(IpFamily::kIpv6, 0);
  ASSERT_TRUE(v4 && v6);

  EXPECT_EQ(v4->Send({}, At("192.0.2.1", 9), AsBytes("x")), SendResult::kUnreachable);
  EXPECT_EQ(v6->Send({}, At("2001:db8::1", 9), AsBytes("x")), SendResult::kUnreachable);
}

TEST_F(UdpSocketNamespaceTest, KeepsTheScopeOfLinkLocalAddresses) {
  SetUpLoopback();
  auto a = UdpSocket::Open(IpFamily::kIpv6, 0);
  auto b = UdpSocket::Open(IpFamily::kIpv6, 0);
  ASSERT_TRUE(a && b);

  const SocketAddress from = At("fe80::1%1", a->port());
  const SocketAddress to = At("fe80::1%1", b->port());
  std::vector<Datagram> received;
  // The address can be used when a worker of the kernel has looked at it: send until one arrives.
  for (int attempt = 0; attempt < 100 && received.empty(); ++attempt) {
    std::ignore = a->Send(from, to, AsBytes("x"));
    pollfd waiting{.fd = b->fd(), .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, /*milliseconds=*/100) == 1) {
      received = ReceiveAll(*b);
    }
  }

  ASSERT_FALSE(received.empty());
  EXPECT_EQ(received[0].remote, from);
  EXPECT_EQ(received[0].local, to);
}

TEST_F(UdpSocketNamespaceTest, MarksWhatItSends) {
  const auto socket = UdpSocket::Open(IpFamily::kIpv4, 0, /*fwmark=*/0x51820);
  ASSERT_TRUE(socket) << socket.error().context;

  std::uint32_t mark = 0;
  socklen_t size = sizeof(mark);
  ASSERT_EQ(getsockopt(socket->fd(), SOL_SOCKET, SO_MARK, &mark, &size), 0);

  EXPECT_EQ(mark, 0x51820U);
}

}  // namespace
}  // namespace floe::uv
