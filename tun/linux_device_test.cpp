#include "tun/linux_device.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "tests/support/network_namespace.h"
#include "tun/netlink.h"

namespace floe::tun {
namespace {

constexpr std::size_t kMtu = 1408;
constexpr uid_t kNobody = 65534;

/// The checksum of RFC 1071.
std::uint16_t Checksum(Bytes data) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < data.size(); ++i) {
    sum += i % 2 == 0 ? std::uint32_t{data[i]} << 8U : data[i];
  }
  while (sum > 0xFFFFU) {
    sum = (sum & 0xFFFFU) + (sum >> 16U);
  }
  return static_cast<std::uint16_t>(~sum);
}

/// An IPv4 packet (RFC 791) with an ICMP echo request (RFC 792) and 4 bytes of data.
std::vector<std::uint8_t> MakeEchoRequest(const IpAddress& from, const IpAddress& to) {
  std::vector<std::uint8_t> packet{0x45, 0, 0, 32, 0, 1, 0, 0, 64, /*ICMP*/ 1, 0, 0};
  std::ranges::copy(from.octets(), std::back_inserter(packet));
  std::ranges::copy(to.octets(), std::back_inserter(packet));
  StoreBe(packet, 10, Checksum(Bytes(packet).first(20)));
  const std::vector<std::uint8_t> echo{/*request*/ 8, 0,   0,   0,  0x12, 0x34, 0, 1,
                                       'f',           'l', 'o', 'e'};
  packet.insert(packet.end(), echo.begin(), echo.end());
  StoreBe(packet, 22, Checksum(Bytes(packet).subspan(20)));
  return packet;
}

/// An IPv6 packet (RFC 8200) with an ICMPv6 echo request (RFC 4443) and 4 bytes of data.
std::vector<std::uint8_t> MakeEchoRequestV6(const IpAddress& from, const IpAddress& to) {
  std::vector<std::uint8_t> packet{0x60, 0, 0, 0, 0, 12, /*ICMPv6*/ 58, 64};
  std::ranges::copy(from.octets(), std::back_inserter(packet));
  std::ranges::copy(to.octets(), std::back_inserter(packet));
  const std::vector<std::uint8_t> echo{
      /*request*/ 128, 0, 0, 0, 0x12, 0x34, 0, 1, 'f', 'l', 'o', 'e'};
  packet.insert(packet.end(), echo.begin(), echo.end());
  // The pseudo-header of RFC 8200 section 8.1: addresses, length, next header.
  std::vector<std::uint8_t> covered(packet.begin() + 8, packet.end());
  covered.insert(covered.end(), {0, 0, 0, 12, 0, 0, 0, 58});
  StoreBe(packet, 42, Checksum(covered));
  return packet;
}

Result<bool> WritePlain(Device& device, Bytes packet) {
  const std::array<std::uint8_t, Device::kHeaderSize> header{};
  return device.Write(std::array<Bytes, 2>{header, packet});
}

/// Sends `request` until a packet of the same IP version and protocol comes back, up to 100 times:
/// the kernel answers for an IPv6 address only when a worker of it has been told of the address.
std::vector<std::uint8_t> Ask(Device& device, Bytes request) {
  const std::size_t protocol_offset = request[0] == 0x45 ? 9 : 6;
  std::vector<std::uint8_t> packet(Device::kMaxRead);
  pollfd waiting{.fd = device.poll_fd(), .events = POLLIN, .revents = 0};
  for (int attempt = 0; attempt < 100; ++attempt) {
    EXPECT_TRUE(WritePlain(device, request));
    while (poll(&waiting, 1, /*milliseconds=*/100) == 1) {
      const auto size = device.Read(packet);
      const Bytes inner = Bytes(packet).subspan(Device::kHeaderSize);
      if (size && *size && inner[0] == request[0] &&
          inner[protocol_offset] == request[protocol_offset]) {
        return {inner.begin(),
                inner.begin() + static_cast<std::ptrdiff_t>(**size - Device::kHeaderSize)};
      }
    }
  }
  ADD_FAILURE() << "no reply came";
  return {};
}

