#include "ice/turn/server.h"

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "ice/stun/integrity.h"
#include "ice/turn/channel_data.h"
#include "ice/turn/credentials.h"
#include "ice/turn/test_network.h"

namespace floe::ice::turn {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using stun::AttributeType;
using stun::Builder;
using stun::Class;
using stun::ErrorCode;
using stun::Method;
using stun::TransactionId;
using test::FakeRandom;
using test::kAlice;
using test::kBob;
using test::kPeer;
using test::kServer;
using test::MakeServerConfig;
using ::testing::ElementsAre;
using Message = std::vector<std::uint8_t>;

constexpr std::uint32_t kUdp = 17U << 24U;
constexpr ErrorCode kNoError{};

/// Speaks to the server message by message, as a client that may do everything wrong.
class TurnServerTest : public testing::Test {
 protected:
  void Start(ServerConfig config) { server = std::make_unique<Server>(std::move(config), random); }

  void SetUp() override {
    Start(MakeServerConfig());
    Challenge(alice, kAlice);
  }

  /// Gets realm and nonce for `credentials`.
  void Challenge(Credentials& credentials, const SocketAddress& from) {
    Give(Builder(Class::kRequest, Method::kAllocate, NextId()).Take(), from);
    const auto answer = Answer();
    ASSERT_EQ(ErrorOf(answer), ErrorCode::kUnauthenticated);
    ASSERT_TRUE(credentials.Learn(*stun::MessageView::Parse(answer)));
  }

  TransactionId NextId() { return stun::NewTransactionId(random); }

  void Give(const Message& datagram, const SocketAddress& from = kAlice) {
    server->HandleDatagram(now, from, kServer, datagram);
  }

  /// The next datagram for a client; empty if there is none.
  Message Answer() {
    const auto transmit = server->PollTransmit();
    return transmit ? transmit->payload : Message{};
  }

  static ErrorCode ErrorOf(const Message& answer) {
    const auto message = stun::MessageView::Parse(answer);
    EXPECT_TRUE(message.has_value());
    const auto error = message ? stun::FindError(*message) : std::nullopt;
    return error ? error->code : kNoError;
  }

  /// Seals and sends a request, and returns the error it is answered with.
  ErrorCode Ask(Builder& request, const SocketAddress& from = kAlice) {
    alice.Seal(request);
    Give(request.Take(), from);
    Open();
    last = Answer();
    return last.empty() ? ErrorCode::kServerError : ErrorOf(last);
  }

  ErrorCode Ask(Builder&& request) { return Ask(request); }

  /// Does what the server asks of its sockets, all of which succeed.
  void Open() {
    while (const auto action = server->PollAction()) {
      if (const auto* open = std::get_if<OpenRelay>(&*action)) {
        server->HandleRelayOpened(now, open->address);
      } else {
        closed.push_back(std::get<CloseRelay>(*action).address);
      }
    }
  }

  Builder Request(Method method) { return {Class::kRequest, method, NextId()}; }

  Builder AllocateRequest() {
    Builder builder = Request(Method::kAllocate);
    builder.AddU32(AttributeType::kRequestedTransport, kUdp);
    return builder;
  }

  /// Allocates for alice; returns the relayed address.
  SocketAddress Allocate() {
    EXPECT_EQ(Ask(AllocateRequest()), kNoError);
    return *stun::FindXorAddress(*stun::MessageView::Parse(last),
                                 AttributeType::kXorRelayedAddress);
  }

  ErrorCode Permit(const SocketAddress& peer) {
    return Ask(Request(Method::kCreatePermission).AddAddress(AttributeType::kXorPeerAddress, peer));
  }

  ErrorCode Bind(std::uint32_t channel, const SocketAddress& peer) {
    Builder request = Request(Method::kChannelBind);
    // The address is XORed with the id of its own message, so the helper is the builder's.
    request.AddU32(AttributeType::kChannelNumber, channel << 16U)
        .AddAddress(AttributeType::kXorPeerAddress, peer);
    return Ask(request);
  }

