#include "tun/usable_addresses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace floe::tun {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

InterfaceAddress At(const char* interface, const char* ip) {
  return InterfaceAddress{.ip = *ParseIpAddress(ip),
                          .prefix_length = 64,
                          .interface = interface,
                          .index = static_cast<std::uint32_t>(interface[3] - '0'),
                          .up = true};
}

InterfaceAddress Temporary(InterfaceAddress address) {
  address.temporary = true;
  return address;
}

/// What is left, in order, as text.
std::vector<std::string> Usable(const std::vector<InterfaceAddress>& all,
                                const AddressPolicy& policy = {},
                                const std::vector<Route>& routes = {}) {
  std::vector<std::string> left;
  for (const auto& address : UsableAddresses(all, routes, policy)) {
    left.push_back(address.interface + " " + ToString(address.ip));
  }
  return left;
}

TEST(UsableAddressesTest, KeepsTheAddressesOfEthernet) {
  EXPECT_THAT(Usable({At("eth0", "192.0.2.1"), At("eth1", "10.0.0.1"), At("eth0", "2001:db8::1"),
                      At("eth1", "fd00::1")}),
              ElementsAre("eth0 192.0.2.1", "eth1 10.0.0.1", "eth0 2001:db8::1", "eth1 fd00::1"));
}

TEST(UsableAddressesTest, LeavesOutWhatIsOfNoUseToOthers) {
  for (const char* ip :
       {"127.0.0.1", "127.1.2.3", "::1", "169.254.7.7", "fe80::1", "0.0.0.0", "::", "224.0.0.1",
        "ff02::1", "255.255.255.255", "::ffff:192.0.2.1", "fec0::1", "feff::1"}) {
    EXPECT_THAT(Usable({At("eth0", ip)}), IsEmpty()) << ip;
  }
}

TEST(UsableAddressesTest, LeavesOutWhatIsNotReadyOrOnItsWayOut) {
  auto down = At("eth0", "2001:db8::1");
  auto deprecated = down;
  auto tentative = down;
  down.up = false;
  deprecated.deprecated = true;
  tentative.tentative = true;

  EXPECT_THAT(Usable({down, deprecated, tentative}), IsEmpty());
}

TEST(UsableAddressesTest, LeavesOutOurOwnDeviceEvenIfNothingElseIsLeft) {
  EXPECT_THAT(Usable({At("tun5", "10.71.0.1")}, {.own_interface = "tun5"}), IsEmpty());
  EXPECT_THAT(Usable({At("floe0", "10.71.0.1")}, {.own_interface = "floe0"}), IsEmpty());
}

TEST(UsableAddressesTest, LeavesOutBridgesCablesAndOtherOverlays) {
  for (const char* name : {"docker0", "veth1234", "br-0f3a", "virbr0", "cni0", "tailscale0", "wg0",
                           "zt7nnig34", "floe1"}) {
    EXPECT_THAT(Usable({At("eth0", "192.0.2.1"), At(name, "10.0.0.1")}),
                ElementsAre("eth0 192.0.2.1"))
        << name;
  }
}

TEST(UsableAddressesTest, KeepsABridgeOfTheAdministrator) {
  EXPECT_THAT(Usable({At("eth0", "192.0.2.1"), At("br0", "192.0.2.2"), At("bridge", "192.0.2.3")}),
              ElementsAre("eth0 192.0.2.1", "br0 192.0.2.2", "bridge 192.0.2.3"));
}

TEST(UsableAddressesTest, DoesNotLoseEverythingToAGuess) {
  EXPECT_THAT(Usable({At("veth0", "10.0.0.1"), At("wg0", "10.1.0.1")}),
              ElementsAre("veth0 10.0.0.1", "wg0 10.1.0.1"));
}

TEST(UsableAddressesTest, LosesEverythingIfToldTo) {
  EXPECT_THAT(
      Usable({At("eth0", "10.0.0.1")},
             {.own_interface = {}, .ignore_interfaces = {{"eth[0-3]"}}, .ignore_cidrs = {}}),
      IsEmpty());
}

TEST(UsableAddressesTest, ReplacesTheDefaultPatternsByThoseItIsGiven) {
  EXPECT_THAT(Usable({At("eth0", "10.0.0.1"), At("wg0", "10.1.0.1"), At("ppp0", "10.2.0.1")},
                     {.own_interface = {}, .ignore_interfaces = {{"ppp?"}}, .ignore_cidrs = {}}),
              ElementsAre("eth0 10.0.0.1", "wg0 10.1.0.1"));
}

