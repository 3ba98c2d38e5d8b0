// Two agents and a wire between them, for tests.

#pragma once

#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "ice/agent.h"
#include "tests/support/fake_random.h"

namespace floe::ice {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline SocketAddress Address(std::string_view text) {
  return *ParseSocketAddress(text);
}

inline Candidate Host(std::string_view text, std::uint16_t preference = 65535) {
  const SocketAddress address = Address(text);
  return {.type = CandidateType::kHost,
          .address = address,
          .base = address,
          .priority = ComputePriority(CandidateType::kHost, preference),
          .foundation = ComputeFoundation(CandidateType::kHost, address.ip, std::nullopt)};
}

inline Candidate Relay(std::string_view text) {
  Candidate candidate = Host(text);
  candidate.type = CandidateType::kRelayed;
  candidate.priority = ComputePriority(CandidateType::kRelayed, 65535);
  candidate.foundation = "relay";
  return candidate;
}

/// Two agents joined by a wire, on which `drop` may lose what it likes and `translate`
/// may change the sender's address as a NAT would.
class Pairing {
 public:
  explicit Pairing(AgentConfig a = {.role = Role::kControlling}, AgentConfig b = {}) {
    a.local = MakeCredentials(random_);
    b.local = MakeCredentials(random_);
    a_ = std::make_unique<Agent>(now_, a, random_);
    b_ = std::make_unique<Agent>(now_, b, random_);
  }

  Agent& a() { return *a_; }

  Agent& b() { return *b_; }

  void ExchangeCredentials() {
    ASSERT_TRUE(a().SetRemoteCredentials(now_, b().local_credentials()));
    ASSERT_TRUE(b().SetRemoteCredentials(now_, a().local_credentials()));
  }

  /// Gives one agent a candidate and tells the other.
  void Add(Agent& to, const Candidate& candidate) {
    to.AddLocalCandidate(now_, candidate);
    ASSERT_TRUE((&to == a_.get() ? b() : a()).AddRemoteCandidate(now_, candidate));
  }

  void Run(Duration time) {
    RunUntil([] { return false; }, time);
  }

  bool RunUntil(const std::function<bool()>& done, Duration limit = seconds(60)) {
    const TimePoint end = now_ + limit;
    Drain();
    while (!done()) {
      TimePoint next = end;
      for (const Agent* agent : {a_.get(), b_.get()}) {
        next = std::min(next, agent->NextTimeout().value_or(end));
      }
      if (!wire_.empty()) {
        next = std::min(next, wire_.begin()->first);
      }
      if (next >= end) {
        now_ = end;
        return done();
      }
      EXPECT_LT(++steps_, 100'000U) << "the agents spin";
      if (steps_ >= 100'000U) {
        return false;
      }
      now_ = std::max(now_, next);
      Step();
    }
    return true;
  }

  TimePoint now() const { return now_; }

  std::function<bool(const SocketAddress& from, const SocketAddress& to)> drop =
      [](const auto&, const auto&) { return false; };
  std::function<SocketAddress(const SocketAddress& from)> translate = [](const auto& from) {
    return from;
  };
  /// Which of our bases a datagram to this address comes to.
  std::function<SocketAddress(const SocketAddress& to)> arrive = [](const auto& to) { return to; };
  std::function<bool(const SocketAddress& base)> is_as = [](const SocketAddress& base) {
    return base.ip.bytes[2] == 1;  // 192.0.1.x is A's, all others are B's.
  };
  Duration delay = milliseconds(10);  // Of the wire, one way.
  std::size_t sent = 0;
  std::function<void(const Transmit&)> on_send = [](const Transmit&) {};
  std::vector<Event> a_events;
  std::vector<Event> b_events;

 private:
  struct Datagram {
    SocketAddress from;
    SocketAddress to;
    std::vector<std::uint8_t> bytes;
  };

  void Step() {
    while (!wire_.empty() && wire_.begin()->first <= now_) {
      const Datagram datagram = std::move(wire_.begin()->second);
      wire_.erase(wire_.begin());
      const auto message = stun::MessageView::Parse(datagram.bytes);
      Agent& receiver = is_as(datagram.to) ? a() : b();
      receiver.HandleMessage(now_, arrive(datagram.to), datagram.from, *message);
      Drain();
    }
    for (Agent* agent : {a_.get(), b_.get()}) {
      if (agent->NextTimeout() && *agent->NextTimeout() <= now_) {
        agent->HandleTimeout(now_);
      }
    }
    Drain();
  }

  void Drain() {
    for (Agent* agent : {a_.get(), b_.get()}) {
      while (auto transmit = agent->PollTransmit()) {
        ++sent;
        on_send(*transmit);
        const SocketAddress from = translate(transmit->local);
        if (!drop(from, transmit->remote)) {
          wire_.emplace(now_ + delay,
                        Datagram{from, transmit->remote, std::move(transmit->payload)});
        }
      }
      while (auto event = agent->PollEvent()) {
        (agent == a_.get() ? a_events : b_events).push_back(*event);
      }
    }
  }

  TimePoint now_ = TimePoint{} + seconds(1000);
  floe::test::FakeRandom random_;
  std::unique_ptr<Agent> a_;
  std::unique_ptr<Agent> b_;
  std::multimap<TimePoint, Datagram> wire_;
  std::size_t steps_ = 0;
};

inline bool BothConnected(Pairing& pairing) {
  return pairing.a().path().has_value() && pairing.b().path().has_value();
}

/// A direct pair and a relayed one between the same two.
inline void AddDirectAndRelay(Pairing& pairing) {
  pairing.Add(pairing.a(), Host("192.0.1.1:1000"));
  pairing.Add(pairing.b(), Host("192.0.2.1:1000"));
  pairing.Add(pairing.a(), Relay("192.0.1.200:3478"));
  pairing.ExchangeCredentials();
}

}  // namespace floe::ice
