// Two negotiations over a channel that loses and repeats: whatever happens, they end on one offer.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "signaling/negotiation.h"
#include "tests/support/fake_random.h"

namespace floe::signaling {
namespace {

using Verdict = Negotiation::Verdict;

constexpr std::array<PublicKey, 2> kKeys = {PublicKey{{1}}, PublicKey{{2}}};

/// One peer and the messages on their way to it, in order.
struct Side {
  explicit Side(std::size_t index) : negotiation(kKeys.at(index), kKeys.at(1 - index)) {}

  Negotiation negotiation;
  std::deque<Message> inbox;
  std::vector<Message> delivered;  // May be delivered again.
  bool wants_to_offer = false;     // As an owner's timer would.
  std::uint64_t clock_error = 0;   // milliseconds
};

enum class Channel : std::uint8_t { kHostile, kClean };

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {
    for (Side& side : sides_) {
      side.clock_error = Pick(3) * 50;
    }
  }

  /// Random starts, restarts, losses, repetitions and, now and then, a peer that forgets all.
  void RunHostile() {
    for (int step = 0; step < 60; ++step) {
      ++unix_ms_;
      const std::size_t side = Pick(2);
      switch (Pick(10)) {
        case 0:
          StartOffer(side, Channel::kHostile);
          break;
        case 1:
          StartRestart(side);
          break;
        case 2:
          Repeat(side);
          break;
        case 3:
          if (Pick(4) == 0) {
            Forget(side);
          }
          break;
        default:
          Deliver(side, Channel::kHostile);
          break;
      }
    }
  }

  /// A clean channel and the owner's timers, until nothing is left to do.
  void RunClean() {
    sent_ = 0;
    for (std::size_t round = 0; round < 10; ++round) {
      while (!sides_[0].inbox.empty() || !sides_[1].inbox.empty()) {
        Deliver(Pick(2), Channel::kClean);
        ASSERT_LT(sent_, 60U) << "They never stop talking.";
      }
      const std::size_t first = Pick(2);
      bool is_done = true;
      for (const std::size_t side : {first, 1 - first}) {
        if (sides_.at(side).wants_to_offer || sides_.at(side).negotiation.offer_outstanding()) {
          ++unix_ms_;
          StartOffer(side, Channel::kClean);
          is_done = false;
        }
      }
      if (is_done) {
        return;
      }
    }
    FAIL() << "An offer is still waiting after ten tries.";
  }

  void ExpectAgreement() const {
    const Negotiation& a = sides_[0].negotiation;
    const Negotiation& b = sides_[1].negotiation;
    EXPECT_EQ(a.session(), b.session());
    EXPECT_EQ(a.generation(), b.generation());
    if (a.session() != 0) {
      EXPECT_NE(a.is_offerer(), b.is_offerer());
    }
    if (is_reset_) {
      EXPECT_NE(a.session(), 0U);
    }
  }

  [[nodiscard]] std::size_t sent() const { return sent_; }

 private:
  std::size_t Pick(std::size_t count) { return random_.Next() % count; }

  Message Make(std::size_t side, MessageKind kind) {
    Negotiation& negotiation = sides_.at(side).negotiation;
    return {.kind = kind,
            .session = negotiation.session(),
            .generation = negotiation.generation(),
            .seq = negotiation.NextSeq()};
  }

  /// False if it was lost and the rendezvous said so.
  bool Send(std::size_t from, const Message& message, Channel channel) {
    ++sent_;
    Side& to = sides_.at(1 - from);
    if (channel == Channel::kHostile && Pick(3) == 0) {
      return Pick(2) == 0;
    }
    to.inbox.push_back(message);
    if (channel == Channel::kHostile && Pick(4) == 0) {
      to.inbox.push_back(message);
    }
    return true;
  }

  void SendOffer(std::size_t side, Channel channel) {
    Side& own = sides_.at(side);
    own.wants_to_offer = false;
    if (!Send(side, Make(side, MessageKind::kOffer), channel)) {
      own.negotiation.WithdrawOffer();
      own.wants_to_offer = true;
      return;
    }
    Send(side, Make(side, MessageKind::kCandidate), channel);
  }

  void StartOffer(std::size_t side, Channel channel) {
    Side& own = sides_.at(side);
    own.negotiation.StartOffer(unix_ms_ + own.clock_error);
    SendOffer(side, channel);
  }

  void StartRestart(std::size_t side) {
    if (sides_.at(side).negotiation.StartRestart()) {
      SendOffer(side, Channel::kHostile);
    }
  }

  void Repeat(std::size_t side) {
    Side& own = sides_.at(side);
    if (!own.delivered.empty()) {
      own.inbox.push_back(own.delivered.at(Pick(own.delivered.size())));
    }
  }

  /// The program starts again, with another clock, on another connection. By then what it sent
  /// before has arrived or is lost.
  void Forget(std::size_t side) {
    is_reset_ = true;
    while (!sides_.at(1 - side).inbox.empty()) {
      Deliver(1 - side, Channel::kHostile);
    }
    sides_.at(side) = Side(side);
    sides_.at(side).clock_error = Pick(3) * 50;
    sides_.at(side).wants_to_offer = true;
    StartOffer(side, Channel::kHostile);
  }

  void Deliver(std::size_t side, Channel channel) {
    Side& own = sides_.at(side);
    if (own.inbox.empty()) {
      return;
    }
    const Message message = own.inbox.front();
    own.inbox.pop_front();
    own.delivered.push_back(message);
    switch (own.negotiation.Judge(message)) {
      case Verdict::kAnswerOffer:
        own.wants_to_offer = false;
        Send(side, Make(side, MessageKind::kAnswer), channel);
        Send(side, Make(side, MessageKind::kCandidate), channel);
        break;
      case Verdict::kReplyStale:
        Send(side, {.kind = MessageKind::kStale, .session = own.negotiation.newest_session()},
             channel);
        break;
      case Verdict::kOfferAgain:
        StartOffer(side, channel);
        break;
      case Verdict::kIgnore:
      case Verdict::kTakeAnswer:
      case Verdict::kTakeCandidates:
      case Verdict::kEarly:
      case Verdict::kKeepOffer:
        break;
    }
  }

  test::FakeRandom random_;
  std::array<Side, 2> sides_ = {Side(0), Side(1)};
  std::uint64_t unix_ms_ = 1000;
  std::size_t sent_ = 0;
  bool is_reset_ = false;
};

TEST(NegotiationPropertyTest, PeersAlwaysEndOnOneOfferWithoutPingPong) {
  std::size_t most_sent = 0;
  for (std::uint64_t seed = 1; seed <= 5'000; ++seed) {
    SCOPED_TRACE(seed);
    World world(seed);

    world.RunHostile();
    world.RunClean();

    world.ExpectAgreement();
    most_sent = std::max(most_sent, world.sent());
    if (HasFailure()) {
      return;
    }
  }
  RecordProperty("most_sent", std::to_string(most_sent));
}

}  // namespace
}  // namespace floe::signaling
