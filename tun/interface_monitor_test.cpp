#include "tun/interface_monitor.h"

#include <gtest/gtest.h>
#include <optional>
#include <poll.h>
#include <sys/socket.h>

#include "tests/support/network_namespace.h"
#include "tun/linux_device.h"
#include "tun/netlink.h"

namespace floe::tun {
namespace {

constexpr std::uint32_t kLoopback = 1;  // Its index in every namespace.

/// Waits up to 10 s for the monitor to have heard something.
bool Hears(const InterfaceMonitor& monitor) {
  pollfd waiting{.fd = monitor.fd(), .events = POLLIN, .revents = 0};
  return poll(&waiting, 1, 10'000) == 1;
}

class InterfaceMonitorTest : public test::NetworkNamespaceTest {
 protected:
  void SetUp() override {
    NetworkNamespaceTest::SetUp();
    if (!IsSkipped()) {
      netlink_ = *Netlink::Open();
      monitor_ = *InterfaceMonitor::Open();
    }
  }

  std::optional<Netlink> netlink_;
  std::optional<InterfaceMonitor> monitor_;
};

TEST_F(InterfaceMonitorTest, HearsNothingWhereNothingHappens) {
  EXPECT_FALSE(monitor_->Drain());
}

TEST_F(InterfaceMonitorTest, HearsOfAnAddressOnce) {
  ASSERT_TRUE(netlink_->AddAddress(kLoopback, *ParseIpAddress("192.0.2.1"), 32));

  ASSERT_TRUE(Hears(*monitor_));
  EXPECT_TRUE(monitor_->Drain());
  EXPECT_FALSE(monitor_->Drain());
}

TEST_F(InterfaceMonitorTest, HearsOfAnInterfaceThatComesAndGoes) {
  auto device = LinuxDevice::Open("floe0", 1408);
  ASSERT_TRUE(device);
  ASSERT_TRUE(Hears(*monitor_));
  EXPECT_TRUE(monitor_->Drain());

  device->reset();

  ASSERT_TRUE(Hears(*monitor_));
  EXPECT_TRUE(monitor_->Drain());
}

TEST_F(InterfaceMonitorTest, HearsOfARoute) {
  const auto device = LinuxDevice::Open("floe0", 1408);
  ASSERT_TRUE(device);
  ASSERT_TRUE(netlink_->SetUp((*device)->index(), 1408, 128));
  while (monitor_->Drain()) {
  }

  ASSERT_TRUE(netlink_->AddRoute((*device)->index(), *ParseIpPrefix("10.0.0.0/8")));

  ASSERT_TRUE(Hears(*monitor_));
  EXPECT_TRUE(monitor_->Drain());
}

TEST_F(InterfaceMonitorTest, TakesAnOverflowForAChangeAndGoesOn) {
  const int one_byte = 1;  // The kernel makes that its minimum, of about 2 KiB.
  ASSERT_EQ(setsockopt(monitor_->fd(), SOL_SOCKET, SO_RCVBUF, &one_byte, sizeof(one_byte)), 0);
  for (std::uint8_t i = 1; i < 100; ++i) {
    ASSERT_TRUE(netlink_->AddAddress(kLoopback, IpAddress::V4(192, 0, 2, i), 32));
  }

  EXPECT_TRUE(monitor_->Drain());
  EXPECT_FALSE(monitor_->Drain());
  ASSERT_TRUE(netlink_->AddAddress(kLoopback, *ParseIpAddress("192.0.2.200"), 32));

  ASSERT_TRUE(Hears(*monitor_));
  EXPECT_TRUE(monitor_->Drain());
}

}  // namespace
}  // namespace floe::tun
