#include "base/uv/udp_offload_check.h"

#include <gtest/gtest.h>

#include "tests/support/network_namespace.h"

namespace floe::uv {
namespace {

TEST(UdpOffloadCheckTest, FindsWhatThisKernelDoes) {
  const UdpOffloadReport report = CheckUdpOffloads({});

  // Linux 5.0 and later does both, and floe asks for Debian 12.
  EXPECT_EQ(report.usable, UdpOffloads{});
  EXPECT_EQ(report.segment, "");
  EXPECT_EQ(report.gro, "");
}

TEST(UdpOffloadCheckTest, LeavesWhatIsNotWanted) {
  const UdpOffloadReport report = CheckUdpOffloads({.segment = false, .gro = false});

  EXPECT_EQ(report.usable, (UdpOffloads{.segment = false, .gro = false}));
  EXPECT_EQ(report.segment, "");
  EXPECT_EQ(report.gro, "");
}

using UdpOffloadCheckNamespaceTest = test::NetworkNamespaceTest;

TEST_F(UdpOffloadCheckNamespaceTest, SaysNothingOfTheKernelWhereTheLoopbackInterfaceIsDown) {
  const UdpOffloadReport report = CheckUdpOffloads({});

  EXPECT_EQ(report.usable, UdpOffloads{});
}

}  // namespace
}  // namespace floe::uv
