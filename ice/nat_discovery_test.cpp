#include "ice/nat_discovery.h"

#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <set>
#include <string>

#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "tests/support/fake_random.h"

namespace floe::ice {
namespace {

using std::chrono::seconds;

const SocketAddress kBase = *ParseSocketAddress("192.0.2.2:41820");
const SocketAddress kServer = *ParseSocketAddress("198.51.100.1:3478");
const SocketAddress kOther = *ParseSocketAddress("198.51.100.2:3479");

/// A server as of RFC 5780 behind a NAT that the test defines.
class NatDiscoveryTest : public ::testing::Test {
 protected:
  std::string Discover(bool filtering = true) {
    sent_to_ = {kServer};
    discovery_ = std::make_unique<NatDiscovery>(now_,
                                                NatDiscoveryConfig{.base = kBase,
                                                                   .server = kServer,
                                                                   .mapped = map(kServer),
                                                                   .other = kOther,
                                                                   .filtering = filtering},
                                                random_);
    Drain();
    for (int steps = 0; discovery_->NextTimeout(); ++steps) {
      EXPECT_LT(steps, 100) << "it spins";
      now_ = *discovery_->NextTimeout();
      discovery_->HandleTimeout(now_);
      Drain();
    }
    return std::string(ToString(discovery_->mapping())) + ", " +
           std::string(ToString(discovery_->filtering()));
  }

  std::function<SocketAddress(const SocketAddress& to)> map = [](const SocketAddress&) {
    return *ParseSocketAddress("203.0.113.1:5000");
  };
  /// Whether the NAT lets a packet from here in; `sent_to_` has whom we sent to.
  std::function<bool(const SocketAddress& from)> lets_in = [](const SocketAddress&) {
    return true;
  };
  bool changes = true;   // The server does as CHANGE-REQUEST says.
  bool refuses = false;  // It answers CHANGE-REQUEST with 420.
  std::set<SocketAddress> sent_to_;
  int requests_ = 0;
  TimePoint now_ = TimePoint{} + seconds(1000);
  test::FakeRandom random_;
  std::unique_ptr<NatDiscovery> discovery_;

 private:
  void Drain() {
    while (const auto transmit = discovery_->PollTransmit()) {
      ++requests_;
      sent_to_.insert(transmit->remote);
      const auto request = stun::MessageView::Parse(transmit->payload);
      const auto change = stun::FindU32(*request, stun::AttributeType::kChangeRequest).value_or(0);
      SocketAddress from = transmit->remote;
      if (changes) {
        from.ip = (change & 4U) != 0 ? kOther.ip : from.ip;
        from.port = (change & 2U) != 0 ? kOther.port : from.port;
      }
      const bool error = refuses && change != 0;
      stun::Builder answer(error ? stun::Class::kError : stun::Class::kSuccess,
                           stun::Method::kBinding, request->transaction_id());
      if (error) {
        from = transmit->remote;
        answer.AddErrorCode(stun::ErrorCode::kUnknownAttribute);
      } else {
        answer.AddAddress(stun::AttributeType::kXorMappedAddress, map(transmit->remote));
      }
      const auto bytes = answer.Take();
      if (lets_in(from)) {
        EXPECT_TRUE(
            discovery_->HandleResponse(now_, kBase, from, *stun::MessageView::Parse(bytes)));
      }
    }
  }
};

TEST_F(NatDiscoveryTest, TellsAFullCone) {
  EXPECT_EQ(Discover(), "endpoint-independent, endpoint-independent");
  EXPECT_EQ(requests_, 2);
}

TEST_F(NatDiscoveryTest, TellsARestrictedCone) {
  lets_in = [&](const SocketAddress& from) {
    return std::ranges::any_of(sent_to_, [&](const auto& to) { return to.ip == from.ip; });
  };

  EXPECT_EQ(Discover(), "endpoint-independent, address-dependent");
}

TEST_F(NatDiscoveryTest, TellsAPortRestrictedCone) {
  lets_in = [&](const SocketAddress& from) { return sent_to_.contains(from); };

  EXPECT_EQ(Discover(), "endpoint-independent, address-and-port-dependent");
  EXPECT_LE(requests_, 7);
}

TEST_F(NatDiscoveryTest, TellsMappingsThatDependOnTheDestination) {
  lets_in = [&](const SocketAddress& from) { return sent_to_.contains(from); };
  map = [](const SocketAddress& to) {
    return SocketAddress{IpAddress::V4(203, 0, 113, 1), static_cast<std::uint16_t>(to.ip.bytes[3])};
  };
  EXPECT_EQ(Discover(), "address-dependent, address-and-port-dependent");

  map = [](const SocketAddress& to) {
    return SocketAddress{IpAddress::V4(203, 0, 113, 1),
                         static_cast<std::uint16_t>(to.port + to.ip.bytes[3])};
  };
  EXPECT_EQ(Discover(), "address-and-port-dependent, address-and-port-dependent");
}

TEST_F(NatDiscoveryTest, TellsThatThereIsNoNat) {
  map = [](const SocketAddress&) { return kBase; };

  EXPECT_EQ(Discover(), "none, endpoint-independent");
}

TEST_F(NatDiscoveryTest, SaysNothingOfFilteringWhereItCannotTell) {
  EXPECT_EQ(Discover(/*filtering=*/false), "endpoint-independent, unknown");
  changes = false;
  EXPECT_EQ(Discover(), "endpoint-independent, unknown") << "the server ignores the request";
  refuses = true;
  EXPECT_EQ(Discover(), "endpoint-independent, unknown") << "the server refuses it";
}

TEST_F(NatDiscoveryTest, EndsWhenTheOtherAddressIsSilent) {
  lets_in = [](const SocketAddress& from) { return from == kServer; };

  EXPECT_EQ(Discover(), "unknown, address-and-port-dependent");
  EXPECT_EQ(requests_, 9);
}

TEST_F(NatDiscoveryTest, IgnoresAnswersToNothing) {
  Discover();
  stun::Builder answer(stun::Class::kSuccess, stun::Method::kBinding,
                       stun::NewTransactionId(random_));
  const auto bytes = answer.Take();

  EXPECT_FALSE(discovery_->HandleResponse(now_, kBase, kOther, *stun::MessageView::Parse(bytes)));
}

}  // namespace
}  // namespace floe::ice
