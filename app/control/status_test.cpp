#include "app/control/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/control/sample_status.h"

namespace floe::control {
namespace {

using test::SampleStatus;

// The fields and words that scripts lean on, in this order.
constexpr const char* kGolden =
    R"({"schema":"floe.status/1",)"
    R"("node":{"name":"laptop","public_key":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",)"
    R"("addresses":["10.71.0.1","fd71::1"],"listen_port":41820,"nat":"easy",)"
    R"("nat_mapping":"endpoint-independent","nat_filtering":null,)"
    R"("port_mappings":[{"protocol":"pcp","internal":"192.0.2.1:41820",)"
    R"("external":"203.0.113.1:41820"}],)"
    R"("port_prediction":{"attempts":2,"probes":1282,"found":1},)"
    R"("since":"2026-11-20T04:20:17.123Z"},)"
    R"("tunnel":{"cipher":"OpenSSL","offloads":{"tso":{"on":true,"reason":null},)"
    R"("udp-gro":{"on":false,"reason":"the kernel refuses it"}},)"
    R"("drops":{"replayed_transport":3,"unroutable_packet":1},"fragmented":5,"clamped_mss":2,)"
    R"("too_big":4},)"
    R"("rendezvous":[{"url":"wss://rv.example.net","state":"connected","rtt_ms":21.0}],)"
    R"("peers":[{"name":"nas","public_key":"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=",)"
    R"("state":"up","since":"2026-11-20T05:20:17.123Z","path":{"kind":"direct",)"
    R"("local_type":"host","remote_type":"srflx","local":"192.0.2.1:41820",)"
    R"("remote":"203.0.113.7:41820","transport":"udp","rtt_ms":12.1,"loss":0.0,)"
    R"("since":"2026-11-23T05:20:17.123Z","mtu":1420,)"
    R"("mtu_probing":{"state":"complete","probes":3,"black_holes":1}},)"
    R"("allowed_ips":["192.168.50.0/24","10.71.0.2/32"],"endpoint":null,"why_relayed":null,)"
    R"("latest_handshake":"2026-11-23T07:19:16.123Z","rx_bytes":1300000000,"tx_bytes":92000000,)"
    R"("connect_ms":{"first_path":48.0,"direct":48.5}}],"health":[]})";

Status GoldenStatus() {
  Status status = SampleStatus();
  status.peers.resize(1);
  status.health.clear();
  return status;
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(StatusTest, IsWrittenAsTheSchemaSays) {
  EXPECT_EQ(ToJson(GoldenStatus()), kGolden);
}

TEST(StatusTest, ComesBackFromJsonAsItWas) {
  const auto parsed = ParseStatus(ToJson(SampleStatus()));
  ASSERT_TRUE(parsed.has_value()) << ToString(parsed.error());
  EXPECT_EQ(*parsed, SampleStatus());
}

TEST(StatusTest, AnEmptyStatusComesBackToo) {
  const auto parsed = ParseStatus(ToJson(Status{}));
  ASSERT_TRUE(parsed.has_value()) << ToString(parsed.error());
  EXPECT_EQ(*parsed, Status{});
}

TEST(StatusTest, EveryWordComesBack) {
  Status status = GoldenStatus();
  for (const NatKind nat :
       {NatKind::kUnknown, NatKind::kNone, NatKind::kEasy, NatKind::kHard, NatKind::kBlocked}) {
    for (const PeerState state :
         {PeerState::kDown, PeerState::kOffline, PeerState::kConnecting, PeerState::kUp}) {
      for (const PathTransport transport :
           {PathTransport::kUdp, PathTransport::kTcp, PathTransport::kTls}) {
        status.node.nat = nat;
        status.peers[0].state = state;
        status.peers[0].path.transport = transport;
        EXPECT_EQ(ParseStatus(ToJson(status)), status);
      }
    }
  }
}

TEST(StatusTest, WritesNoNumberThatJsonLacks) {
  Status status = GoldenStatus();
  status.peers[0].path.rtt_ms = std::numeric_limits<double>::infinity();
  EXPECT_THAT(ToJson(status), testing::HasSubstr(R"("rtt_ms":null,"loss")"));
}

TEST(StatusTest, SkipsFieldsItDoesNotKnow) {
  const auto parsed =
      ParseStatus(Replaced(kGolden, R"("node":{)", R"("later":[1],"node":{"x":1,)"));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(*parsed, GoldenStatus());
}

TEST(StatusTest, RefusesEveryTruncation) {
  const std::string whole = kGolden;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(ParseStatus(whole.substr(0, size)), Fail(StatusError::kNotJson)) << size;
  }
}

TEST(StatusTest, RefusesAnotherSchema) {
  EXPECT_EQ(ParseStatus(Replaced(kGolden, "floe.status/1", "floe.status/2")),
            Fail(StatusError::kBadSchema));
  EXPECT_EQ(ParseStatus("[]"), Fail(StatusError::kBadSchema));
}

TEST(StatusTest, RefusesBadFields) {
  const std::pair<const char*, const char*> changes[] = {
      {R"("name":"laptop")", R"("name":1)"},
      {R"("name":"nas",)", ""},
      {R"("public_key":"AQEB)", R"("public_key":"?QEB)"},
      {R"("listen_port":41820)", R"("listen_port":65536)"},
      {R"("tso":{"on":true)", R"("tso":{"on":false)"},
      {R"("unroutable_packet":1)", R"("unroutable_packet":-1)"},
      {R"("listen_port":41820)", R"("listen_port":-1)"},
      {R"("nat":"easy")", R"("nat":"soft")"},
      {R"("addresses":["10.71.0.1")", R"("addresses":["x")"},
      {R"("addresses":["10.71.0.1","fd71::1"])", R"("addresses":"10.71.0.1")"},
      {R"("state":"connected")", R"("state":null)"},
      {R"("kind":"direct")", R"("kind":"odd")"},
      {R"("local_type":"host")", R"("local_type":"odd")"},
      {R"("local":"192.0.2.1:41820")", R"("local":"192.0.2.1")"},
      {R"("since":"2026-11-23T05)", R"("since":"now 2026-11-23T05)"},
      {R"("rtt_ms":12.1)", R"("rtt_ms":"12.1")"},
      {R"("allowed_ips":["192)", R"("allowed_ips":["x192)"},
      {R"("rx_bytes":1300000000)", R"("rx_bytes":1.5)"},
      {R"("first_path":48.0)", R"("first_path":true)"},
      {R"("health":[])", R"("health":[1])"},
      {R"("peers":[{)", R"("peers":[1,{)"},
  };
  for (const auto& [from, to] : changes) {
    EXPECT_EQ(ParseStatus(Replaced(kGolden, from, to)), Fail(StatusError::kBadField)) << to;
  }
}

TEST(FindPeerTest, KnowsNameKeyAndAddress) {
  const Status status = SampleStatus();
  const PeerStatus* nas = &status.peers[0];

  EXPECT_EQ(FindPeer(status, "nas"), nas);
  EXPECT_EQ(FindPeer(status, "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="), nas);
  EXPECT_EQ(FindPeer(status, "10.71.0.2"), nas);
}

TEST(FindPeerTest, FindsNothingElse) {
  const Status status = SampleStatus();
  for (const char* peer : {"", "NAS", "na", "laptop", "192.168.50.1", "10.71.0.1"}) {
    EXPECT_EQ(FindPeer(status, peer), nullptr) << peer;
  }
}

}  // namespace
}  // namespace floe::control