  FakeRandom random;
  TimePoint now = TimePoint{} + hours(1);
  std::unique_ptr<Server> server;
  Credentials alice{"alice", SecretString("wonderland")};
  Message last;
  std::vector<SocketAddress> closed;
};

TEST_F(TurnServerTest, AnswersBindingRequests) {
  Give(Builder(Class::kRequest, Method::kBinding, NextId()).Take());
  const auto answer = Answer();
  EXPECT_EQ(stun::FindMappedAddress(*stun::MessageView::Parse(answer)), kAlice);
}

TEST_F(TurnServerTest, AllocatesInItsRangeForAsLongAsItSays) {
  const SocketAddress relayed = Allocate();
  EXPECT_EQ(relayed.ip, *ParseIpAddress("198.51.100.1"));
  EXPECT_GE(relayed.port, 49152);
  const auto message = stun::MessageView::Parse(last);
  EXPECT_EQ(stun::FindU32(*message, AttributeType::kLifetime), 600U);
  EXPECT_EQ(stun::FindMappedAddress(*message), kAlice);
  EXPECT_TRUE(alice.Verify(*message));
  EXPECT_EQ(server->NextTimeout(), now + seconds(600));
}

TEST_F(TurnServerTest, AllocatesIpv6WhereAsked) {
  ASSERT_EQ(Ask(AllocateRequest().AddU8(AttributeType::kRequestedAddressFamily, stun::kFamilyIpv6)),
            kNoError);
  EXPECT_TRUE(
      stun::FindXorAddress(*stun::MessageView::Parse(last), AttributeType::kXorRelayedAddress)
          ->ip.is_v6());
  EXPECT_EQ(Permit(kPeer), ErrorCode::kPeerAddressFamilyMismatch);
  EXPECT_EQ(Permit(*ParseSocketAddress("[::ffff:10.0.0.1]:1")), ErrorCode::kForbidden)
      << "a way around the rules for IPv4";
}

TEST_F(TurnServerTest, RefusesAFamilyItHasNoAddressOf) {
  ServerConfig config = MakeServerConfig();
  config.relay_ips.pop_back();
  Start(std::move(config));
  Challenge(alice, kAlice);
  EXPECT_EQ(Ask(AllocateRequest().AddU8(AttributeType::kRequestedAddressFamily, stun::kFamilyIpv6)),
            ErrorCode::kAddressFamilyNotSupported);
  EXPECT_EQ(Ask(AllocateRequest().AddU8(AttributeType::kRequestedAddressFamily, 9)),
            ErrorCode::kAddressFamilyNotSupported);
}

TEST_F(TurnServerTest, RefusesOtherTransportsAndNone) {
  EXPECT_EQ(Ask(Request(Method::kAllocate)), ErrorCode::kBadRequest);
  EXPECT_EQ(Ask(Request(Method::kAllocate).AddU8(AttributeType::kRequestedTransport, 6)),
            ErrorCode::kUnsupportedTransport);
}

TEST_F(TurnServerTest, NamesWhatItDoesNotKnow) {
  ASSERT_EQ(Ask(AllocateRequest().AddFlag(AttributeType::kDontFragment)),
            ErrorCode::kUnknownAttribute);
  EXPECT_THAT(stun::FindUnknownAttributes(*stun::MessageView::Parse(last)),
              ElementsAre(AttributeType::kDontFragment));
}

TEST_F(TurnServerTest, AllocatesAnEvenPortWhereAsked) {
  // Several, so that it is not by chance.
  for (std::uint16_t port = 1; port <= 10; ++port) {
    const SocketAddress from{.ip = kBob.ip, .port = port};
    Challenge(alice, from);
    Builder request = AllocateRequest();
    request.Add(AttributeType::kEvenPort, std::vector<std::uint8_t>{0});
    ASSERT_EQ(Ask(request, from), kNoError);
    const auto relayed =
        stun::FindXorAddress(*stun::MessageView::Parse(last), AttributeType::kXorRelayedAddress);
    EXPECT_EQ(relayed->port % 2, 0);
  }
}

TEST_F(TurnServerTest, ReservesNoPorts) {
  EXPECT_EQ(Ask(AllocateRequest().Add(AttributeType::kEvenPort, std::vector<std::uint8_t>{0x80})),
            ErrorCode::kInsufficientCapacity);
  EXPECT_EQ(Ask(AllocateRequest().AddU64(AttributeType::kReservationToken, 1)),
            ErrorCode::kInsufficientCapacity);
}

TEST_F(TurnServerTest, AnswersAResentAllocateAgainAndRefusesASecond) {
  Builder request = AllocateRequest();
  alice.Seal(request);
  const Message bytes = request.Take();
  Give(bytes);
  Give(bytes);
  Open();
  const Message first = Answer();
  EXPECT_TRUE(Answer().empty()) << "while the socket was not open there was nothing to say";
  Give(bytes);
  EXPECT_EQ(Answer(), first);

  EXPECT_EQ(Ask(AllocateRequest()), ErrorCode::kAllocationMismatch);
  EXPECT_EQ(server->allocation_count(), 1U);
}

TEST_F(TurnServerTest, TriesOtherPortsBeforeItGivesUp) {
  Builder request = AllocateRequest();
  alice.Seal(request);
  Give(request.Take());
  std::vector<SocketAddress> tried;
  while (const auto action = server->PollAction()) {
    tried.push_back(std::get<OpenRelay>(*action).address);
    server->HandleRelayFailed(now, tried.back());
  }
  EXPECT_EQ(tried.size(), 5U);
  EXPECT_EQ(ErrorOf(Answer()), ErrorCode::kInsufficientCapacity);
  EXPECT_EQ(server->allocation_count(), 0U);
}

TEST_F(TurnServerTest, KeepsQuotas) {
  ServerConfig config = MakeServerConfig();
  config.max_allocations_per_user = 1;
  Start(std::move(config));
  Challenge(alice, kAlice);
  Allocate();
  Challenge(alice, kBob);
  Builder second = AllocateRequest();
  EXPECT_EQ(Ask(second, kBob), ErrorCode::kAllocationQuotaReached);
}

TEST_F(TurnServerTest, BoundsItsAllocations) {
  ServerConfig config = MakeServerConfig();
  config.ports = {.first = 50000, .last = 50000};
  Start(std::move(config));
  Challenge(alice, kAlice);
  EXPECT_EQ(Allocate().port, 50000);
  Challenge(alice, kBob);
  Builder second = AllocateRequest();
  EXPECT_EQ(Ask(second, kBob), ErrorCode::kInsufficientCapacity);
}

TEST_F(TurnServerTest, ForgetsAnAllocationWhenItsTimeIsUp) {
  const SocketAddress relayed = Allocate();
  server->HandleTimeout(now + seconds(599));
  EXPECT_EQ(server->allocation_count(), 1U);
  server->HandleTimeout(now + seconds(600));
  Open();
  EXPECT_EQ(server->allocation_count(), 0U);
  EXPECT_THAT(closed, ElementsAre(relayed));
  EXPECT_EQ(server->NextTimeout(), std::nullopt);
}

TEST_F(TurnServerTest, ProlongsAnAllocationWithinItsLimits) {
  Allocate();
  const auto granted = [this](std::uint32_t wanted) {
    EXPECT_EQ(Ask(Request(Method::kRefresh).AddU32(AttributeType::kLifetime, wanted)), kNoError);
    return stun::FindU32(*stun::MessageView::Parse(last), AttributeType::kLifetime);
  };
  EXPECT_EQ(granted(1), 600U);
  EXPECT_EQ(granted(1200), 1200U);
  EXPECT_EQ(granted(0xFFFF'FFFF), 3600U);
  EXPECT_EQ(server->NextTimeout(), now + seconds(3600));
}

TEST_F(TurnServerTest, TakesAnAllocationBack) {
  const SocketAddress relayed = Allocate();
  EXPECT_EQ(Ask(Request(Method::kRefresh).AddU32(AttributeType::kLifetime, 0)), kNoError);
  Open();
  EXPECT_THAT(closed, ElementsAre(relayed));
  EXPECT_EQ(Ask(Request(Method::kRefresh).AddU32(AttributeType::kLifetime, 0)),
            ErrorCode::kAllocationMismatch);
}

TEST_F(TurnServerTest, RefusesARefreshForTheOtherFamily) {
  Allocate();
  EXPECT_EQ(Ask(Request(Method::kRefresh)
                    .AddU8(AttributeType::kRequestedAddressFamily, stun::kFamilyIpv6)),
            ErrorCode::kPeerAddressFamilyMismatch);
}

TEST_F(TurnServerTest, KnowsNoAllocationNothingIsAskedOf) {
  EXPECT_EQ(Ask(Request(Method::kRefresh)), ErrorCode::kAllocationMismatch);
  EXPECT_EQ(Permit(kPeer), ErrorCode::kAllocationMismatch);
  EXPECT_EQ(Bind(0x4000, kPeer), ErrorCode::kAllocationMismatch);
}

TEST_F(TurnServerTest, LetsNobodyElseUseAnAllocation) {
  Allocate();
  Credentials bob("bob", SecretString("builder"));
  Challenge(bob, kAlice);
  Builder request = Request(Method::kRefresh);
  bob.Seal(request);
  Give(request.Take());
  EXPECT_EQ(ErrorOf(Answer()), ErrorCode::kWrongCredentials);
}

TEST_F(TurnServerTest, DeniesPeersThatAreNoneOfItsClients) {
  ServerConfig config = MakeServerConfig();
  config.denied_peers = {*ParseIpPrefix("10.0.0.0/8")};
  Start(std::move(config));
  Challenge(alice, kAlice);
  Allocate();
  for (const char* peer :
       {"127.0.0.1:1", "0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:1", "10.1.2.3:1"}) {
    EXPECT_EQ(Permit(*ParseSocketAddress(peer)), ErrorCode::kForbidden) << peer;
    EXPECT_EQ(Bind(0x4000, *ParseSocketAddress(peer)), ErrorCode::kForbidden) << peer;
  }
  EXPECT_EQ(Permit(kPeer), kNoError);
}

TEST_F(TurnServerTest, PermitsAllOfARequestOrNothing) {
  const SocketAddress relayed = Allocate();
  EXPECT_EQ(Ask(Request(Method::kCreatePermission)), ErrorCode::kBadRequest);
  Builder both = Request(Method::kCreatePermission);
  both.AddAddress(AttributeType::kXorPeerAddress, kPeer)
      .AddAddress(AttributeType::kXorPeerAddress, *ParseSocketAddress("127.0.0.1:1"));
  EXPECT_EQ(Ask(both), ErrorCode::kForbidden);

  server->HandleRelayed(now, relayed, kPeer, AsBytes("x"));
  EXPECT_TRUE(Answer().empty());
}

TEST_F(TurnServerTest, RelaysOnlyWithAPermissionAndOnlyForFiveMinutes) {
  const SocketAddress relayed = Allocate();
  const auto send = [this] {
    Builder indication(Class::kIndication, Method::kSend, NextId());
    Give(indication.AddAddress(AttributeType::kXorPeerAddress, kPeer)
             .AddText(AttributeType::kData, "out")
             .Take());
    return server->PollTransmit();
  };
  EXPECT_FALSE(send().has_value());
  ASSERT_EQ(Permit(kPeer), kNoError);

  const auto out = send();
  ASSERT_TRUE(out.has_value());
  EXPECT_EQ(out->local, relayed);
  EXPECT_EQ(out->remote, kPeer);
  EXPECT_EQ(test::Text(out->payload), "out");

  now += seconds(299);
  EXPECT_TRUE(send().has_value());
  now += seconds(1);
  EXPECT_FALSE(send().has_value());
}

TEST_F(TurnServerTest, WrapsWhatPeersSend) {
  const SocketAddress relayed = Allocate();
  ASSERT_EQ(Permit(kPeer), kNoError);
  SocketAddress other_port = kPeer;
  other_port.port = 9999;
  server->HandleRelayed(now, relayed, other_port, AsBytes("in"));
  const Message bytes = Answer();
  const auto message = stun::MessageView::Parse(bytes);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->message_class(), Class::kIndication);
  EXPECT_EQ(message->method(), Method::kData);
  EXPECT_EQ(stun::FindXorAddress(*message, AttributeType::kXorPeerAddress), other_port);
  EXPECT_EQ(AsText(*message->Find(AttributeType::kData)), "in");
}

TEST_F(TurnServerTest, RelaysThroughChannelsForTenMinutes) {
  const SocketAddress relayed = Allocate();
  ASSERT_EQ(Bind(0x4000, kPeer), kNoError);

  server->HandleRelayed(now, relayed, kPeer, AsBytes("in"));
  EXPECT_EQ(Answer(), MakeChannelData(0x4000, AsBytes("in")));
  Give(MakeChannelData(0x4000, AsBytes("out")));
  EXPECT_EQ(server->PollTransmit()->remote, kPeer);
  Give(MakeChannelData(0x4001, AsBytes("out")));
  EXPECT_FALSE(server->PollTransmit().has_value());

  now += seconds(599);
  Give(MakeChannelData(0x4000, AsBytes("out")));
  EXPECT_TRUE(server->PollTransmit().has_value());
  now += seconds(1);
  Give(MakeChannelData(0x4000, AsBytes("out")));
  EXPECT_FALSE(server->PollTransmit().has_value());
}

TEST_F(TurnServerTest, RefusesChannelsThatContradict) {
  Allocate();
  const SocketAddress other = *ParseSocketAddress("192.0.2.8:1");
  ASSERT_EQ(Bind(0x4000, kPeer), kNoError);
  EXPECT_EQ(Bind(0x4000, kPeer), kNoError) << "a refresh";
  EXPECT_EQ(Bind(0x4000, other), ErrorCode::kBadRequest);
  EXPECT_EQ(Bind(0x4001, kPeer), ErrorCode::kBadRequest);
  EXPECT_EQ(Bind(0x3FFF, other), ErrorCode::kBadRequest);
  EXPECT_EQ(Bind(0x5000, other), ErrorCode::kBadRequest);
  EXPECT_EQ(
      Ask(Request(Method::kChannelBind).AddU32(AttributeType::kChannelNumber, 0x4002U << 16U)),
      ErrorCode::kBadRequest);
}

TEST_F(TurnServerTest, BoundsPermissionsAndChannels) {
  ServerConfig config = MakeServerConfig();
  config.max_permissions = 2;
  config.max_channels = 1;
  Start(std::move(config));
  Challenge(alice, kAlice);
  Allocate();
  EXPECT_EQ(Bind(0x4000, *ParseSocketAddress("192.0.2.1:1")), kNoError);
  EXPECT_EQ(Bind(0x4001, *ParseSocketAddress("192.0.2.2:1")), ErrorCode::kInsufficientCapacity);
  EXPECT_EQ(Permit(*ParseSocketAddress("192.0.2.3:1")), ErrorCode::kInsufficientCapacity);
  now += seconds(301);
  EXPECT_EQ(Permit(*ParseSocketAddress("192.0.2.3:1")), kNoError) << "the old ones have expired";
}

TEST_F(TurnServerTest, RefusesToRelayForAnotherClientAddress) {
  Allocate();
  ASSERT_EQ(Bind(0x4000, kPeer), kNoError);
  Give(MakeChannelData(0x4000, AsBytes("stolen")), kBob);
  EXPECT_FALSE(server->PollTransmit().has_value());
}

TEST_F(TurnServerTest, AnswersAFingerprintWithAFingerprintAndDropsAWrongOne) {
  Builder request = AllocateRequest();
  alice.Seal(request);
  Give(request.AddFingerprint().Take());
  Open();
  EXPECT_TRUE(stun::VerifyFingerprint(*stun::MessageView::Parse(Answer())));

  Builder wrong = Request(Method::kRefresh);
  alice.Seal(wrong);
  Give(wrong.AddU32(AttributeType::kFingerprint, 1).Take());
  EXPECT_TRUE(Answer().empty());
}

TEST_F(TurnServerTest, SaysNothingToWhatIsNoRequest) {
  const auto before = server->stats().dropped;
  Give({});
  Give({0x17, 0x03, 0x03});
  Give({0x40, 0x00, 0x00});
  Give(Builder(Class::kSuccess, Method::kAllocate, NextId()).Take());
  Give(Builder(Class::kError, Method::kBinding, NextId()).AddErrorCode(ErrorCode{500}).Take());
  Give(Builder(Class::kIndication, Method::kBinding, NextId()).Take());
  Give(Builder(Class::kIndication, Method::kSend, NextId()).Take());
  Give(Builder(Class::kRequest, Method::kConnect, NextId()).Take());
  EXPECT_FALSE(server->PollTransmit().has_value());
  EXPECT_EQ(server->stats().dropped - before, 8U);
}

TEST_F(TurnServerTest, DropsEveryTruncationOfARequest) {
  Builder request = AllocateRequest();
  alice.Seal(request);
  const Message bytes = request.Take();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Give({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)});
    EXPECT_FALSE(server->PollTransmit().has_value()) << size;
  }
}

