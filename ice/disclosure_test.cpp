#include "ice/disclosure.h"

#include <gtest/gtest.h>

namespace floe::ice {
namespace {

Candidate Make(CandidateType type, const char* address, const char* related = nullptr) {
  Candidate candidate{.type = type,
                      .address = *ParseSocketAddress(address),
                      .base = *ParseSocketAddress(address),
                      .priority = 1,
                      .foundation = "1"};
  if (related != nullptr) {
    candidate.related = ParseSocketAddress(related);
  }
  return candidate;
}

std::string Told(const Disclosure& disclosure, const Candidate& candidate) {
  const auto told = disclosure.Tell(candidate);
  return told ? ToLine(*told) : "";
}

const Candidate kHost = Make(CandidateType::kHost, "192.168.1.5:41820");
const Candidate kPublicHost = Make(CandidateType::kHost, "[2001:db8::5]:41820");
const Candidate kReflexive =
    Make(CandidateType::kServerReflexive, "203.0.113.1:4000", "192.168.1.5:41820");
const Candidate kRelay = Make(CandidateType::kRelayed, "198.51.100.1:50000", "203.0.113.1:4000");
const Candidate kRelay6 =
    Make(CandidateType::kRelayed, "[2001:db8:1::1]:50000", "[2001:db8::5]:41820");

TEST(DisclosureTest, TellsEverythingUnlessToldNotTo) {
  for (const Candidate& candidate : {kHost, kPublicHost, kReflexive, kRelay, kRelay6}) {
    EXPECT_EQ(Disclosure{}.Tell(candidate), candidate);
  }
}

TEST(DisclosureTest, RelayOnlyTellsRelaysAndNotWhoIsBehindThem) {
  const Disclosure disclosure{.relay_only = true};

  EXPECT_EQ(Told(disclosure, kHost), "");
  EXPECT_EQ(Told(disclosure, kPublicHost), "");
  EXPECT_EQ(Told(disclosure, kReflexive), "");
  EXPECT_EQ(Told(disclosure, kRelay),
            "candidate:1 1 UDP 1 198.51.100.1 50000 typ relay raddr 0.0.0.0 rport 9");
  EXPECT_EQ(Told(disclosure, kRelay6),
            "candidate:1 1 UDP 1 2001:db8:1::1 50000 typ relay raddr :: rport 9");
}

TEST(DisclosureTest, PublicOnlyKeepsPrivateAddressesBack) {
  const Disclosure disclosure{.public_only = true};

  for (const char* address : {"10.0.0.1:1", "172.16.0.1:1", "172.31.255.1:1", "192.168.0.1:1",
                              "100.64.0.1:1", "169.254.0.1:1", "[fd00::1]:1", "[fe80::1]:1"}) {
    EXPECT_EQ(Told(disclosure, Make(CandidateType::kHost, address)), "") << address;
  }
  for (const char* address : {"172.32.0.1:1", "192.169.0.1:1", "100.128.0.1:1"}) {
    EXPECT_NE(Told(disclosure, Make(CandidateType::kHost, address)), "") << address;
  }
  EXPECT_EQ(disclosure.Tell(kPublicHost), kPublicHost);
  EXPECT_EQ(Told(disclosure, kReflexive),
            "candidate:1 1 UDP 1 203.0.113.1 4000 typ srflx raddr 0.0.0.0 rport 9");
  EXPECT_EQ(disclosure.Tell(kRelay), kRelay);
}

TEST(DisclosureTest, HiddenNetworksAreNeitherToldNorNamedAsRelated) {
  const Disclosure disclosure{.hidden = {*ParseIpPrefix("192.168.1.0/24")}};

  EXPECT_EQ(Told(disclosure, kHost), "");
  EXPECT_EQ(Told(disclosure, kReflexive),
            "candidate:1 1 UDP 1 203.0.113.1 4000 typ srflx raddr 0.0.0.0 rport 9");
  EXPECT_EQ(disclosure.Tell(kPublicHost), kPublicHost);
}

}  // namespace
}  // namespace floe::ice
