#include "app/floed/engine/link.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "tests/support/fake_random.h"

namespace floe::engine {
namespace {

using signaling::Message;
using signaling::MessageKind;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

SocketAddress Address(std::string_view text) {
  return *ParseSocketAddress(text);
}

const SocketAddress kA = Address("192.0.2.1:41820");
const SocketAddress kB = Address("192.0.2.2:41820");

/// Two links, a wire of 10 ms between their sockets, and one between their programs for messages.
class LinkTest : public ::testing::Test {
 protected:
  struct End {
    PublicKey key;
    ice::Gatherer gatherer;
    ice::Pacer pacer;
    std::unique_ptr<Link> link;
    std::vector<Message> sent;
    bool online = true;
    bool swallows = false;  // Messages to it count as delivered, and nobody is there.

    explicit End(RandomSource& random) : gatherer(random) {}
  };

  LinkTest() {
    a_.key = DerivePublicKey(GeneratePrivateKey(random_));
    b_.key = DerivePublicKey(GeneratePrivateKey(random_));
    a_.gatherer.SetLocalAddresses(now_, {kA});
    b_.gatherer.SetLocalAddresses(now_, {kB});
    Make(a_, b_.key, PathPolicy::kAll);
    Make(b_, a_.key, PathPolicy::kAll);
  }

