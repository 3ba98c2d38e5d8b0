#include "app/control/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/control/sample_status.h"

namespace floe::control {
namespace {

using test::kNow;
using test::SampleStatus;
using testing::HasSubstr;

TEST(RenderStatusTest, DrawsATable) {
  EXPECT_EQ(
      RenderStatus(SampleStatus(), kNow, Detail::kTable),
      R"(self  laptop  10.71.0.1  fd71::1  up 3d3h  port: 41820  nat: easy  rendezvous: ok 21ms
PEER   IP            VIA                                   RTT    LOSS  RX/TX           LAST  STATE
nas    10.71.0.2     direct 203.0.113.7:41820 (srflx)      12ms   0%    1.2 GiB/88 MiB  1m1s  up 3d2h
vps    10.71.0.4     relay [2001:db8::1]:50012 (turn/tls)  0.4ms  0.2%  860 B/3.0 KiB   0s    up 4m  ! relayed: both NATs are hard
phone  10.71.5.0/24  -                                     -      -     0 B/0 B         2d    offline

! vps is relayed: both NATs are hard
)");
}

TEST(RenderStatusTest, WritesAParagraphForEachPeer) {
  Status status = SampleStatus();
  status.peers.erase(status.peers.begin() + 1);
  status.health.clear();

  EXPECT_EQ(
      RenderStatus(status, kNow, Detail::kFull),
      R"(self  laptop  10.71.0.1  fd71::1  up 3d3h  port: 41820  nat: easy  rendezvous: ok 21ms
  public key: AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=
  nat: mapping endpoint-independent, filtering unknown
  port mapping: 203.0.113.1:41820 by pcp
  rendezvous: wss://rv.example.net connected
  cipher: OpenSSL
  offloads: tso
  offload udp-gro: off, the kernel refuses it
  dropped: 3 replayed_transport, 1 unroutable_packet
  made to fit: 5 packets cut, 2 SYNs clamped; 4 sends too big

peer: nas
  public key: AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=
  state: up 3d2h
  allowed ips: 192.168.50.0/24, 10.71.0.2/32
  path: direct, udp, for 2h
  local: host 192.0.2.1:41820
  remote: srflx 203.0.113.7:41820
  quality: rtt 12ms, loss 0%, mtu 1420
  mtu probing: complete, 3 probes, 1 black hole
  latest handshake: 1m1s ago
  transfer: 1.2 GiB received, 88 MiB sent
  time to connect: first path 48ms, direct 48ms

peer: phone
  public key: BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=
  state: offline
  allowed ips: 10.71.5.0/24
  endpoint: phone.example:51820
  path: none
  latest handshake: 2d ago
  transfer: 0 B received, 0 B sent
  time to connect: first path -, direct -
)");
}

TEST(RenderStatusTest, SaysWhyAPeerIsRelayed) {
  EXPECT_THAT(RenderStatus(SampleStatus(), kNow, Detail::kFull),
              HasSubstr("  relayed because: both NATs are hard\n"));
}

TEST(RenderStatusTest, SaysThatThereAreNoPeers) {
  EXPECT_THAT(RenderStatus(Status{}, kNow, Detail::kTable), HasSubstr("no peers\n"));
}

TEST(RenderStatusTest, ShowsARendezvousThatIsNotConnected) {
  Status status = SampleStatus();
  status.rendezvous[0].state = ServerState::kDisconnected;
  EXPECT_THAT(RenderStatus(status, kNow, Detail::kTable), HasSubstr("rendezvous: disconnected\n"));
}

TEST(RenderStatusTest, LetsNothingMoveTheCursor) {
  Status status = SampleStatus();
  status.peers[1].why_relayed = "\x1b[2J\r\x7f";
  const std::string text = RenderStatus(status, kNow, Detail::kTable);
  EXPECT_EQ(text.find_first_of("\x1b\r\x7f"), std::string::npos);
  EXPECT_THAT(text, HasSubstr("relayed: ?[2J??\n"));
}

TEST(RenderPathTest, NamesTheRelayOfTheOtherEndIfWeUseNone) {
  PathStatus path = test::RelayedPeer().path;
  path.local_type = ice::CandidateType::kHost;
  path.remote_type = ice::CandidateType::kRelayed;
  path.transport = PathTransport::kUdp;
  EXPECT_EQ(RenderPath(path), "relay [2001:db8::2]:33012 (turn/udp)");
}

TEST(RenderPathTest, LeavesTheTypeOfAWireGuardDeviceOut) {
  PathStatus path = test::DirectPeer().path;
  path.remote_type.reset();
  EXPECT_EQ(RenderPath(path), "direct 203.0.113.7:41820");
}

TEST(RenderAgeTest, NamesTheTwoLargestUnits) {
  using std::chrono::seconds;
  EXPECT_EQ(RenderAge(seconds(0)), "0s");
  EXPECT_EQ(RenderAge(seconds(59)), "59s");
  EXPECT_EQ(RenderAge(seconds(60)), "1m");
  EXPECT_EQ(RenderAge(seconds(119)), "1m59s");
  EXPECT_EQ(RenderAge(seconds(3600)), "1h");
  EXPECT_EQ(RenderAge(seconds(86399)), "23h59m");
  EXPECT_EQ(RenderAge(seconds(86400 * 3 + 7300)), "3d2h");
}

TEST(RenderAgeTest, TakesATimeToComeAsNone) {
  EXPECT_EQ(RenderAge(std::chrono::milliseconds(-1)), "0s");
}

TEST(RenderReloadTest, SaysWhatWasDone) {
  EXPECT_EQ(RenderReload({}), "nothing has changed");
  EXPECT_EQ(RenderReload({.added = 1, .removed = 1, .changed = 2}),
            "1 peer added, 1 removed, 2 changed");
  EXPECT_EQ(RenderReload({.changed = 2, .settings = {"log.level"}}),
            "2 peers changed; changed: log.level");
  EXPECT_EQ(RenderReload({.settings = {"log.level", "stun.urls"}}),
            "changed: log.level, stun.urls");
}

TEST(RenderBytesTest, UsesPowersOf1024) {
  EXPECT_EQ(RenderBytes(0), "0 B");
  EXPECT_EQ(RenderBytes(1023), "1023 B");
  EXPECT_EQ(RenderBytes(1024), "1.0 KiB");
  EXPECT_EQ(RenderBytes(10 * 1024), "10 KiB");
  EXPECT_EQ(RenderBytes(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(RenderBytes(UINT64_MAX), "16 EiB");
}

TEST(RenderMillisecondsTest, GivesATenthBelowTen) {
  EXPECT_EQ(RenderMilliseconds(0.44), "0.4ms");
  EXPECT_EQ(RenderMilliseconds(9.96), "10ms");
  EXPECT_EQ(RenderMilliseconds(31.2), "31ms");
}

}  // namespace
}  // namespace floe::control
