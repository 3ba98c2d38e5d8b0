// The agent that tries how large a datagram its path takes.

#include "ice/test_peer.h"

namespace floe::ice {
namespace {

using stun::AttributeType;

class AgentSizesTest : public WithPeerTest {
 protected:
  void Connect() {
    Make(Role::kControlling, {.pace = Pace::kFast});
    AddRemote(Host("192.0.2.1:1000"));
    Introduce();
    Pass(milliseconds(1));
    Answer(Requests().at(0));
    ASSERT_TRUE(agent().path());
    Pass(milliseconds(300));
    for (const Sent& request : Requests()) {
      Answer(request);
    }
    while (agent().PollEvent()) {
    }
    static_cast<void>(Requests());
  }

  std::vector<std::size_t> Sizes() {
    std::vector<std::size_t> sizes;
    for (const Event& event : std::exchange(events_, {})) {
      if (const auto* answered = std::get_if<SizeAnswered>(&event)) {
        sizes.push_back(answered->size);
      }
    }
    while (const auto event = agent().PollEvent()) {
      if (const auto* answered = std::get_if<SizeAnswered>(&*event)) {
        sizes.push_back(answered->size);
      }
    }
    return sizes;
  }
};

TEST_F(AgentSizesTest, AProbeIsACheckOfThatSizeThatMustStayWhole) {
  Connect();

  for (const std::size_t size : {528U, 1216U, 1440U, 8960U}) {
    agent().ProbeSize(now_, size);

    const auto requests = Requests();
    ASSERT_EQ(requests.size(), 1U);
    EXPECT_EQ(requests[0].transmit.payload.size(), size);
    EXPECT_TRUE(requests[0].transmit.handling.dont_fragment);
    EXPECT_TRUE(requests[0].has(AttributeType::kPriority));
    EXPECT_FALSE(requests[0].has(AttributeType::kUseCandidate));
  }
}

TEST_F(AgentSizesTest, ASmallProbeHasNothingAdded) {
  Connect();

  agent().ProbeSize(now_, 0);

  const auto requests = Requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_LT(requests[0].transmit.payload.size(), 160U);
  EXPECT_FALSE(requests[0].has(AttributeType::kSizeProbe));
}

TEST_F(AgentSizesTest, TheAnswerSaysWhichSizeArrived) {
  Connect();
  agent().ProbeSize(now_, 0);
  agent().ProbeSize(now_, 1440);
  const auto requests = Requests();

  Answer(requests.at(1));
  EXPECT_EQ(Sizes(), std::vector<std::size_t>{1440});
  Answer(requests.at(0));
  EXPECT_EQ(Sizes(), std::vector<std::size_t>{0});
  Answer(requests.at(0));
  EXPECT_TRUE(Sizes().empty()) << "once";
}

TEST_F(AgentSizesTest, WhatIsLostSaysNothingOfThePair) {
  Connect();
  const std::uint32_t sends = pair().sends;

  for (int i = 0; i < 20; ++i) {
    agent().ProbeSize(now_, 1440);
  }

  EXPECT_EQ(pair().sends, sends);
  EXPECT_EQ(Requests().size(), 20U);
  EXPECT_TRUE(agent().path());
}

TEST_F(AgentSizesTest, AnAnswerFromElsewhereDoesNotCount) {
  Connect();
  agent().ProbeSize(now_, 1440);

  Answer(Requests().at(0), std::nullopt, Address("192.0.2.9:1000"));

  EXPECT_TRUE(Sizes().empty());
}

TEST_F(AgentSizesTest, NothingIsProbedWithoutAPath) {
  Make(Role::kControlling, {.pace = Pace::kFast});
  agent().ProbeSize(now_, 1440);
  EXPECT_TRUE(Requests().empty());
}

/// As any agent does with an attribute that need not be understood.
TEST_F(AgentSizesTest, AProbeOfThePeersIsAnswered) {
  Connect();
  stun::Builder builder(stun::Class::kRequest, stun::Method::kBinding, stun::TransactionId{9});
  builder.AddText(AttributeType::kUsername, "ours:" + peer_.ufrag)
      .AddU32(AttributeType::kPriority, 1)
      .AddU64(AttributeType::kIceControlled, 1)
      .Add(AttributeType::kSizeProbe, std::vector<std::uint8_t>(1300))
      .AddIntegrity(AsBytes(agent().local_credentials().password))
      .AddFingerprint();
  const auto bytes = builder.Take();

  EXPECT_TRUE(agent().HandleMessage(now_, kOurs, kTheirs, *stun::MessageView::Parse(bytes)));

  const auto answers = Answers();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].message().message_class(), stun::Class::kSuccess);
  EXPECT_LT(answers[0].transmit.payload.size(), 160U) << "it is the question that is large";
}

}  // namespace
}  // namespace floe::ice
