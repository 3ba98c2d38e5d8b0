// What a TURN client does beyond RFC 8656's first twelve sections: streams, two families, mobility,
// ICMP. Against answers written by hand, for not every server has them.

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>

#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "ice/stun/hmac.h"
#include "ice/turn/client.h"
#include "ice/turn/test_network.h"

namespace floe::ice::turn {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using stun::AttributeType;
using stun::Builder;
using stun::Class;
using stun::ErrorCode;
using stun::Method;
using ::testing::ElementsAre;

using Message = std::vector<std::uint8_t>;

const SocketAddress kRelayed4 = *ParseSocketAddress("198.51.100.1:50000");
const SocketAddress kRelayed6 = *ParseSocketAddress("[2001:db8::1]:50001");
const SocketAddress kPeer6 = *ParseSocketAddress("[2001:db8::7]:7000");
const SocketAddress kElsewhere = *ParseSocketAddress("203.0.113.99:41820");

class ClientExtensionsTest : public ::testing::Test {
 protected:
  void Make(Transport transport = Transport::kUdp) {
    ClientConfig config = test::MakeClientConfig();
    config.server.transport = transport;
    config.both_families = true;
    config.mobile = true;
    client_.emplace(now_, std::move(config), random_);
  }

  /// The next request, which must be of this method.
  void Expect(Method method) {
    const auto bytes = client_->PollTransmit();
    ASSERT_TRUE(bytes.has_value());
    sent_ = *bytes;
    EXPECT_EQ(Sent().message_class(), Class::kRequest);
    EXPECT_EQ(Sent().method(), method);
  }

  [[nodiscard]] stun::MessageView Sent() const { return *stun::MessageView::Parse(sent_); }

  void Answer(Builder& answer) {
    std::ignore = client_->HandleDatagram(now_, answer.AddIntegrity(key_.bytes()).Take());
  }

  Builder Success() { return {Class::kSuccess, Sent().method(), Sent().transaction_id()}; }

  void Refuse(ErrorCode code) {
    Builder answer(Class::kError, Sent().method(), Sent().transaction_id());
    Answer(answer.AddErrorCode(code));
  }

  void Challenge() {
    Expect(Method::kAllocate);
    Builder answer(Class::kError, Method::kAllocate, Sent().transaction_id());
    std::ignore = client_->HandleDatagram(now_, answer.AddErrorCode(ErrorCode::kUnauthenticated)
                                                    .AddText(AttributeType::kRealm, "floe")
                                                    .AddText(AttributeType::kNonce, "nonce")
                                                    .Take());
    Expect(Method::kAllocate);
  }

  /// With both families and a ticket.
  void Allocate() {
    Challenge();
    Builder answer = Success();
    Answer(answer.AddAddress(AttributeType::kXorRelayedAddress, kRelayed6)
               .AddAddress(AttributeType::kXorRelayedAddress, kRelayed4)
               .AddAddress(AttributeType::kXorMappedAddress, test::kAlice)
               .AddU32(AttributeType::kLifetime, 600)
               .AddText(AttributeType::kMobilityTicket, "ticket 1"));
    ASSERT_TRUE(client_->ready());
    event_ = client_->PollEvent();
  }

