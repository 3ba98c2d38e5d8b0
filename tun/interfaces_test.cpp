#include "tun/interfaces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/network_namespace.h"
#include "tun/linux_device.h"
#include "tun/netlink.h"
#include "tun/nl.h"

namespace floe::tun {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr std::uint32_t kLoopback = 1;  // Its index in every namespace.

class InterfacesTest : public test::NetworkNamespaceTest {
 protected:
  void SetUp() override {
    NetworkNamespaceTest::SetUp();
    if (!IsSkipped()) {
      netlink_ = *Netlink::Open();
    }
  }

  std::optional<Netlink> netlink_;
};

TEST_F(InterfacesTest, ListsNothingWhereNothingIsSetUp) {
  const auto addresses = ListAddresses();

  ASSERT_TRUE(addresses) << addresses.error().context;
  EXPECT_TRUE(addresses->empty());
}

TEST_F(InterfacesTest, ListsTheAddressesOfBothFamilies) {
  ASSERT_TRUE(netlink_->SetUp(kLoopback, 65536, 1000));

  EXPECT_THAT(*ListAddresses(),
              UnorderedElementsAre(InterfaceAddress{.ip = *ParseIpAddress("127.0.0.1"),
                                                    .prefix_length = 8,
                                                    .interface = "lo",
                                                    .index = kLoopback,
                                                    .up = true},
                                   InterfaceAddress{.ip = *ParseIpAddress("::1"),
                                                    .prefix_length = 128,
                                                    .interface = "lo",
                                                    .index = kLoopback,
                                                    .up = true}));
}

TEST_F(InterfacesTest, TellsThatAnInterfaceIsOff) {
  const auto device = *LinuxDevice::Open("floe0", 1408);
  ASSERT_TRUE(netlink_->AddAddress(device->index(), *ParseIpAddress("10.9.0.1"), 24));

  EXPECT_THAT(*ListAddresses(), ElementsAre(::testing::Field("up", &InterfaceAddress::up, false)));
}

TEST_F(InterfacesTest, GivesLinkLocalAddressesTheirScope) {
  const auto device = *LinuxDevice::Open("floe0", 1408);
  ASSERT_TRUE(netlink_->SetUp(device->index(), 1408, 128));
  ASSERT_TRUE(netlink_->AddAddress(device->index(), *ParseIpAddress("fe80::5"), 64));

  const auto addresses = *ListAddresses();

  ASSERT_EQ(addresses.size(), 1U);
  EXPECT_EQ(addresses[0].ip.scope_id, device->index());
  EXPECT_TRUE(addresses[0].made_up);
}

TEST_F(InterfacesTest, DoesNotTakeASecondaryIpv4AddressForATemporaryOne) {
  // The two share a bit.
  ASSERT_TRUE(netlink_->AddAddress(kLoopback, *ParseIpAddress("192.0.2.1"), 24));
  ASSERT_TRUE(netlink_->AddAddress(kLoopback, *ParseIpAddress("192.0.2.2"), 24));

  const auto addresses = *ListAddresses();
  ASSERT_EQ(addresses.size(), 2U);
  for (const auto& address : addresses) {
    EXPECT_FALSE(address.temporary) << ToString(address.ip);
  }
}

TEST_F(InterfacesTest, TellsThatAnAddressIsDeprecated) {
  ASSERT_TRUE(netlink_->SetUp(kLoopback, 65536, 1000));
  const auto socket = *OpenNlSocket();
  const NlInterfaceAddress request(rtnl_addr_alloc());
  rtnl_addr_set_ifindex(request.get(), kLoopback);
  rtnl_addr_set_local(request.get(), ToNl(*ParseIpAddress("2001:db8::1"), 128).get());
  rtnl_addr_set_valid_lifetime(request.get(), 3600);
  rtnl_addr_set_preferred_lifetime(request.get(), 0);
  ASSERT_EQ(rtnl_addr_add(socket.get(), request.get(), 0), 0);

  const auto addresses = *ListAddresses();
  ASSERT_EQ(addresses.size(), 3U);
  for (const auto& address : addresses) {
    EXPECT_EQ(address.deprecated, address.ip == *ParseIpAddress("2001:db8::1"))
        << ToString(address.ip);
  }
}

}  // namespace
}  // namespace floe::tun