class LinuxDeviceTest : public test::NetworkNamespaceTest {
 protected:
  /// A device with the addresses 10.9.0.1/24 and fd66::1/64.
  static std::unique_ptr<LinuxDevice> OpenAndSetUp() {
    auto device = LinuxDevice::Open("floe0", kMtu);
    auto netlink = Netlink::Open();
    EXPECT_TRUE(device && netlink);
    const auto index = (*device)->index();
    EXPECT_TRUE(netlink->SetUp(index, kMtu, 128));
    EXPECT_TRUE(netlink->AddAddress(index, *ParseIpAddress("10.9.0.1"), 24));
    EXPECT_TRUE(netlink->AddAddress(index, *ParseIpAddress("fd66::1"), 64));
    return std::move(*device);
  }
};

TEST_F(LinuxDeviceTest, MakesAnInterfaceThatGoesWithIt) {
  auto device = LinuxDevice::Open("floe7", kMtu);
  ASSERT_TRUE(device) << device.error().context << device.error().code.message();
  EXPECT_EQ((*device)->name(), "floe7");
  EXPECT_EQ((*device)->mtu(), kMtu);
  EXPECT_EQ((*device)->index(), if_nametoindex("floe7"));

  device->reset();

  EXPECT_EQ(if_nametoindex("floe7"), 0U);
}

TEST_F(LinuxDeviceTest, LetsTheKernelNumberIt) {
  const auto unnamed = LinuxDevice::Open("", kMtu);
  const auto first = LinuxDevice::Open("floe%d", kMtu);
  const auto second = LinuxDevice::Open("floe%d", kMtu);

  ASSERT_TRUE(unnamed && first && second);
  EXPECT_EQ((*unnamed)->name(), "tun0");
  EXPECT_EQ((*first)->name(), "floe0");
  EXPECT_EQ((*second)->name(), "floe1");
}

TEST_F(LinuxDeviceTest, SaysThatTheNameIsTaken) {
  const auto first = LinuxDevice::Open("floe0", kMtu);
  ASSERT_TRUE(first);

  for (const char* name : {"floe0", "lo"}) {
    const auto second = LinuxDevice::Open(name, kMtu);

    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, std::errc::device_or_resource_busy);
    EXPECT_EQ(second.error().context, std::string("interface ") + name + " exists already");
  }
}

TEST_F(LinuxDeviceTest, SaysThatTheNameIsTooLong) {
  const auto device = LinuxDevice::Open("sixteen-bytes-xx", kMtu);

  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().code, std::errc::invalid_argument);
  EXPECT_TRUE(LinuxDevice::Open("fifteen-bytes-x", kMtu));
}

TEST_F(LinuxDeviceTest, SaysThatItIsNotPermitted) {
  // The system call and not the library's, which would change every thread.
  std::thread([] {
    ASSERT_EQ(syscall(SYS_setresuid, kNobody, kNobody, kNobody), 0);

    const auto device = LinuxDevice::Open("floe0", kMtu);

    ASSERT_FALSE(device);
    // Which of the two depends on the mode of /dev/net/tun.
    EXPECT_TRUE((device.error().code == std::errc::permission_denied &&
                 device.error().context == "open /dev/net/tun") ||
                (device.error().code == std::errc::operation_not_permitted &&
                 device.error().context == "make interface floe0"))
        << device.error().context << ": " << device.error().code.message();
  }).join();
}

TEST_F(LinuxDeviceTest, SaysThatThereIsNoTun) {
  std::thread([] {
    ASSERT_EQ(unshare(CLONE_FS | CLONE_NEWNS), 0);
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(mount("none", "/dev/net", "tmpfs", 0, nullptr), 0);

    const auto device = LinuxDevice::Open("floe0", kMtu);

    ASSERT_FALSE(device);
    EXPECT_EQ(device.error().code, std::errc::no_such_file_or_directory);
    EXPECT_EQ(device.error().context, "open /dev/net/tun");
  }).join();
}