  TimePoint now_ = TimePoint{} + std::chrono::hours(1);
  test::FakeRandom random_;
  std::optional<Client> client_;
  Message sent_;
  std::optional<ClientEvent> event_;
  Secret<16> key_ = stun::LongTermKey("alice", "floe", "wonderland");
};

TEST_F(ClientExtensionsTest, AsksForBothFamiliesInOneRequest) {
  Make();
  Allocate();

  EXPECT_EQ(stun::FindU8(Sent(), AttributeType::kAdditionalAddressFamily), stun::kFamilyIpv6);
  EXPECT_FALSE(Sent().Find(AttributeType::kRequestedAddressFamily)) << "never beside the other";
  const auto& allocated = std::get<Allocated>(*event_);
  EXPECT_EQ(allocated.relayed, kRelayed4);
  EXPECT_EQ(allocated.additional, kRelayed6);
  EXPECT_EQ(client_->relayed(IpFamily::kIpv6), kRelayed6);
}

TEST_F(ClientExtensionsTest, PermitsPeersOfBothFamilies) {
  Make();
  Allocate();
  client_->Permit(now_, test::kPeer.ip);
  client_->Permit(now_, kPeer6.ip);
  Expect(Method::kCreatePermission);

  int peers = 0;
  for (const auto attribute : Sent().attributes()) {
    peers += attribute.type == AttributeType::kXorPeerAddress ? 1 : 0;
  }
  EXPECT_EQ(peers, 2);
}

TEST_F(ClientExtensionsTest, TakesOneFamilyWhereTheServerHasNoOther) {
  Make();
  Challenge();
  Builder answer = Success();
  Answer(answer.AddAddress(AttributeType::kXorRelayedAddress, kRelayed4)
             .AddAddress(AttributeType::kXorMappedAddress, test::kAlice)
             .AddU32(AttributeType::kLifetime, 600)
             .Add(AttributeType::kAddressErrorCode, Message{2, 0, 4, 40}));

  EXPECT_TRUE(client_->ready());
  EXPECT_FALSE(client_->relayed(IpFamily::kIpv6));
  EXPECT_FALSE(client_->Send(now_, kPeer6, AsBytes("x")));
}

TEST_F(ClientExtensionsTest, AsksForOneFamilyWhereBothAreRefused) {
  for (const ErrorCode code : {ErrorCode::kAddressFamilyNotSupported, ErrorCode::kBadRequest}) {
    Make();
    Challenge();
    Refuse(code);
    Expect(Method::kAllocate);
    EXPECT_FALSE(Sent().Find(AttributeType::kAdditionalAddressFamily));
    EXPECT_FALSE(Sent().Find(AttributeType::kRequestedAddressFamily));
  }
}

TEST_F(ClientExtensionsTest, AsksForIpv6AloneWhereThereIsNoIpv4) {
  Make();
  Challenge();
  Refuse(ErrorCode::kAddressFamilyNotSupported);
  Expect(Method::kAllocate);
  Refuse(ErrorCode::kAddressFamilyNotSupported);
  Expect(Method::kAllocate);
  EXPECT_EQ(stun::FindU8(Sent(), AttributeType::kRequestedAddressFamily), stun::kFamilyIpv6);
  EXPECT_FALSE(Sent().Find(AttributeType::kAdditionalAddressFamily));

  Refuse(ErrorCode::kAddressFamilyNotSupported);
  EXPECT_EQ(client_->state(), ClientState::kLost) << "and not again";
}

TEST_F(ClientExtensionsTest, TakesTheAllocationAlongToAnotherAddress) {
  Make();
  Allocate();
  ASSERT_TRUE(client_->is_mobile());
  ASSERT_TRUE(client_->Move(now_, kElsewhere));
  EXPECT_EQ(client_->local(), kElsewhere);
  Expect(Method::kRefresh);
  EXPECT_EQ(stun::FindText(Sent(), AttributeType::kMobilityTicket), "ticket 1");
  client_->Permit(now_, test::kPeer.ip);
  EXPECT_FALSE(client_->PollTransmit()) << "nothing else until the server agrees";

  Builder answer = Success();
  Answer(answer.AddU32(AttributeType::kLifetime, 600)
             .AddText(AttributeType::kMobilityTicket, "ticket 2"));
  EXPECT_EQ(client_->relayed(), kRelayed4);
  Expect(Method::kBinding);  // Where does it see us?
  Expect(Method::kCreatePermission);

  ASSERT_TRUE(client_->Move(now_, test::kAlice));
  Expect(Method::kRefresh);
  EXPECT_EQ(stun::FindText(Sent(), AttributeType::kMobilityTicket), "ticket 2");
}

TEST_F(ClientExtensionsTest, GivesUpAnAllocationThatMayNotMove) {
  for (const ErrorCode code :
       {ErrorCode::kMobilityForbidden, ErrorCode::kAllocationMismatch, ErrorCode::kBadRequest}) {
    Make();
    Allocate();
    ASSERT_TRUE(client_->Move(now_, kElsewhere));
    Expect(Method::kRefresh);
    Refuse(code);
    EXPECT_EQ(client_->state(), ClientState::kLost);
  }
}

TEST_F(ClientExtensionsTest, GivesUpMovingWhenNobodyAnswers) {
  Make();
  Allocate();
  ASSERT_TRUE(client_->Move(now_, kElsewhere));
  for (int i = 0; i < 3; ++i) {
    Expect(Method::kRefresh);
    now_ = *client_->NextTimeout();
    client_->HandleTimeout(now_);
    now_ = client_->NextTimeout().value_or(now_);
    client_->HandleTimeout(now_);
  }
  while (client_->ready()) {
    now_ = *client_->NextTimeout();
    client_->HandleTimeout(now_);
  }
  EXPECT_EQ(client_->state(), ClientState::kLost);
  EXPECT_LE(now_ - TimePoint{}, std::chrono::hours(1) + seconds(4)) << "a fresh one is quicker";
}

TEST_F(ClientExtensionsTest, ShowsItsTicketToAServerThatDoesNotKnowUsAnyMore) {
  Make();
  Allocate();
  client_->CheckNow(now_);
  Expect(Method::kRefresh);
  EXPECT_FALSE(Sent().Find(AttributeType::kMobilityTicket));
  Refuse(ErrorCode::kAllocationMismatch);  // The NAT shows it another address than before.
  Expect(Method::kRefresh);
  EXPECT_TRUE(Sent().Find(AttributeType::kMobilityTicket));
  EXPECT_TRUE(client_->ready());

  Refuse(ErrorCode::kAllocationMismatch);  // Or it has restarted.
  EXPECT_EQ(client_->state(), ClientState::kLost);
}

TEST_F(ClientExtensionsTest, DoesWithoutMobilityWhereItIsForbidden) {
  Make();
  Challenge();
  EXPECT_TRUE(Sent().Find(AttributeType::kMobilityTicket));
  Refuse(ErrorCode::kMobilityForbidden);
  Expect(Method::kAllocate);
  EXPECT_FALSE(Sent().Find(AttributeType::kMobilityTicket));
}

TEST_F(ClientExtensionsTest, CannotMoveWithoutATicket) {
  Make();
  EXPECT_FALSE(client_->Move(now_, kElsewhere)) << "no allocation";
  Challenge();
  Builder answer = Success();
  Answer(answer.AddAddress(AttributeType::kXorRelayedAddress, kRelayed4)
             .AddAddress(AttributeType::kXorMappedAddress, test::kAlice)
             .AddU32(AttributeType::kLifetime, 600));
  EXPECT_FALSE(client_->Move(now_, kElsewhere));
  EXPECT_EQ(client_->local(), test::kAlice);
}

TEST_F(ClientExtensionsTest, RepeatsNothingOverAStream) {
  Make(Transport::kTcp);
  Expect(Method::kAllocate);
  EXPECT_EQ(client_->NextTimeout(), now_ + milliseconds(39'500));
  now_ += milliseconds(39'499);
  client_->HandleTimeout(now_);
  EXPECT_FALSE(client_->PollTransmit());
  now_ += milliseconds(1);
  client_->HandleTimeout(now_);
  EXPECT_EQ(client_->state(), ClientState::kLost);
}

TEST_F(ClientExtensionsTest, SaysGoodbyeOnceOverAStream) {
  Make(Transport::kTcp);
  Allocate();
  client_->Close(now_);
  Expect(Method::kRefresh);
  EXPECT_FALSE(client_->PollTransmit());
}

TEST_F(ClientExtensionsTest, PadsChannelDataOverAStream) {
  Make(Transport::kTcp);
  Allocate();
  client_->BindChannel(now_, test::kPeer);
  Expect(Method::kChannelBind);
  Builder answer = Success();
  Answer(answer);
  ASSERT_TRUE(client_->Send(now_, test::kPeer, AsBytes("hello")));

  EXPECT_THAT(*client_->PollTransmit(),
              ElementsAre(0x40, 0, 0, 5, 'h', 'e', 'l', 'l', 'o', 0, 0, 0));
}

TEST_F(ClientExtensionsTest, AsksAgainAtOnceAlthoughARefreshIsUnderWay) {
  Make();
  Allocate();
  client_->CheckNow(now_);
  Expect(Method::kRefresh);
  const auto first = Sent().transaction_id();
  now_ += milliseconds(100);
  client_->CheckNow(now_);
  Expect(Method::kRefresh);

  EXPECT_NE(Sent().transaction_id(), first);
  EXPECT_EQ(client_->silent_at(), now_ - milliseconds(100) + milliseconds(1500))
      << "counted from the first that was not answered";
}

TEST_F(ClientExtensionsTest, ReportsWhatIcmpSaysOfPeersWeAskedFor) {
  Make();
  Allocate();
  client_->Permit(now_, test::kPeer.ip);
  const auto report = [&](const SocketAddress& peer, const Message& icmp) {
    const Message bytes =
        Builder(Class::kIndication, Method::kData, stun::NewTransactionId(random_))
            .AddAddress(AttributeType::kXorPeerAddress, peer)
            .Add(AttributeType::kIcmp, icmp)
            .Take();
    std::ignore = client_->HandleDatagram(now_, bytes);
    return client_->PollEvent();
  };

  const auto event = report(test::kPeer, {0, 0, 3, 4, 0, 0, 5, 0});
  ASSERT_TRUE(event);
  const auto& unreachable = std::get<PeerUnreachable>(*event);
  EXPECT_EQ(unreachable.peer, test::kPeer);
  EXPECT_EQ(unreachable.type, 3);
  EXPECT_EQ(unreachable.code, 4);
  EXPECT_EQ(unreachable.data, 1280U);
  EXPECT_FALSE(report(*ParseSocketAddress("192.0.2.200:7"), {0, 0, 3, 3, 0, 0, 0, 0}));
  EXPECT_FALSE(report(test::kPeer, {0, 0, 3}));
}

}  // namespace
}  // namespace floe::ice::turn
