#include "tunnel/cookie.h"

#include <gtest/gtest.h>
#include <sodium.h>
#include <vector>

#include "tests/support/fake_random.h"
#include "tunnel/identity.h"
#include "tunnel/noise.h"

namespace floe::tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

using Message = std::array<std::uint8_t, initiation::kSize>;

class CookieTest : public ::testing::Test {
 protected:
  /// An initiation as far as the macs are concerned, with this number in it.
  Message MakeMessage(std::uint32_t sender = 7) {
    Message message{};
    random_.Fill(message);
    WriteMessageType(message, MessageType::kInitiation);
    StoreLe<std::uint32_t>(message, initiation::kSender, sender);
    WriteMacs(responder_.mac1_key(), message);
    return message;
  }

  bool Give(const std::array<std::uint8_t, cookie_reply::kSize>& reply) {
    return keeper_.HandleReply(now_, responder_.public_key(), *CookieReplyView::Parse(reply));
  }

  /// As sent by the side that has been given a cookie.
  Message Send(std::uint32_t sender = 7) {
    Message message = MakeMessage(sender);
    keeper_.WriteMac2(now_, message);
    return message;
  }

  /// The whole exchange: `source` has a cookie after it.
  void GetCookie() {
    const Message first = Send();
    ASSERT_TRUE(Give(checker_.MakeReply(now_, source_, first)));
  }

  bool Check(const SocketAddress& source, const Message& message) {
    return checker_.HasValidMac2(now_, source, message);
  }

  TimePoint now_{std::chrono::hours(1)};
  test::FakeRandom random_;
  LocalIdentity responder_{GeneratePrivateKey(random_)};
  CookieChecker checker_{responder_.public_key(), random_};
  CookieKeeper keeper_;
  SocketAddress source_{IpAddress::V4(192, 0, 2, 1), 41820};
};

TEST_F(CookieTest, AMessageWithTheCookieOfItsSourceIsBelieved) {
  EXPECT_FALSE(Check(source_, Send(1)));

  GetCookie();

  EXPECT_TRUE(Check(source_, Send()));
}

TEST_F(CookieTest, ACookieIsOfOneAddressAndOnePort) {
  GetCookie();
  const Message message = Send();

  EXPECT_FALSE(Check({IpAddress::V4(192, 0, 2, 2), source_.port}, message));
  EXPECT_FALSE(Check({source_.ip, 41821}, message));
}

TEST_F(CookieTest, EachByteOfAMessageCounts) {
  GetCookie();
  Message message = Send();

  for (std::uint8_t& byte : message) {
    byte ^= 1U;
    EXPECT_FALSE(Check(source_, message));
    byte ^= 1U;
  }
}

// Section 5.4.7, put together by hand.
TEST_F(CookieTest, TheReplyIsThatOfThePaper) {
  const Message message = MakeMessage(0x11223344);

  const auto reply = checker_.MakeReply(now_, source_, message);

  EXPECT_EQ(LoadLe<std::uint32_t>(reply, 0), 3U);
  EXPECT_EQ(LoadLe<std::uint32_t>(reply, 4), 0x11223344U);
  const Hash key = Blake2s({AsBytes("cookie--"), responder_.public_key().bytes});
  Mac cookie{};
  ASSERT_EQ(crypto_aead_xchacha20poly1305_ietf_decrypt(
                cookie.data(), nullptr, nullptr, reply.data() + 32, 32,
                message.data() + initiation::kMac1, 16, reply.data() + 8, key.data()),
            0);
  Message answer = MakeMessage();
  const Mac mac2 = Blake2sMac(cookie, Bytes(answer).first(initiation::kMac2));
  std::ranges::copy(mac2, answer.begin() + initiation::kMac2);
  EXPECT_TRUE(Check(source_, answer));
}

TEST_F(CookieTest, AReplyIsOfUseToTheMessageItAnswersAlone) {
  const Message sent = Send(1);
  const Message other = MakeMessage(1);

  EXPECT_FALSE(Give(checker_.MakeReply(now_, source_, other)));  // Forged: mac1 was not seen.
  const auto reply = checker_.MakeReply(now_, source_, sent);
  EXPECT_TRUE(Give(reply));
  EXPECT_FALSE(Give(reply));  // Replayed.
}

TEST_F(CookieTest, ADamagedReplyIsRefused) {
  auto reply = checker_.MakeReply(now_, source_, Send());

  for (std::size_t i = cookie_reply::kReceiver; i < reply.size(); ++i) {
    reply.at(i) ^= 1U;
    EXPECT_FALSE(Give(reply)) << i;
    reply.at(i) ^= 1U;
  }
  EXPECT_TRUE(Give(reply));
}

TEST_F(CookieTest, TheRepliesToSeveralMessagesInFlightAreTaken) {
  std::vector<Message> sent;
  for (std::uint32_t sender = 0; sender <= kMaxInitiationsInFlight; ++sender) {
    sent.push_back(Send(sender));
  }

  for (const Message& message : sent) {
    EXPECT_TRUE(Give(checker_.MakeReply(now_, source_, message)));
  }
}

TEST_F(CookieTest, ACookieLastsTwoMinutesOnBothSides) {
  GetCookie();
  now_ += kCookieLifetime - milliseconds(1);
  const Message late = Send();
  EXPECT_TRUE(Check(source_, late));

  now_ += milliseconds(1);

  EXPECT_FALSE(Check(source_, late));  // The checker has another secret.
  const Message later = Send();
  EXPECT_TRUE(sodium_is_zero(later.data() + initiation::kMac2, kMacSize));
}

TEST_F(CookieTest, NothingIsLeftOfACookieThatIsWiped) {
  GetCookie();
  const Message sent = Send();
  const auto reply = checker_.MakeReply(now_, source_, sent);

  keeper_.Wipe();

  EXPECT_FALSE(Give(reply));
  EXPECT_FALSE(Check(source_, Send()));
}

}  // namespace
}  // namespace floe::tunnel
