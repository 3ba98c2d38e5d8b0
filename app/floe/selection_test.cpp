#include "app/floe/selection.h"

#include <gtest/gtest.h>

#include "app/control/sample_status.h"

namespace floe::cli {
namespace {

using control::ServerState;
using control::Status;
using control::test::SampleStatus;

// The sample: nas is direct, vps relayed, phone offline; one rendezvous, connected.

Status Only(const std::vector<std::string>& names) {
  return Select(SampleStatus(), names).value();
}

TEST(SelectTest, KeepsAllWhereNoneIsNamed) {
  EXPECT_EQ(Only({}), SampleStatus());
}

TEST(SelectTest, KeepsThePeersNamedInThatOrder) {
  const Status selected = Only({"phone", "10.71.0.2"});
  ASSERT_EQ(selected.peers.size(), 2U);
  EXPECT_EQ(selected.peers[0].name, "phone");
  EXPECT_EQ(selected.peers[1].name, "nas");
}

TEST(SelectTest, NamesThePeerThatIsNotThere) {
  EXPECT_EQ(Select(SampleStatus(), {"nas", "x"}).error(), "x");
}

TEST(PassesTest, WhateverAnswersIsLive) {
  EXPECT_TRUE(Passes(Status{}, Check::kLive, /*named=*/false));
}

TEST(PassesTest, IsReadyWithARendezvousOrWithoutNeed) {
  Status status = Only({});
  EXPECT_TRUE(Passes(status, Check::kReady, /*named=*/false));

  status.rendezvous[0].state = ServerState::kConnecting;
  EXPECT_FALSE(Passes(status, Check::kReady, /*named=*/false));

  status.rendezvous.push_back({"wss://two", ServerState::kConnected, {}});
  EXPECT_TRUE(Passes(status, Check::kReady, /*named=*/false));

  status.rendezvous.clear();
  EXPECT_TRUE(Passes(status, Check::kReady, /*named=*/false));
}

TEST(PassesTest, IsReadyOnlyWithThePeersNamed) {
  EXPECT_TRUE(Passes(Only({"nas", "vps"}), Check::kReady, /*named=*/true));
  EXPECT_FALSE(Passes(Only({"nas", "phone"}), Check::kReady, /*named=*/true));
}

TEST(PassesTest, IsDirectIfEveryPeerIs) {
  EXPECT_TRUE(Passes(Only({"nas"}), Check::kDirect, /*named=*/true));
  EXPECT_FALSE(Passes(Only({"nas", "vps"}), Check::kDirect, /*named=*/true));
  EXPECT_FALSE(Passes(Only({"phone"}), Check::kDirect, /*named=*/true));
  EXPECT_FALSE(Passes(Only({}), Check::kDirect, /*named=*/false));
}

TEST(PassesTest, ADirectPathOfAPeerThatIsNotUpDoesNotCount) {
  Status status = Only({"nas"});
  status.peers[0].state = control::PeerState::kConnecting;
  EXPECT_FALSE(Passes(status, Check::kDirect, /*named=*/true));
}

TEST(PassesTest, NoPeersAreNotDirect) {
  EXPECT_FALSE(Passes(Status{}, Check::kDirect, /*named=*/false));
}

}  // namespace
}  // namespace floe::cli