TEST_F(TurnServerTest, KeepsNothingForWhoHasNotProvedHimself) {
  for (std::uint16_t port = 1; port < 1000; ++port) {
    Give(AllocateRequest().Take(), {.ip = kBob.ip, .port = port});
  }
  EXPECT_EQ(server->allocation_count(), 0U);
  EXPECT_FALSE(server->PollAction().has_value());
  EXPECT_EQ(server->NextTimeout(), std::nullopt);
}

TEST_F(TurnServerTest, LimitsAnswersToASourceThatHasProvedNothing) {
  constexpr int kAsked = 100;
  for (std::uint16_t port = 1; port <= kAsked; ++port) {
    Give(AllocateRequest().Take(), {.ip = kBob.ip, .port = port});
    Give(Request(Method::kBinding).Take(), {.ip = kBob.ip, .port = port});
  }
  int answers = 0;
  while (!Answer().empty()) {
    ++answers;
  }

  EXPECT_EQ(answers, 2 * SourceLimit::kBurst) << "each kind of answer has its own limit";
  EXPECT_EQ(server->stats().limited, 2U * (kAsked - SourceLimit::kBurst));
}

TEST_F(TurnServerTest, AnswersWhoHasProvedHimselfAsOftenAsHeAsks) {
  Allocate();

  for (int i = 0; i < 2 * SourceLimit::kBurst; ++i) {
    EXPECT_EQ(Permit(kPeer), kNoError);
  }
}

}  // namespace
}  // namespace floe::ice::turn
