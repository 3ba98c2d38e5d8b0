#include "ice/candidate.h"

#include <gtest/gtest.h>
#include <string>

namespace floe::ice {
namespace {

CandidateError ErrorOf(std::string_view line) {
  const auto parsed = ParseCandidate(line);
  EXPECT_FALSE(parsed.has_value()) << line;
  return parsed ? CandidateError{} : parsed.error();
}

TEST(CandidateTest, ReadsTheExamplesOfRfc8839) {
  const auto host = ParseCandidate("candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host");
  ASSERT_TRUE(host.has_value());
  EXPECT_EQ(host->type, CandidateType::kHost);
  EXPECT_EQ(ToString(host->address), "203.0.113.141:8998");
  EXPECT_EQ(host->priority, 2130706431U);

  const auto srflx = ParseCandidate(
      "candidate:2 1 UDP 1694498815 192.0.2.3 5000 typ srflx raddr 203.0.113.141 rport 8998");
  ASSERT_TRUE(srflx.has_value());
  EXPECT_EQ(srflx->type, CandidateType::kServerReflexive);
  ASSERT_TRUE(srflx->related.has_value());
  EXPECT_EQ(ToString(*srflx->related), "203.0.113.141:8998");
}

TEST(CandidateTest, WritesWhatItReads) {
  for (const char* line :
       {"candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host",
        "candidate:a+/9 1 UDP 1 2001:db8::7 65535 typ relay raddr 192.0.2.1 rport 1",
        "candidate:77 1 UDP 1694498815 192.0.2.3 5000 typ srflx raddr 10.0.0.1 rport 8998",
        "candidate:8 1 UDP 7 2001:db8::7 5000 typ relay raddr :: rport 9",
        "candidate:9 1 TCP 1518280447 192.0.2.3 9 typ host tcptype active",
        "candidate:9 1 TCP 7 192.0.2.3 5 typ srflx raddr 10.0.0.1 rport 5 tcptype passive",
        "candidate:9 1 TCP 7 192.0.2.3 5 typ srflx raddr 0.0.0.0 rport 9 tcptype so",
        "candidate:1 1 UDP 5 6ba7b810-9dad.local 41820 typ host"}) {
    const auto parsed = ParseCandidate(line);
    ASSERT_TRUE(parsed.has_value()) << line;
    EXPECT_EQ(ToLine(*parsed), line);
  }
}

TEST(CandidateTest, ToleratesExtensionsAndMissingPrefix) {
  EXPECT_TRUE(
      ParseCandidate("1 1 udp 99 192.0.2.5 41820 typ host generation 0 network-cost 10 x y z"));
  const auto hidden =
      ParseCandidate("candidate:1 1 UDP 99 192.0.2.5 41820 typ srflx raddr 0.0.0.0 rport 9");
  ASSERT_TRUE(hidden.has_value());
  EXPECT_FALSE(hidden->related.has_value());
}

TEST(CandidateTest, ReadsTheWholeLineOfADescription) {
  const auto parsed =
      ParseCandidate("a=candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host\r\n");

  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(ToString(parsed->address), "203.0.113.141:8998");
}

// RFC 6544 section 4.5.
TEST(CandidateTest, ReadsWhichEndOfATcpConnectionItIs) {
  const auto active =
      ParseCandidate("1 1 tcp 5 192.0.2.5 0 typ host generation 0 tcptype active x y");
  ASSERT_TRUE(active.has_value());
  EXPECT_EQ(active->tcp_type, TcpType::kActive);
  EXPECT_EQ(active->address.transport, Transport::kTcp);
  EXPECT_EQ(active->address.port, kActivePort) << "whatever was told";

  const auto passive = ParseCandidate("1 1 TCP 5 192.0.2.5 80 typ host tcptype passive");
  ASSERT_TRUE(passive.has_value());
  EXPECT_EQ(passive->tcp_type, TcpType::kPassive);
  EXPECT_NE(passive->address, (SocketAddress{IpAddress::V4(192, 0, 2, 5), 80})) << "not UDP's";
}

TEST(CandidateTest, LeavesANameToItsOwner) {
  const auto named = ParseCandidate(
      "candidate:1 1 UDP 5 6ba7b810-9dad-11d1-80b4-00c04fd430c8.local 41820 typ host");

  ASSERT_TRUE(named.has_value());
  EXPECT_EQ(named->name, "6ba7b810-9dad-11d1-80b4-00c04fd430c8.local");
  EXPECT_EQ(named->address.port, 41820);
  EXPECT_FALSE(IsUsableRemote(named->address)) << "nothing can be sent there yet";
}

TEST(CandidateTest, SaysWhyALineIsRefused) {
  EXPECT_EQ(ErrorOf(""), CandidateError::kSyntax);
  EXPECT_EQ(ErrorOf("candidate:1 1 UDP x 192.0.2.5 1 typ host"), CandidateError::kSyntax);
  EXPECT_EQ(ErrorOf("candidate:1 1 UDP 0 192.0.2.5 1 typ host"), CandidateError::kSyntax);
  EXPECT_EQ(ErrorOf("candidate:1 1 UDP 4294967295 192.0.2.5 1 typ host"), CandidateError::kSyntax);
  EXPECT_EQ(ErrorOf("candidate:- 1 UDP 5 192.0.2.5 1 typ host"), CandidateError::kSyntax);
  EXPECT_EQ(ErrorOf("candidate:1 0 UDP 5 192.0.2.5 1 typ host"), CandidateError::kSyntax);
  EXPECT_EQ(ErrorOf("candidate:1 2 UDP 5 192.0.2.5 1 typ host"), CandidateError::kComponent);
  EXPECT_EQ(ErrorOf("candidate:1 1 SCTP 5 192.0.2.5 9 typ host"), CandidateError::kTransport);
  EXPECT_EQ(ErrorOf("candidate:1 1 TCP 5 192.0.2.5 9 typ host"), CandidateError::kTransport);
  EXPECT_EQ(ErrorOf("candidate:1 1 TCP 5 192.0.2.5 9 typ host tcptype warp"),
            CandidateError::kTransport);
  EXPECT_EQ(ErrorOf("candidate:1 1 UDP 5 192.0.2.5 1 typ warp"), CandidateError::kType);
  for (const char* address :
       {"local", ".local", "1.2.3", "a_b.local", "[::1]", "fe80::1%nowhere"}) {
    EXPECT_EQ(ErrorOf("candidate:1 1 UDP 5 " + std::string(address) + " 1 typ host"),
              CandidateError::kAddress)
        << address;
  }
  EXPECT_EQ(ErrorOf("candidate:1 1 UDP 5 a.local 0 typ host"), CandidateError::kAddress);
}

TEST(CandidateTest, RefusesAddressesNoPeerCanHave) {
  for (const char* ip : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1",
                         "ff02::1", "::ffff:192.0.2.1"}) {
    EXPECT_EQ(ErrorOf("candidate:1 1 UDP 5 " + std::string(ip) + " 7 typ host"),
              CandidateError::kAddress)
        << ip;
  }
  EXPECT_EQ(ErrorOf("candidate:1 1 UDP 5 192.0.2.5 0 typ host"), CandidateError::kAddress);
}

TEST(CandidateTest, ComputesThePriorityOfRfc8445) {
  // 2^24 * 126 + 2^8 * 65535 + 255, the value in RFC 8839's examples.
  EXPECT_EQ(ComputePriority(CandidateType::kHost, 65535), 2130706431U);
  EXPECT_EQ(ComputePriority(CandidateType::kServerReflexive, 65535), 1694498815U);
}

TEST(CandidateTest, PrefersUdpToTcpAndActiveToPassive) {
  // RFC 6544 section 4.2: 2^24 * type + 2^8 * (2^13 * direction + other) + 255.
  const std::uint32_t active = ComputeTcpPriority(CandidateType::kHost, TcpType::kActive, 8191);
  EXPECT_EQ(active, (90U << 24U) + ((6U << 13U) + 8191U) * 256U + 255U);
  EXPECT_EQ(active, ComputeTcpPriority(CandidateType::kHost, TcpType::kActive, 9000)) << "at most";
  EXPECT_GT(active, ComputeTcpPriority(CandidateType::kHost, TcpType::kPassive, 8191));
  EXPECT_GT(ComputeTcpPriority(CandidateType::kHost, TcpType::kPassive, 0),
            ComputeTcpPriority(CandidateType::kHost, TcpType::kSimultaneousOpen, 8191));
  EXPECT_GT(ComputeTcpPriority(CandidateType::kServerReflexive, TcpType::kSimultaneousOpen, 0),
            ComputeTcpPriority(CandidateType::kServerReflexive, TcpType::kActive, 8191));
  EXPECT_LT(active, ComputePriority(CandidateType::kServerReflexive, 0));
}

TEST(CandidateTest, FoundationFollowsTypeBaseAndServer) {
  const IpAddress base = IpAddress::V4(192, 0, 2, 1);
  const IpAddress other = IpAddress::V4(192, 0, 2, 2);
  const std::string host = ComputeFoundation(CandidateType::kHost, base, std::nullopt);

  EXPECT_EQ(host, ComputeFoundation(CandidateType::kHost, base, std::nullopt));
  EXPECT_NE(host, ComputeFoundation(CandidateType::kHost, other, std::nullopt));
  EXPECT_NE(host, ComputeFoundation(CandidateType::kHost, base, std::nullopt, Transport::kTcp));
  EXPECT_NE(ComputeFoundation(CandidateType::kServerReflexive, base, base),
            ComputeFoundation(CandidateType::kServerReflexive, base, other));
  EXPECT_NE(ComputeFoundation(CandidateType::kServerReflexive, base, other),
            ComputeFoundation(CandidateType::kRelayed, base, other));
}

}  // namespace
}  // namespace floe::ice
