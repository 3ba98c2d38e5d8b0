#include "base/uv/native_address.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

namespace floe::uv {
namespace {

TEST(NativeAddressTest, KeepsAddressPortAndScope) {
  for (const char* text : {"192.0.2.1:41820", "[2001:db8::1]:65535", "[fe80::1%7]:1"}) {
    const auto address = ParseSocketAddress(text);
    ASSERT_TRUE(address) << text;

    const NativeAddress native(*address);

    EXPECT_EQ(FromNative(native.get()), *address) << text;
  }
}

TEST(NativeAddressTest, IsAsLongAsItsFamilySays) {
  EXPECT_EQ(NativeAddress(SocketAddress{}).size(), sizeof(sockaddr_in));
  EXPECT_EQ(NativeAddress(SocketAddress{.ip = {.family = IpFamily::kIpv6}}).size(),
            sizeof(sockaddr_in6));
}

TEST(NativeAddressTest, DropsTheScopeOfAnAddressThatHasNone) {
  SocketAddress address = *ParseSocketAddress("[2001:db8::1]:80");
  address.ip.scope_id = 3;

  EXPECT_EQ(FromNative(NativeAddress(address).get()), ParseSocketAddress("[2001:db8::1]:80"));
}

TEST(NativeAddressTest, RefusesOtherFamilies) {
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;

  EXPECT_EQ(FromNative(reinterpret_cast<const sockaddr*>(&storage)), std::nullopt);
}

}  // namespace
}  // namespace floe::uv
