#include "ice/relay_way.h"

#include <chrono>
#include <gtest/gtest.h>
#include <optional>
#include <string>

#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "ice/stun/hmac.h"
#include "tests/support/fake_random.h"

namespace floe::ice {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using stun::AttributeType;
using stun::Builder;
using stun::Class;
using stun::ErrorCode;
using stun::Method;

const SocketAddress kHome = *ParseSocketAddress("192.0.2.10:41820");
const SocketAddress kElsewhere = *ParseSocketAddress("192.0.2.77:41820");
const SocketAddress kServer = *ParseSocketAddress("198.51.100.1:3478");

SocketAddress Alternate(int number) {
  return {IpAddress::V4(198, 51, 100, static_cast<std::uint8_t>(100 + number)), 3478};
}

/// A way, and a server whose every answer the test writes.
class RelayWayTest : public ::testing::Test {
 protected:
  void Make(RelayTransport transport = RelayTransport::kUdp) {
    way_.emplace(RelayServer{.address = kServer,
                             .username = "user",
                             .password = SecretString("password"),
                             .transport = transport,
                             .name = "turn.example"},
                 RelayOutbox{transmits_, actions_, events_, next_stream_}, random_);
    way_->Start(now_, kHome);
  }

  /// The last request, to where it went.
  [[nodiscard]] stun::MessageView Sent() const {
    return *stun::MessageView::Parse(transmits_.back().payload);
  }

  void Answer(Builder& answer) {
    way_->HandleDatagram(now_, transmits_.back().local, transmits_.back().remote, answer.Take());
  }

  void Redirect(const SocketAddress& alternate) {
    Builder answer(Class::kError, Method::kAllocate, Sent().transaction_id());
    Answer(answer.AddErrorCode(ErrorCode::kTryAlternate)
               .AddPlainAddress(AttributeType::kAlternateServer, alternate));
  }

  void Challenge() {
    Builder answer(Class::kError, Method::kAllocate, Sent().transaction_id());
    Answer(answer.AddErrorCode(ErrorCode::kUnauthenticated)
               .AddText(AttributeType::kRealm, "test")
               .AddText(AttributeType::kNonce, "nonce"));
  }

  void Refuse(ErrorCode code) {
    Builder answer(Class::kError, Sent().method(), Sent().transaction_id());
    Answer(answer.AddErrorCode(code).AddIntegrity(key_.bytes()));
  }

  void Allocate(bool mobile) {
    Challenge();
    Builder answer(Class::kSuccess, Method::kAllocate, Sent().transaction_id());
    answer.AddAddress(AttributeType::kXorRelayedAddress, *ParseSocketAddress("198.51.100.1:50000"))
        .AddAddress(AttributeType::kXorMappedAddress, kHome)
        .AddU32(AttributeType::kLifetime, 600);
    if (mobile) {
      answer.AddText(AttributeType::kMobilityTicket, "ticket");
    }
    Answer(answer.AddIntegrity(key_.bytes()));
    ASSERT_TRUE(way_->ready());
  }