TEST_F(LinuxDeviceTest, CarriesAPingAndItsReply) {
  const auto device = OpenAndSetUp();
  const auto us = *ParseIpAddress("10.9.0.1");
  const auto them = *ParseIpAddress("10.9.0.2");

  const auto reply = Ask(*device, MakeEchoRequest(them, us));

  ASSERT_EQ(reply.size(), 32U);
  EXPECT_EQ(IpAddress::FromBytes(Bytes(reply).subspan(12, 4)), us);
  EXPECT_EQ(IpAddress::FromBytes(Bytes(reply).subspan(16, 4)), them);
  EXPECT_EQ(reply[20], 0) << "not an echo reply";
  EXPECT_EQ(AsText(Bytes(reply).subspan(28)), "floe");
}

TEST_F(LinuxDeviceTest, CarriesAPingAndItsReplyOverIpv6) {
  const auto device = OpenAndSetUp();
  const auto us = *ParseIpAddress("fd66::1");
  const auto them = *ParseIpAddress("fd66::2");

  const auto reply = Ask(*device, MakeEchoRequestV6(them, us));

  ASSERT_EQ(reply.size(), 52U);
  EXPECT_EQ(IpAddress::FromBytes(Bytes(reply).subspan(8, 16)), us);
  EXPECT_EQ(IpAddress::FromBytes(Bytes(reply).subspan(24, 16)), them);
  EXPECT_EQ(reply[40], 129) << "not an echo reply";
  EXPECT_EQ(AsText(Bytes(reply).subspan(48)), "floe");
}

TEST_F(LinuxDeviceTest, ReadsNothingWithoutBlocking) {
  const auto device = LinuxDevice::Open("floe0", kMtu);
  ASSERT_TRUE(device);
  std::vector<std::uint8_t> packet(Device::kMaxRead);

  const auto size = (*device)->Read(packet);

  ASSERT_TRUE(size) << size.error().code.message();
  EXPECT_EQ(*size, std::nullopt);
}

TEST_F(LinuxDeviceTest, IsHandedAsOneOnlyWhatIsWanted) {
  const auto device = LinuxDevice::Open("floe0", kMtu, {.tcp = false, .udp = false});
  ASSERT_TRUE(device);

  EXPECT_EQ((*device)->offloads(), Offloads{});
  EXPECT_TRUE((*device)->takes().tcp);
}

TEST_F(LinuxDeviceTest, GivesUpOffloadsWhenPacketsCannotBeRead) {
  const auto device = OpenAndSetUp();
  ASSERT_TRUE(device->offloads().tcp);
  const UniqueFd socket(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(ETH_P_IP);
  to.sll_ifindex = static_cast<int>(device->index());
  const std::vector<std::uint8_t> packet =
      MakeEchoRequest(*ParseIpAddress("10.9.0.2"), *ParseIpAddress("10.9.0.3"));
  // No room for the header in front of a packet: the kernel says EINVAL, as it does in trouble.
  std::array<std::uint8_t, 4> small{};

  for (int i = 0; i < 16; ++i) {
    ASSERT_EQ(sendto(socket.get(), packet.data(), packet.size(), 0,
                     reinterpret_cast<const sockaddr*>(&to), sizeof(to)),
              static_cast<ssize_t>(packet.size()));
    const auto size = device->Read(small);
    ASSERT_TRUE(size) << size.error().code.message();
    EXPECT_EQ(*size, std::nullopt);
  }

  EXPECT_EQ(device->offloads(), Offloads{});
}

TEST_F(LinuxDeviceTest, DropsAndCountsWhatIsNoPacket) {
  const auto device = OpenAndSetUp();

  EXPECT_TRUE(WritePlain(*device, AsBytes("\x7F is neither IPv4 nor IPv6")));

  EXPECT_EQ(device->dropped(), 1U);
}

TEST_F(LinuxDeviceTest, DropsAndCountsWhileTheInterfaceIsOff) {
  const auto device = LinuxDevice::Open("floe0", kMtu);
  ASSERT_TRUE(device);

  EXPECT_TRUE(WritePlain(
      **device, MakeEchoRequest(*ParseIpAddress("10.9.0.2"), *ParseIpAddress("10.9.0.1"))));

  EXPECT_EQ((*device)->dropped(), 1U);
}

}  // namespace
}  // namespace floe::tun