TEST(UsableAddressesTest, LeavesOutIgnoredNetworks) {
  const AddressPolicy policy{
      .own_interface = {},
      .ignore_interfaces = {},
      .ignore_cidrs = {*ParseIpPrefix("10.0.0.0/8"), *ParseIpPrefix("2001:db8::/32")}};

  EXPECT_THAT(
      Usable({At("eth0", "10.1.2.3"), At("eth0", "11.1.2.3"), At("eth0", "2001:db8::1")}, policy),
      ElementsAre("eth0 11.1.2.3"));
  EXPECT_THAT(Usable({At("eth0", "10.1.2.3")}, policy), IsEmpty());
}

TEST(UsableAddressesTest, PrefersATemporaryAddressToTheStableOneOfItsNetwork) {
  EXPECT_THAT(Usable({At("eth0", "2001:db8::1"), Temporary(At("eth0", "2001:db8::aaaa")),
                      At("eth0", "192.0.2.1")}),
              ElementsAre("eth0 2001:db8::aaaa", "eth0 192.0.2.1"));
}

TEST(UsableAddressesTest, KeepsAStableAddressOfAnotherNetworkOrInterface) {
  EXPECT_THAT(Usable({Temporary(At("eth0", "2001:db8::aaaa")), At("eth0", "2001:db8:0:1::1"),
                      At("eth1", "2001:db8::2")}),
              ElementsAre("eth0 2001:db8::aaaa", "eth0 2001:db8:0:1::1", "eth1 2001:db8::2"));
}

TEST(UsableAddressesTest, KeepsTheStableAddressWhenTheTemporaryOneIsOnItsWayOut) {
  auto old = Temporary(At("eth0", "2001:db8::aaaa"));
  old.deprecated = true;

  EXPECT_THAT(Usable({At("eth0", "2001:db8::1"), old}), ElementsAre("eth0 2001:db8::1"));
}

InterfaceAddress MadeUp(InterfaceAddress address) {
  address.made_up = true;
  return address;
}

Route To(const char* destination, std::uint32_t index, std::uint32_t metric = 0,
         std::uint32_t table = kMainTable) {
  return {.destination = *ParseIpPrefix(destination),
          .index = index,
          .interface = {},
          .table = table,
          .metric = metric,
          .connected = false,
          .gateway = std::nullopt};
}

TEST(UsableAddressesTest, LeavesOutOtherOverlaysWhateverTheirName) {
  const std::vector all{At("eth0", "192.0.2.1"), MadeUp(At("vpn1", "100.64.0.9")),
                        MadeUp(At("vpn1", "fd7a::9"))};

  EXPECT_THAT(Usable(all, {}, {To("0.0.0.0/0", 0), To("100.64.0.0/10", 1)}),
              ElementsAre("eth0 192.0.2.1"));
}

TEST(UsableAddressesTest, KeepsTunnelsAndBridgesThatLeadOut) {
  const std::vector all{MadeUp(At("ppp0", "192.0.2.1")), MadeUp(At("brd1", "10.0.0.1"))};

  EXPECT_THAT(Usable(all, {}, {To("0.0.0.0/0", 0), To("128.0.0.0/1", 1)}),
              ElementsAre("ppp0 192.0.2.1", "brd1 10.0.0.1"));
}

TEST(UsableAddressesTest, LeavesOutAddressesThatAreANetworkOfTheirOwn) {
  auto container = At("cal1", "10.1.2.3");
  container.prefix_length = 32;
  auto hosted = At("eth0", "192.0.2.1");
  hosted.prefix_length = 32;

  EXPECT_THAT(Usable({hosted, container}, {}, {To("0.0.0.0/0", 0)}), ElementsAre("eth0 192.0.2.1"));
}

TEST(UsableAddressesTest, NamedInterfacesAreTakenWithoutGuessing) {
  const std::vector all{At("eth0", "192.0.2.1"), MadeUp(At("wg01", "10.0.0.1")),
                        At("eth2", "10.2.0.1")};

  EXPECT_THAT(
      Usable(all, {.interfaces = {"wg*", "eth2"}, .ignore_cidrs = {*ParseIpPrefix("10.2.0.0/16")}}),
      ElementsAre("wg01 10.0.0.1"));
  EXPECT_THAT(Usable(all, {.interfaces = {"usb*"}}), IsEmpty());
}

TEST(UsableAddressesTest, TheDefaultRouteAloneIsThatOfEachFamily) {
  const std::vector all{At("eth0", "192.0.2.1"), At("eth1", "10.0.0.1"), At("eth0", "2001:db8::1"),
                        At("eth1", "2001:db8:1::1")};
  const std::vector routes{To("0.0.0.0/0", 0, 100), To("0.0.0.0/0", 1, 600),
                           To("0.0.0.0/0", 1, 0, /*table=*/51820), To("::/0", 1, 1024)};

  EXPECT_THAT(Usable(all, {.default_route_only = true}, routes),
              ElementsAre("eth0 192.0.2.1", "eth1 2001:db8:1::1"));
  EXPECT_THAT(Usable(all, {.default_route_only = true}), IsEmpty());
}

}  // namespace
}  // namespace floe::tun