  TimePoint now_ = TimePoint{} + seconds(1000);
  test::FakeRandom random_;
  std::deque<Transmit> transmits_;
  std::deque<StreamAction> actions_;
  std::deque<RelayEvent> events_;
  StreamId next_stream_ = 1;
  std::optional<RelayWay> way_;
  Secret<16> key_ = stun::LongTermKey("user", "test", "password");
};

TEST_F(RelayWayTest, FollowsAServerThatSendsItElsewhere) {
  Make();
  Redirect(Alternate(1));
  EXPECT_EQ(transmits_.back().remote, Alternate(1));
  EXPECT_EQ(transmits_.back().local, kHome);

  Allocate(/*mobile=*/false);
  EXPECT_EQ(way_->target(), Alternate(1));
}

TEST_F(RelayWayTest, GoesInNoCircle) {
  for (const SocketAddress& back : {kServer, Alternate(1)}) {
    Make();
    Redirect(Alternate(1));
    Redirect(back);
    EXPECT_EQ(way_->state(), RelayWay::State::kIdle);
  }
}

TEST_F(RelayWayTest, FollowsNoMoreThanThreeTimes) {
  Make();
  for (int hop = 1; hop <= 3; ++hop) {
    Redirect(Alternate(hop));
    EXPECT_EQ(transmits_.back().remote, Alternate(hop));
  }
  Redirect(Alternate(4));
  EXPECT_EQ(way_->state(), RelayWay::State::kIdle);
}

TEST_F(RelayWayTest, FollowsToNoAddressThatCannotBe) {
  for (const char* address : {"127.0.0.1:3478", "0.0.0.0:3478", "224.0.0.1:3478", "198.51.100.9:0",
                              "[2001:db8::1]:3478"}) {
    Make();
    Redirect(*ParseSocketAddress(address));
    EXPECT_EQ(way_->state(), RelayWay::State::kIdle) << address;
  }
}

TEST_F(RelayWayTest, WaitsAsLongAsTheErrorSays) {
  const auto pause = [this](ErrorCode code) {
    Make();
    Challenge();
    Refuse(code);
    if (way_->state() != RelayWay::State::kIdle) {
      Refuse(code);  // It might have been the wish for both families.
    }
    EXPECT_EQ(way_->state(), RelayWay::State::kIdle);
    return way_->not_before().value_or(TimePoint{}) - now_;
  };

  EXPECT_EQ(pause(ErrorCode::kServerError), seconds(1));
  EXPECT_EQ(pause(ErrorCode::kAllocationQuotaReached), seconds(60));
  EXPECT_EQ(pause(ErrorCode::kInsufficientCapacity), seconds(60));
  for (const ErrorCode code : {ErrorCode::kBadRequest, ErrorCode::kForbidden,
                               ErrorCode::kWrongCredentials, ErrorCode::kUnsupportedTransport}) {
    events_.clear();
    EXPECT_EQ(pause(code), minutes(10));
    ASSERT_FALSE(events_.empty());
    EXPECT_EQ(std::get<RelayRefused>(events_.back()).code, static_cast<int>(code));
  }
}

TEST_F(RelayWayTest, LeavesABusyServerAloneWhateverTheNetworkDoes) {
  Make();
  Challenge();
  Refuse(ErrorCode::kInsufficientCapacity);
  const auto before = way_->not_before();
  way_->HandleNetworkChange(now_);
  EXPECT_EQ(way_->not_before(), before);
}

TEST_F(RelayWayTest, TakesNothingThatIsSaidOfAnAllocationForARefusal) {
  Make();
  Allocate(/*mobile=*/false);
  way_->UseForData(now_, *ParseSocketAddress("203.0.113.9:7000"));
  while (Sent().method() != Method::kChannelBind) {
    transmits_.pop_back();
  }
  events_.clear();
  Refuse(ErrorCode::kBadRequest);  // As coturn says once it has restarted.

  EXPECT_EQ(way_->not_before(), now_ + seconds(1));
  for (const RelayEvent& event : events_) {
    EXPECT_FALSE(std::holds_alternative<RelayRefused>(event));
  }
}

TEST_F(RelayWayTest, TakesItsAllocationAlong) {
  Make();
  Allocate(/*mobile=*/true);
  events_.clear();
  way_->HandleAddressGone(now_, kElsewhere);

  EXPECT_TRUE(way_->ready());
  EXPECT_EQ(transmits_.back().local, kElsewhere);
  EXPECT_EQ(Sent().method(), Method::kRefresh);
  for (const RelayEvent& event : events_) {
    EXPECT_FALSE(std::holds_alternative<RelayGone>(event));
  }

  Refuse(ErrorCode::kAllocationMismatch);
  EXPECT_EQ(way_->state(), RelayWay::State::kIdle);
  EXPECT_EQ(way_->not_before(), now_) << "a fresh one is asked for at once";
}

TEST_F(RelayWayTest, WaitsForAnAddressWhenThereIsNone) {
  Make();
  Allocate(/*mobile=*/true);
  events_.clear();
  way_->HandleAddressGone(now_, std::nullopt);
  EXPECT_TRUE(way_->is_stranded());

  now_ += seconds(29);
  way_->HandleTimeout(now_);
  way_->HandleAddressGone(now_, kElsewhere);
  EXPECT_FALSE(way_->is_stranded());
  EXPECT_EQ(transmits_.back().local, kElsewhere);
  EXPECT_EQ(Sent().method(), Method::kRefresh);
  for (const RelayEvent& event : events_) {
    EXPECT_FALSE(std::holds_alternative<RelayGone>(event));
  }
}

TEST_F(RelayWayTest, WaitsForAnAddressNoLongerThanPeersDo) {
  Make();
  Allocate(/*mobile=*/true);
  way_->HandleAddressGone(now_, std::nullopt);
  ASSERT_LE(way_->NextTimeout(), now_ + seconds(30));

  now_ += seconds(30);
  way_->HandleTimeout(now_);

  EXPECT_EQ(way_->state(), RelayWay::State::kIdle);
  EXPECT_FALSE(way_->is_stranded());
}

TEST_F(RelayWayTest, WithoutATicketAllocatesAnewFromTheOtherAddress) {
  Make();
  Allocate(/*mobile=*/false);
  way_->HandleAddressGone(now_, kElsewhere);

  EXPECT_EQ(way_->state(), RelayWay::State::kIdle);
  EXPECT_EQ(way_->start_at, now_);
}

TEST_F(RelayWayTest, GivesUpConnectingAfterTenSeconds) {
  Make(RelayTransport::kTls);
  ASSERT_EQ(actions_.size(), 1U);
  EXPECT_EQ(std::get<OpenStream>(actions_.front()).name, "turn.example");
  EXPECT_EQ(way_->NextTimeout(), now_ + seconds(10));
  now_ += seconds(10);
  way_->HandleTimeout(now_);

  EXPECT_EQ(way_->state(), RelayWay::State::kIdle);
  EXPECT_TRUE(std::holds_alternative<CloseStream>(actions_.back()));
}

}  // namespace
}  // namespace floe::ice
