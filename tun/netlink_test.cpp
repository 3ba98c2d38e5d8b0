#include "tun/netlink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <optional>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

#include "base/unique_fd.h"
#include "tests/support/network_namespace.h"
#include "tun/interfaces.h"
#include "tun/linux_device.h"

namespace floe::tun {
namespace {

using ::testing::IsEmpty;

constexpr uid_t kNobody = 65534;
constexpr std::uint32_t kNoSuchInterface = 9999;

class NetlinkTest : public test::NetworkNamespaceTest {
 protected:
  void SetUp() override {
    NetworkNamespaceTest::SetUp();
    if (IsSkipped()) {
      return;
    }
    netlink_ = *Netlink::Open();
    device_ = *LinuxDevice::Open("floe0", 1408);
    index_ = device_->index();
    ASSERT_TRUE(netlink_->SetUp(index_, 1408, 128));
  }

  /// The route to `destination`, if there is exactly one.
  std::optional<Route> Find(const IpPrefix& destination) {
    std::optional<Route> found;
    const auto routes = *netlink_->Routes();
    for (const Route& route : routes) {
      if (route.destination == destination) {
        EXPECT_FALSE(found) << "two routes to " << ToString(destination);
        found = route;
      }
    }
    return found;
  }

  std::optional<Netlink> netlink_;
  std::unique_ptr<LinuxDevice> device_;
  std::uint32_t index_ = 0;
};

TEST_F(NetlinkTest, SwitchesAnInterfaceOn) {
  const auto device = *LinuxDevice::Open("floe1", 1300);

  ASSERT_TRUE(netlink_->SetUp(device->index(), 1300, 77));

  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{.ifr_ifrn = {"floe1"}, .ifr_ifru = {}};
  ASSERT_EQ(ioctl(fd.get(), SIOCGIFMTU, &request), 0);
  EXPECT_EQ(request.ifr_mtu, 1300);
  ASSERT_EQ(ioctl(fd.get(), SIOCGIFTXQLEN, &request), 0);
  EXPECT_EQ(request.ifr_qlen, 77);
  ASSERT_EQ(ioctl(fd.get(), SIOCGIFFLAGS, &request), 0);
  EXPECT_TRUE((request.ifr_flags & IFF_UP) != 0);
}

TEST_F(NetlinkTest, LeavesAnInterfaceWithoutALinkLocalAddress) {
  EXPECT_THAT(*ListAddresses(), IsEmpty());
}

TEST_F(NetlinkTest, SaysWhichInterfaceIsNotThere) {
  const auto up = netlink_->SetUp(kNoSuchInterface, 1408, 128);
  const auto added = netlink_->AddAddress(kNoSuchInterface, *ParseIpAddress("10.9.0.1"), 24);

  ASSERT_FALSE(up);
  EXPECT_EQ(up.error().code, std::errc::no_such_device);
  EXPECT_EQ(up.error().context, "set up #9999 with mtu 1408");
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, std::errc::no_such_device);
  EXPECT_EQ(added.error().context, "add address 10.9.0.1/24 dev #9999");
}

TEST_F(NetlinkTest, AddsAddressesThatCanBeUsedAtOnce) {
  ASSERT_TRUE(netlink_->AddAddress(index_, *ParseIpAddress("10.9.0.1"), 24));
  ASSERT_TRUE(netlink_->AddAddress(index_, *ParseIpAddress("fd66::1"), 64));

  EXPECT_THAT(*ListAddresses(),
              ::testing::UnorderedElementsAre(InterfaceAddress{.ip = *ParseIpAddress("10.9.0.1"),
                                                               .prefix_length = 24,
                                                               .interface = "floe0",
                                                               .index = index_,
                                                               .up = true,
                                                               .point_to_point = true,
                                                               .made_up = true},
                                              InterfaceAddress{.ip = *ParseIpAddress("fd66::1"),
                                                               .prefix_length = 64,
                                                               .interface = "floe0",
                                                               .index = index_,
                                                               .up = true,
                                                               .point_to_point = true,
                                                               .made_up = true}));
}

TEST_F(NetlinkTest, AddsAnAddressThatIsThereAlready) {
  for (const char* text : {"10.9.0.1", "fd66::1"}) {
    const auto ip = *ParseIpAddress(text);

    EXPECT_TRUE(netlink_->AddAddress(index_, ip, ip.bits()));
    EXPECT_TRUE(netlink_->AddAddress(index_, ip, ip.bits()));
  }
  EXPECT_EQ(ListAddresses()->size(), 2U);
}

TEST_F(NetlinkTest, RemovesAddresses) {
  for (const char* text : {"10.9.0.1", "fd66::1"}) {
    const IpAddress ip = *ParseIpAddress(text);
    ASSERT_TRUE(netlink_->AddAddress(index_, ip, ip.bits()));

    EXPECT_TRUE(netlink_->RemoveAddress(index_, ip, ip.bits()));
    EXPECT_TRUE(netlink_->RemoveAddress(index_, ip, ip.bits()));
  }
  EXPECT_EQ(ListAddresses()->size(), 0U);
}

TEST_F(NetlinkTest, ListsTheNetworkOfAnAddressAsConnected) {
  ASSERT_TRUE(netlink_->AddAddress(index_, *ParseIpAddress("10.9.0.1"), 24));

  const auto route = Find(*ParseIpPrefix("10.9.0.0/24"));

  ASSERT_TRUE(route);
  EXPECT_EQ(route->interface, "floe0");
  EXPECT_EQ(route->index, index_);
  EXPECT_EQ(route->table, kMainTable);
  EXPECT_TRUE(route->connected);
}

TEST_F(NetlinkTest, AddsAndRemovesRoutes) {
  for (const char* text : {"10.0.0.0/8", "0.0.0.0/0", "192.0.2.1/32", "fd71::/48", "::/0"}) {
    const auto destination = *ParseIpPrefix(text);

    const auto added = netlink_->AddRoute(index_, destination, /*metric=*/50);
    ASSERT_TRUE(added) << added.error().context << ": " << added.error().code.message();
    const auto route = Find(destination);
    ASSERT_TRUE(route) << text;
    EXPECT_EQ(route->interface, "floe0");
    EXPECT_EQ(route->metric, 50U);

    ASSERT_TRUE(netlink_->RemoveRoute(index_, destination, /*metric=*/50));
    EXPECT_FALSE(Find(destination)) << text;
  }
}

TEST_F(NetlinkTest, AddsARouteToAnotherTable) {
  const auto destination = *ParseIpPrefix("0.0.0.0/0");

  ASSERT_TRUE(netlink_->AddRoute(index_, destination, /*metric=*/0, /*table=*/5252));

  const auto route = Find(destination);
  ASSERT_TRUE(route);
  EXPECT_EQ(route->table, 5252U);
}

TEST_F(NetlinkTest, AddsARouteThatIsThereAlready) {
  for (const char* text : {"10.0.0.0/8", "fd71::/48"}) {
    const auto destination = *ParseIpPrefix(text);
    ASSERT_TRUE(netlink_->AddRoute(index_, destination));

    const auto again = netlink_->AddRoute(index_, destination);

    EXPECT_TRUE(again) << again.error().context;
    EXPECT_TRUE(Find(destination));
  }
}

TEST_F(NetlinkTest, RefusesARouteThatLeadsElsewhere) {
  const auto other = *LinuxDevice::Open("floe1", 1408);
  ASSERT_TRUE(netlink_->SetUp(other->index(), 1408, 128));
  for (const char* text : {"10.0.0.0/8", "fd71::/48"}) {
    const auto destination = *ParseIpPrefix(text);
    ASSERT_TRUE(netlink_->AddRoute(other->index(), destination));

    const auto added = netlink_->AddRoute(index_, destination);

    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code, std::errc::file_exists);
    EXPECT_EQ(added.error().context, std::string("add route ") + text + " dev floe0");
    EXPECT_EQ(Find(destination)->interface, "floe1");
  }
}

TEST_F(NetlinkTest, RemovesARouteThatIsNotThere) {
  EXPECT_TRUE(netlink_->RemoveRoute(index_, *ParseIpPrefix("10.0.0.0/8")));
  EXPECT_TRUE(netlink_->RemoveRoute(index_, *ParseIpPrefix("fd71::/48")));
}

TEST_F(NetlinkTest, SaysThatItIsNotPermitted) {
  // The system call and not the library's, which would change every thread.
  std::thread([this] {
    ASSERT_EQ(syscall(SYS_setresuid, kNobody, kNobody, kNobody), 0);
    auto netlink = Netlink::Open();
    ASSERT_TRUE(netlink);

    const auto added = netlink->AddRoute(index_, *ParseIpPrefix("10.0.0.0/8"));

    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code, std::errc::operation_not_permitted);
    EXPECT_TRUE(netlink->Routes()) << "reading needs no permission";
  }).join();
}

}  // namespace
}  // namespace floe::tun
