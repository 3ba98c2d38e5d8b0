#include "app/floed/engine/static_endpoint.h"

#include <gtest/gtest.h>

namespace floe::engine {
namespace {

using std::chrono::seconds;

SocketAddress Address(std::string_view text) {
  return *ParseSocketAddress(text);
}

const SocketAddress kOurs = Address("192.0.2.1:41820");
const SocketAddress kFirst = Address("[2001:db8::2]:51820");
const SocketAddress kSecond = Address("198.51.100.2:51820");
const SocketAddress kElsewhere = Address("203.0.113.7:1024");

class StaticEndpointTest : public ::testing::Test {
 protected:
  /// Where an initiation goes.
  SocketAddress Initiate() {
    endpoint_.HandleInitiation(now_);
    return endpoint_.way()->remote;
  }

  TimePoint now_{std::chrono::hours(1)};
  StaticEndpoint endpoint_;
};

TEST_F(StaticEndpointTest, HasNoWayAtFirst) {
  EXPECT_FALSE(endpoint_.way());
  EXPECT_FALSE(endpoint_.has_untried());
  EXPECT_FALSE(endpoint_.PollResolve());
  EXPECT_EQ(endpoint_.NextTimeout(), std::nullopt);
}

TEST_F(StaticEndpointTest, TriesTheAddressesOfANameInTurn) {
  EXPECT_TRUE(endpoint_.SetAddresses(now_, {kFirst, kSecond}));

  EXPECT_EQ(Initiate(), kFirst);
  EXPECT_TRUE(endpoint_.has_untried());
  EXPECT_EQ(Initiate(), kSecond);
  EXPECT_FALSE(endpoint_.has_untried());
  EXPECT_EQ(Initiate(), kFirst);
}

TEST_F(StaticEndpointTest, StaysWhereTheDeviceAnswers) {
  endpoint_.SetAddresses(now_, {kFirst, kSecond});
  Initiate();
  Initiate();
  endpoint_.HandleReceived(kOurs, kSecond);

  EXPECT_EQ(Initiate(), kSecond);
  EXPECT_EQ(endpoint_.way()->local, kOurs);
}

TEST_F(StaticEndpointTest, GoesBackToWhereTheDeviceWasHeardAfterAllOthers) {
  endpoint_.SetAddresses(now_, {kFirst, kSecond});
  endpoint_.HandleReceived(kOurs, kElsewhere);

  EXPECT_EQ(Initiate(), kElsewhere);
  EXPECT_EQ(Initiate(), kFirst);
  EXPECT_EQ(Initiate(), kSecond);
  EXPECT_EQ(Initiate(), kElsewhere);
}

TEST_F(StaticEndpointTest, ADeviceThatOnlyRoamsNeedsNoName) {
  endpoint_.HandleReceived(kOurs, kElsewhere);

  EXPECT_EQ(Initiate(), kElsewhere);
  EXPECT_EQ(Initiate(), kElsewhere);
}

TEST_F(StaticEndpointTest, ANameIsLookedUpAgainWhenNothingAnswersAndLessAndLessOften) {
  endpoint_.SetAddresses(now_, {kFirst});
  Initiate();
  EXPECT_FALSE(endpoint_.PollResolve());

  int lookups = 0;
  for (int second = 0; second < 300; ++second) {
    now_ += seconds(1);
    Initiate();
    lookups += endpoint_.PollResolve() ? 1 : 0;
  }

  EXPECT_EQ(lookups, 8);  // After 0, 5, 15, 35, 75, 135, 195 and 255 seconds.
}

TEST_F(StaticEndpointTest, AnotherAddressOfTheNameIsUsedAtOnce) {
  endpoint_.SetAddresses(now_, {kFirst});
  Initiate();

  EXPECT_TRUE(endpoint_.SetAddresses(now_, {kSecond}));

  EXPECT_EQ(endpoint_.way()->remote, kSecond);
  EXPECT_EQ(Initiate(), kSecond);
}

TEST_F(StaticEndpointTest, TheSameAddressesDoNotCallBackADeviceThatRoams) {
  endpoint_.SetAddresses(now_, {kFirst, kSecond});
  endpoint_.HandleReceived(kOurs, kElsewhere);

  EXPECT_FALSE(endpoint_.SetAddresses(now_, {kSecond, kFirst}));

  EXPECT_EQ(endpoint_.way()->remote, kElsewhere);
}

TEST_F(StaticEndpointTest, AnAddressThatIsStillOneOfTheNameIsKept) {
  endpoint_.SetAddresses(now_, {kFirst, kSecond});
  Initiate();
  Initiate();

  EXPECT_FALSE(endpoint_.SetAddresses(now_, {kSecond}));

  EXPECT_EQ(Initiate(), kSecond);
}

TEST_F(StaticEndpointTest, ANameThatCannotBeLookedUpIsTriedAgain) {
  endpoint_.HandleInitiation(now_);
  EXPECT_TRUE(endpoint_.PollResolve());
  endpoint_.SetAddresses(now_, {});
  ASSERT_EQ(endpoint_.NextTimeout(), now_ + StaticEndpoint::kShortestGap);

  now_ += StaticEndpoint::kShortestGap;
  endpoint_.HandleTimeout(now_);

  EXPECT_TRUE(endpoint_.PollResolve());
  EXPECT_EQ(endpoint_.NextTimeout(), std::nullopt);
}

TEST_F(StaticEndpointTest, AFailedLookUpLosesNothing) {
  endpoint_.SetAddresses(now_, {kFirst});

  EXPECT_FALSE(endpoint_.SetAddresses(now_, {}));

  EXPECT_EQ(endpoint_.way()->remote, kFirst);
  EXPECT_EQ(endpoint_.NextTimeout(), std::nullopt);
}

TEST_F(StaticEndpointTest, AChangeOfTheNetworkForgetsOurAddressAndLooksTheNameUp) {
  endpoint_.SetAddresses(now_, {kSecond});
  endpoint_.HandleReceived(kOurs, kElsewhere);

  endpoint_.HandleNetworkChange(now_);

  EXPECT_EQ(endpoint_.way()->remote, kElsewhere);
  EXPECT_EQ(endpoint_.way()->local.port, 0);
  EXPECT_TRUE(endpoint_.PollResolve());
  endpoint_.HandleNetworkChange(now_ + seconds(1));
  EXPECT_FALSE(endpoint_.PollResolve());  // At most every five seconds.
}

TEST_F(StaticEndpointTest, OfManyAddressesAFewAreTried) {
  std::vector<SocketAddress> many;
  for (std::uint8_t i = 0; i < 100; ++i) {
    many.push_back({IpAddress::V4(192, 0, 2, i), 1});
  }
  endpoint_.SetAddresses(now_, many);

  std::size_t tried = 0;
  do {
    Initiate();
    ++tried;
  } while (endpoint_.has_untried());
  EXPECT_EQ(tried, StaticEndpoint::kMaxAddresses);
}

}  // namespace
}  // namespace floe::engine