  void Make(End& end, const PublicKey& peer, PathPolicy policy) {
    const UnixClock clock{.start = TimePoint{}, .unix_start = seconds(1'800'000'000)};
    end.link = std::make_unique<Link>(LinkConfig{.name = "peer",
                                                 .key = peer,
                                                 .allowed_ips = {{IpAddress::V4(10, 71, 0, 0), 24}},
                                                 .policy = policy},
                                      end.key, clock, end.gatherer, end.pacer, random_);
  }

  void Up() {
    a_.link->SetWanted(now_, true);
    b_.link->SetWanted(now_, true);
  }

  [[nodiscard]] bool BothHavePaths() const { return a_.link->path() && b_.link->path(); }

  bool RunUntil(const std::function<bool()>& done, Duration limit) {
    const TimePoint end = now_ + limit;
    Drain();
    for (int steps = 0; !done(); ++steps) {
      EXPECT_LT(steps, 200'000) << "a link spins";
      TimePoint next =
          std::min(a_.link->NextTimeout().value_or(end), b_.link->NextTimeout().value_or(end));
      if (!wire_.empty()) {
        next = std::min(next, wire_.begin()->first);
      }
      if (next >= end || steps >= 200'000) {
        now_ = end;
        return false;
      }
      now_ = std::max(now_, next);
      while (!wire_.empty() && wire_.begin()->first <= now_) {
        const auto deliver = std::move(wire_.begin()->second);
        wire_.erase(wire_.begin());
        deliver();
        Drain();
      }
      for (End* one : {&a_, &b_}) {
        if (one->link->NextTimeout() && *one->link->NextTimeout() <= now_) {
          one->link->HandleTimeout(now_);
          Drain();
        }
      }
    }
    return true;
  }

  void Run(Duration time) {
    static_cast<void>(RunUntil([] { return false; }, time));
  }

  [[nodiscard]] static std::size_t Count(const End& end, MessageKind kind) {
    return static_cast<std::size_t>(std::ranges::count(end.sent, kind, &Message::kind));
  }

  std::function<void(Message&)> change = [](Message&) {};
  std::function<bool(const SocketAddress& from)> lost = [](const SocketAddress&) { return false; };
  TimePoint now_ = TimePoint{} + seconds(1000);
  test::FakeRandom random_;
  End a_{random_};
  End b_{random_};

 private:
  void Drain() {
    for (const auto& [from, to] : {std::pair(&a_, &b_), std::pair(&b_, &a_)}) {
      while (auto message = from->link->PollMessage()) {
        change(*message);
        from->sent.push_back(*message);
        const bool arrives = from->online && to->online;
        from->link->HandleDelivery(now_, arrives ? Delivery::kDelivered : Delivery::kOffline);
        if (arrives && !to->swallows) {
          wire_.emplace(now_ + milliseconds(10), [this, receiver = to, message = *message] {
            receiver->link->HandleMessage(now_, message);
          });
        }
      }
      while (auto transmit = from->link->PollTransmit()) {
        if (!lost(transmit->local)) {
          wire_.emplace(
              now_ + milliseconds(10), [this, receiver = to, datagram = std::move(*transmit)] {
                const auto message = ice::stun::MessageView::Parse(datagram.payload);
                receiver->link->HandleStun(now_, datagram.remote, datagram.local, *message);
              });
        }
      }
      static_cast<void>(from->link->PollPathChanged());
    }
  }

  std::multimap<TimePoint, std::function<void()>> wire_;
};

TEST_F(LinkTest, AnOfferSaidAgainOutlivesTheAnswerToTheOneBefore) {
  End& winner = a_.key < b_.key ? a_ : b_;
  End& other = &winner == &a_ ? b_ : a_;
  winner.link->SetWanted(now_, true);
  while (winner.link->PollMessage()) {
  }
  winner.link->HandleRendezvousUp(now_);                  // It says its offer again,
  winner.link->HandleDelivery(now_, Delivery::kOffline);  // and hears what became of the first.
  other.link->SetWanted(now_, true);
  const auto crossing = other.link->PollMessage();
  ASSERT_TRUE(crossing);

  winner.link->HandleMessage(now_, *crossing);

  while (const auto message = winner.link->PollMessage()) {
    EXPECT_NE(message->kind, MessageKind::kAnswer) << "each would answer the other's offer";
  }
}

TEST_F(LinkTest, LogsNoCredentials) {
  ::testing::internal::CaptureStderr();
  log::Init(log::Level::kTrace);
  Up();
  const bool linked = RunUntil([this] { return BothHavePaths(); }, seconds(5));
  log::Init(log::Level::kOff);
  const std::string written = ::testing::internal::GetCapturedStderr();

  ASSERT_TRUE(linked);
  ASSERT_NE(written.find("is told to be at"), std::string::npos) << "nothing was logged";
  for (const End* end : {&a_, &b_}) {
    for (const Message& message : end->sent) {
      EXPECT_TRUE(message.password.empty() || written.find(message.password) == std::string::npos);
    }
  }
}

TEST_F(LinkTest, FindsAPath) {
  a_.link->SetWanted(now_, true);
  Run(seconds(3));
  b_.link->SetWanted(now_, true);

  ASSERT_TRUE(RunUntil([&] { return BothHavePaths(); }, seconds(5)));

  EXPECT_EQ(a_.link->path()->remote, kB);
  EXPECT_TRUE(a_.link->times().direct.has_value());
}

TEST_F(LinkTest, BothOfferingAtOnceAgree) {
  Up();

  ASSERT_TRUE(RunUntil([&] { return BothHavePaths(); }, seconds(2)));
  EXPECT_NE(a_.link->agent()->role(), b_.link->agent()->role());
}

TEST_F(LinkTest, HasNothingToDoOnceItIsDown) {
  Up();
  ASSERT_TRUE(RunUntil([&] { return BothHavePaths(); }, seconds(2)));
  // A session that has just taken over from the one before, which lingers.
  b_.link = nullptr;
  Make(b_, a_.key, PathPolicy::kAll);
  Run(milliseconds(0));
  b_.link->SetWanted(now_, true);
  const auto* before = a_.link->agent();
  ASSERT_TRUE(RunUntil([&] { return BothHavePaths() && a_.link->agent() != before; }, seconds(5)));

  a_.link->SetWanted(now_, false);

  EXPECT_EQ(a_.link->NextTimeout(), std::nullopt);
  EXPECT_TRUE(a_.link->ufrags().empty());
  EXPECT_EQ(a_.link->path(), std::nullopt);
  EXPECT_EQ(a_.link->PollTransmit(), std::nullopt);
  EXPECT_EQ(a_.link->PollMessage(), std::nullopt);

  a_.link->SetWanted(now_, true);
  EXPECT_TRUE(RunUntil([&] { return BothHavePaths(); }, seconds(30)));
}

TEST_F(LinkTest, IgnoresMessagesWhileItIsDown) {
  a_.link->SetWanted(now_, true);
  Run(seconds(60));

  EXPECT_TRUE(b_.sent.empty());
  EXPECT_TRUE(b_.link->ufrags().empty());
}

TEST_F(LinkTest, AsksAnOfflinePeerLessAndLessOften) {
  b_.online = false;
  a_.link->SetWanted(now_, true);
  Run(minutes(10));

  EXPECT_TRUE(a_.link->peer_offline());
  EXPECT_GE(Count(a_, MessageKind::kOffer), 10U);
  EXPECT_LE(Count(a_, MessageKind::kOffer), 20U);

  b_.online = true;
  b_.link->SetWanted(now_, true);
  EXPECT_TRUE(RunUntil([&] { return BothHavePaths(); }, seconds(2))) << "it offers when it comes";
  EXPECT_FALSE(a_.link->peer_offline());
}

TEST_F(LinkTest, AnOfferThatWasSwallowedDoesNotKeepThePeersWaiting) {
  End& winner = a_.key < b_.key ? a_ : b_;  // Its offer counts when two cross.
  End& other = a_.key < b_.key ? b_ : a_;
  other.swallows = true;  // Asleep, and its rendezvous has not noticed.
  winner.link->SetWanted(now_, true);
  Run(seconds(4));
  other.online = false;
  Run(minutes(5));

  other.swallows = false;
  other.online = true;
  other.link->SetWanted(now_, true);

  EXPECT_TRUE(RunUntil([&] { return BothHavePaths(); }, seconds(2)));
}

TEST_F(LinkTest, CandidatesFoundWhileNobodyListenedAreToldWithTheOffer) {
  End& winner = a_.key < b_.key ? a_ : b_;
  End& other = a_.key < b_.key ? b_ : a_;
  const SocketAddress found = Address("192.0.2.77:41820");
  other.swallows = true;
  winner.link->SetWanted(now_, true);
  Run(milliseconds(100));
  winner.gatherer.SetLocalAddresses(now_, {found});
  winner.link->HandleLocalCandidate(now_, winner.gatherer.candidates().back());
  Run(milliseconds(100));

  other.swallows = false;
  other.link->SetWanted(now_, true);
  Run(milliseconds(500));

  ASSERT_TRUE(winner.link->agent() != nullptr && other.link->agent() != nullptr);
  EXPECT_TRUE(std::ranges::any_of(other.link->agent()->pairs(), [&](const ice::Pair& pair) {
    return pair.remote->address == found && pair.remote->type == ice::CandidateType::kHost;
  }));
}

TEST_F(LinkTest, TellsThePeerOfNewCandidates) {
  lost = [](const SocketAddress& from) { return from == kA; };
  Up();
  Run(seconds(3));
  ASSERT_FALSE(BothHavePaths());

  const SocketAddress other = Address("192.0.2.77:41820");
  a_.gatherer.SetLocalAddresses(now_, {kA, other});
  while (const auto event = a_.gatherer.PollEvent()) {
    if (const auto* added = std::get_if<ice::CandidateAdded>(&*event)) {
      a_.link->HandleLocalCandidate(now_, added->candidate);
    }
  }

  ASSERT_TRUE(RunUntil([&] { return BothHavePaths(); }, seconds(5)));
  EXPECT_EQ(b_.link->path()->remote, other);
}

TEST_F(LinkTest, RelayOnlyTellsAndUsesNoOtherCandidates) {
  Make(a_, b_.key, PathPolicy::kRelayOnly);
  Up();
  Run(seconds(20));

  ASSERT_FALSE(a_.sent.empty());
  for (const Message& message : a_.sent) {
    EXPECT_TRUE(message.candidates.empty());
  }
  EXPECT_FALSE(a_.link->path());
  EXPECT_FALSE(b_.link->path()) << "nor are its checks answered";
}

TEST_F(LinkTest, RelayOnlyAnswersNoAuthenticCheckElsewhere) {
  const auto answers = [&](PathPolicy policy) {
    Make(a_, b_.key, policy);
    a_.link->SetWanted(now_, true);
    const auto offer = a_.link->PollMessage();
    EXPECT_TRUE(offer.has_value());
    // What only the peer can make: it has the password of the offer.
    ice::stun::Builder check(ice::stun::Class::kRequest, ice::stun::Method::kBinding,
                             ice::stun::NewTransactionId(random_));
    check.AddText(ice::stun::AttributeType::kUsername, offer->ufrag + ":peer")
        .AddU32(ice::stun::AttributeType::kPriority, 1)
        .AddU64(ice::stun::AttributeType::kIceControlled, 1)
        .AddIntegrity(AsBytes(offer->password))
        .AddFingerprint();
    const auto bytes = check.Take();
    a_.link->HandleStun(now_, kA, kB, *ice::stun::MessageView::Parse(bytes));
    return a_.link->PollTransmit().has_value();
  };

  EXPECT_TRUE(answers(PathPolicy::kAll));
  EXPECT_FALSE(answers(PathPolicy::kRelayOnly));
  EXPECT_FALSE(a_.link->way_back());
}

TEST_F(LinkTest, TellsNothingThatIsHiddenAndUsesIt) {
  a_.gatherer.SetDisclosure({.hidden = {{kA.ip, 32}}});
  Up();

  ASSERT_TRUE(RunUntil([&] { return BothHavePaths(); }, seconds(5)));
  for (const Message& message : a_.sent) {
    EXPECT_TRUE(message.candidates.empty());
  }
}

TEST_F(LinkTest, LeavesOutCandidatesInsideTheTunnel) {
  b_.gatherer.SetLocalAddresses(now_, {Address("10.71.0.2:41820")});
  Up();
  Run(seconds(2));

  ASSERT_NE(a_.link->agent(), nullptr);
  EXPECT_TRUE(a_.link->agent()->pairs().empty());
}

TEST_F(LinkTest, APathThatDiesIsLookedForAgainUntilItIsThere) {
  Up();
  ASSERT_TRUE(RunUntil([&] { return BothHavePaths(); }, seconds(2)));
  lost = [](const SocketAddress&) { return true; };
  Run(minutes(5));
  EXPECT_FALSE(a_.link->path());
  EXPECT_FALSE(b_.link->path());
  const std::size_t offers = Count(a_, MessageKind::kOffer) + Count(b_, MessageKind::kOffer);
  EXPECT_LE(offers, 40U);

  lost = [](const SocketAddress&) { return false; };
  EXPECT_TRUE(RunUntil([&] { return BothHavePaths(); }, seconds(65)));
}

TEST_F(LinkTest, ARestartOfThePeerKeepsTheOldPathUntilThereIsANewOne) {
  Up();
  ASSERT_TRUE(RunUntil([&] { return BothHavePaths(); }, seconds(2)));
  Run(seconds(5));
  Make(b_, a_.key, PathPolicy::kAll);

  b_.link->SetWanted(now_, true);
  ASSERT_TRUE(RunUntil(
      [&] {
        EXPECT_TRUE(a_.link->path().has_value());
        return b_.link->path().has_value();
      },
      seconds(5)));
}

TEST_F(LinkTest, ADescriptionWithVeryManyAddressesStillFitsAMessage) {
  std::vector<SocketAddress> addresses;
  for (int i = 0; i < 200; ++i) {
    addresses.push_back(
        Address("[2001:db8:ffff:ffff:ffff:ffff:ffff:" + std::to_string(1000 + i) + "]:41820"));
  }
  a_.gatherer.SetLocalAddresses(now_, addresses);
  a_.link->SetWanted(now_, true);

  const auto offer = a_.link->PollMessage();
  ASSERT_TRUE(offer);
  EXPECT_EQ(offer->candidates.size(), 32U);
  EXPECT_LE(signaling::Serialize(*offer).size(), signaling::kMaxMessageSize);
}

TEST_F(LinkTest, LimitedOffersAreRepeatedLessAndLessOften) {
  a_.link->SetWanted(now_, true);
  std::size_t offers = 0;
  const TimePoint end = now_ + minutes(10);
  while (now_ < end) {
    while (const auto message = a_.link->PollMessage()) {
      ++offers;
      a_.link->HandleDelivery(now_, Delivery::kLimited);
    }
    ASSERT_TRUE(a_.link->NextTimeout());
    now_ = std::max(now_, *a_.link->NextTimeout());
    a_.link->HandleTimeout(now_);
  }

  EXPECT_GE(offers, 8U);
  EXPECT_LE(offers, 20U);
}

/// b tells its address by a name, and a tells none.
class NamesTest : public LinkTest {
 protected:
  NamesTest() {
    change = [this](Message& message) {
      for (std::string& line : message.candidates) {
        const std::size_t at = line.find(ToString(kB.ip));
        at == std::string::npos ? line = "none" : line.replace(at, 9, "b.local");
      }
    };
    Up();
    Run(seconds(1));
  }
};

TEST_F(NamesTest, ANameIsUsedOnceItsAddressIsKnown) {
  ASSERT_EQ(a_.link->PollName(), "b.local");
  ASSERT_FALSE(a_.link->path());

  a_.link->HandleName(now_, {.name = "b.local", .address = kB.ip});

  ASSERT_TRUE(RunUntil([&] { return BothHavePaths(); }, seconds(1)));
  EXPECT_EQ(a_.link->path()->remote, kB);
}

TEST_F(NamesTest, AnAddressOfASessionThatIsOverIsNotUsed) {
  ASSERT_TRUE(a_.link->PollName());
  change = [](Message& message) { message.candidates.clear(); };
  a_.link->SetWanted(now_, false);
  a_.link->SetWanted(now_, true);
  Run(seconds(1));

  a_.link->HandleName(now_, {.name = "b.local", .address = kB.ip});

  EXPECT_TRUE(a_.link->agent()->pairs().empty());
}

TEST_F(NamesTest, AnAddressInsideTheTunnelIsNotUsed) {
  a_.link->HandleName(now_, {.name = "b.local", .address = IpAddress::V4(10, 71, 0, 2)});

  EXPECT_TRUE(a_.link->agent()->pairs().empty());
}

}  // namespace
}  // namespace floe::engine
