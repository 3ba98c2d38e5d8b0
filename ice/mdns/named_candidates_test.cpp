#include "ice/mdns/named_candidates.h"

#include <gtest/gtest.h>
#include <string>

namespace floe::ice::mdns {
namespace {

const IpAddress kFound = IpAddress::V4(192, 0, 2, 1);

Candidate Named(const std::string& name, const std::string& type = "host") {
  return *ParseCandidate("candidate:1 1 UDP 2113937151 " + name + " 1000 typ " + type);
}

TEST(NamedCandidatesTest, GiveTheAddressToAllThatWaitedForTheName) {
  NamedCandidates candidates(8);
  ASSERT_TRUE(candidates.Add(1, Named("a.local")));
  ASSERT_TRUE(candidates.Add(2, Named("a.local")));
  ASSERT_TRUE(candidates.Add(2, Named("b.local")));

  const auto found = candidates.Take({.name = "a.local", .address = kFound});

  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].session, 1U);
  EXPECT_EQ(found[1].session, 2U);
  EXPECT_EQ(ToLine(found[0].candidate), "candidate:1 1 UDP 2113937151 192.0.2.1 1000 typ host");
  EXPECT_EQ(found[0].candidate.base, found[0].candidate.address);
  EXPECT_TRUE(candidates.Take({.name = "a.local", .address = kFound}).empty()) << "once";
}

TEST(NamedCandidatesTest, AreForgottenWhenNobodyAnswers) {
  NamedCandidates candidates(1);
  ASSERT_TRUE(candidates.Add(1, Named("a.local")));

  EXPECT_TRUE(candidates.Take({.name = "a.local", .address = std::nullopt}).empty());
  EXPECT_TRUE(candidates.Add(1, Named("b.local"))) << "there is room again";
}

TEST(NamedCandidatesTest, AreFewAndOfTheLocalNetwork) {
  NamedCandidates candidates(2);
  EXPECT_FALSE(candidates.Add(1, Named("host.example")));
  EXPECT_FALSE(candidates.Add(1, Named("a.local", "relay")));
  EXPECT_TRUE(candidates.Add(1, Named("a.local")));
  EXPECT_TRUE(candidates.Add(1, Named("b.local")));
  EXPECT_FALSE(candidates.Add(1, Named("c.local")));
  EXPECT_TRUE(candidates.Add(1, Named("b.local"))) << "said again";
}

}  // namespace
}  // namespace floe::ice::mdns
