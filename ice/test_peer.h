// An agent whose peer is played by the test, message by message.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ice/agent.h"
#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "ice/test_pairing.h"
#include "tests/support/fake_random.h"

namespace floe::ice {

inline const SocketAddress kOurs = Address("192.0.1.1:1000");
inline const SocketAddress kTheirs = Address("192.0.2.1:1000");

/// Random, but for the tie-breaker of the agent made with it.
class WithTieBreaker final : public RandomSource {
 public:
  explicit WithTieBreaker(std::uint64_t tie_breaker) : tie_breaker_(tie_breaker) {}

  void Fill(MutableBytes out) override {
    random_.Fill(out);
    if (tie_breaker_) {
      StoreBe(out, 0, *std::exchange(tie_breaker_, std::nullopt));
    }
  }

 private:
  std::optional<std::uint64_t> tie_breaker_;
  floe::test::FakeRandom random_;
};

/// What a request of the peer says.
struct Ask {
  std::uint64_t tie_breaker = 1;
  std::optional<Role> role;  // Else the other than the agent's.
  bool use_candidate = false;
  std::optional<std::uint32_t> nomination;
  SocketAddress from = kTheirs;
  SocketAddress to = kOurs;
};

class WithPeerTest : public ::testing::Test {
 protected:
  struct Sent {
    TimePoint when;
    Transmit transmit;

    [[nodiscard]] stun::MessageView message() const {
      return *stun::MessageView::Parse(transmit.payload);
    }

    [[nodiscard]] stun::TransactionId id() const { return message().transaction_id(); }

    [[nodiscard]] bool has(stun::AttributeType type) const {
      return message().Find(type).has_value();
    }
  };

  /// An agent at kOurs, at the standard pace and without renomination unless `config` is another.
  void Make(Role role, AgentConfig config = {.pace = Pace::kStandard, .renomination = false},
            std::uint64_t tie_breaker = 500) {
    random_ = std::make_unique<WithTieBreaker>(tie_breaker);
    config.role = role;
    config.local = {.ufrag = "ours", .password = "oursoursoursoursoursours"};
    agent_ = std::make_unique<Agent>(now_, config, *random_);
    agent_->AddLocalCandidate(now_, Host("192.0.1.1:1000"));
  }

  void Introduce() { ASSERT_TRUE(agent().SetRemoteCredentials(now_, peer_)); }

  void AddRemote(const Candidate& candidate) {
    ASSERT_TRUE(agent().AddRemoteCandidate(now_, candidate));
  }

  Agent& agent() { return *agent_; }

  [[nodiscard]] const Pair& pair(std::size_t index = 0) const { return agent_->pairs().at(index); }

  /// Lets time pass; what the agent sends is in `sent_`.
  void Pass(Duration time) {
    const TimePoint end = now_ + time;
    Drain();
    for (int steps = 0; steps < 100'000; ++steps) {
      const TimePoint next = agent().NextTimeout().value_or(end);
      if (next > end) {
        break;
      }
      now_ = std::max(now_, next);
      agent().HandleTimeout(now_);
      Drain();
      if (now_ == end && (!agent().NextTimeout() || *agent().NextTimeout() > end)) {
        break;
      }
    }
    now_ = end;
  }

  /// The requests sent since the last call.
  std::vector<Sent> Requests() {
    Drain();
    std::vector<Sent> requests;
    for (Sent& sent : std::exchange(sent_, {})) {
      if (sent.message().message_class() == stun::Class::kRequest) {
        requests.push_back(std::move(sent));
      }
    }
    return requests;
  }

  /// The answers likewise.
  std::vector<Sent> Answers() {
    Drain();
    std::vector<Sent> answers;
    for (Sent& sent : std::exchange(sent_, {})) {
      if (sent.message().message_class() != stun::Class::kRequest) {
        answers.push_back(std::move(sent));
      }
    }
    return answers;
  }

  void Answer(const Sent& request, std::optional<SocketAddress> mapped = std::nullopt,
              std::optional<SocketAddress> from = std::nullopt) {
    stun::Builder builder(stun::Class::kSuccess, stun::Method::kBinding, request.id());
    builder.AddAddress(stun::AttributeType::kXorMappedAddress,
                       mapped.value_or(request.transmit.local));
    Finish(request, builder, from);
  }

  void Refuse(const Sent& request, int code) {
    stun::Builder builder(stun::Class::kError, stun::Method::kBinding, request.id());
    builder.AddErrorCode(static_cast<stun::ErrorCode>(code));
    Finish(request, builder, std::nullopt);
  }

  void Finish(const Sent& request, stun::Builder& builder, std::optional<SocketAddress> from) {
    builder.AddIntegrity(AsBytes(peer_.password)).AddFingerprint();
    const auto bytes = builder.Take();
    agent().HandleMessage(now_, request.transmit.local, from.value_or(request.transmit.remote),
                          *stun::MessageView::Parse(bytes));
  }

  void Send(const Ask& ask) {
    stun::Builder builder(stun::Class::kRequest, stun::Method::kBinding,
                          stun::NewTransactionId(ids_));
    const Role role = ask.role.value_or(agent().role() == Role::kControlling ? Role::kControlled
                                                                             : Role::kControlling);
    builder.AddText(stun::AttributeType::kUsername, "ours:" + peer_.ufrag)
        .AddU32(stun::AttributeType::kPriority, ComputePriority(CandidateType::kPeerReflexive, 1))
        .AddU64(role == Role::kControlling ? stun::AttributeType::kIceControlling
                                           : stun::AttributeType::kIceControlled,
                ask.tie_breaker);
    if (ask.use_candidate) {
      builder.AddFlag(stun::AttributeType::kUseCandidate);
    }
    if (ask.nomination) {
      builder.AddU32(stun::AttributeType::kNomination, *ask.nomination);
    }
    builder.AddIntegrity(AsBytes(agent().local_credentials().password)).AddFingerprint();
    const auto bytes = builder.Take();
    agent().HandleMessage(now_, ask.to, ask.from, *stun::MessageView::Parse(bytes));
  }

  /// Whether such an event has come.
  template <typename Kind>
  [[nodiscard]] std::size_t Count() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        events_, [](const Event& event) { return std::holds_alternative<Kind>(event); }));
  }

  TimePoint now_ = TimePoint{} + seconds(1000);
  Credentials peer_{.ufrag = "peer", .password = "peerpeerpeerpeerpeerpeer"};
  std::vector<Event> events_;

 private:
  void Drain() {
    while (auto transmit = agent().PollTransmit()) {
      sent_.push_back({now_, *std::move(transmit)});
    }
    while (auto event = agent().PollEvent()) {
      events_.push_back(*event);
    }
  }

  floe::test::FakeRandom ids_{99};
  std::unique_ptr<WithTieBreaker> random_;
  std::unique_ptr<Agent> agent_;
  std::vector<Sent> sent_;
};

}  // namespace floe::ice
