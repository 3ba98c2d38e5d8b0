#include "ice/port_prediction.h"

#include <gtest/gtest.h>
#include <set>
#include <string_view>

#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "ice/stun/integrity.h"
#include "tests/support/fake_random.h"

namespace floe::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

SocketAddress Address(std::string_view text) {
  return *ParseSocketAddress(text);
}

const SocketAddress kBase = Address("192.0.2.10:41820");
const SocketAddress kPeer = Address("203.0.113.9:5000");
const SocketAddress kServer = Address("198.51.100.1:3478");

class PortPredictionTest : public ::testing::Test {
 protected:
  PortPredictionTest() {
    config_.local = MakeCredentials(random_);
    config_.remote = MakeCredentials(random_);
    for (std::uint16_t i = 0; i < PortPrediction::kMaxSockets; ++i) {
      sockets_.push_back({kBase.ip, static_cast<std::uint16_t>(50'000 + i)});
    }
  }

  /// Runs it to its end; all that it has sent.
  std::vector<Transmit> Run(PortPrediction& prediction) {
    std::vector<Transmit> sent;
    while (const auto wake = prediction.NextTimeout()) {
      now_ = std::max(now_, *wake);
      prediction.HandleTimeout(now_);
      while (auto transmit = prediction.PollTransmit()) {
        sent.push_back(std::move(*transmit));
      }
    }
    return sent;
  }

  TimePoint now_ = TimePoint{} + seconds(1000);
  test::FakeRandom random_;
  PortPredictionConfig config_;
  std::vector<SocketAddress> sockets_;
};

TEST_F(PortPredictionTest, ChecksAsThePeerWouldFromEachSocketOnce) {
  auto prediction = PortPrediction::Open(now_, config_, sockets_, kPeer, std::nullopt, random_);
  const auto sent = Run(prediction);

  std::set<SocketAddress> from;
  for (const Transmit& transmit : sent) {
    from.insert(transmit.local);
    EXPECT_EQ(transmit.remote, kPeer);
    const auto message = stun::MessageView::Parse(transmit.payload);
    ASSERT_TRUE(message);
    EXPECT_EQ(stun::FindText(*message, stun::AttributeType::kUsername),
              config_.remote.ufrag + ':' + config_.local.ufrag);
    EXPECT_TRUE(stun::VerifyIntegrity(*message, AsBytes(config_.remote.password)));
    EXPECT_TRUE(stun::VerifyFingerprint(*message));
    EXPECT_TRUE(stun::FindU32(*message, stun::AttributeType::kPriority));
  }
  EXPECT_EQ(sent.size(), PortPrediction::kMaxSockets);
  EXPECT_EQ(from.size(), PortPrediction::kMaxSockets);
}

TEST_F(PortPredictionTest, SendsAHundredPacketsInASecondAndNoMoreThanAllowed) {
  auto prediction = PortPrediction::Search(now_, config_, kBase, {kPeer}, random_);
  const TimePoint start = now_;
  const auto sent = Run(prediction);

  EXPECT_EQ(sent.size(), PortPrediction::kMaxPorts);
  EXPECT_EQ(prediction.sent(), PortPrediction::kMaxPorts);
  EXPECT_EQ(now_ - start, (PortPrediction::kMaxPorts - 1) * PortPrediction::kInterval);
}

TEST_F(PortPredictionTest, LateTimersAreNotMadeUpForByABurst) {
  auto prediction = PortPrediction::Search(now_, config_, kBase, {kPeer}, random_);
  prediction.HandleTimeout(now_);
  prediction.HandleTimeout(now_ + seconds(5));
  prediction.HandleTimeout(now_ + seconds(5) + milliseconds(9));

  EXPECT_EQ(prediction.sent(), 2U);
}

TEST_F(PortPredictionTest, TriesThePortsNextToWhatWasSeenFirstAndNoneTwice) {
  const SocketAddress last{kPeer.ip, 65'530};
  auto prediction = PortPrediction::Search(now_, config_, kBase, {kPeer, last}, random_);
  const auto sent = Run(prediction);

  std::set<std::uint16_t> ports;
  for (const Transmit& transmit : sent) {
    EXPECT_EQ(transmit.local, kBase);
    EXPECT_EQ(transmit.remote.ip, kPeer.ip);
    EXPECT_GE(transmit.remote.port, 1024);
    ports.insert(transmit.remote.port);
  }
  EXPECT_EQ(ports.size(), PortPrediction::kMaxPorts) << "one was tried twice";
  const std::size_t near = 20 + 20 + 20 + 5;  // The last has but five above it.
  for (std::size_t i = 0; i < near; ++i) {
    const int port = sent[i].remote.port;
    EXPECT_TRUE(std::abs(port - 5000) <= 20 || std::abs(port - 65'530) <= 20) << port;
  }
}

TEST_F(PortPredictionTest, LearnsWhatTheServerSeesOfTheFirstAndTheLastSocket) {
  auto prediction = PortPrediction::Open(now_, config_, sockets_, kPeer, kServer, random_);
  std::vector<Transmit> questions;
  for (Transmit& transmit : Run(prediction)) {
    if (transmit.remote == kServer) {
      questions.push_back(std::move(transmit));
    }
  }
  ASSERT_EQ(questions.size(), 2U);
  EXPECT_EQ(questions[0].local, sockets_.front());
  EXPECT_EQ(questions[1].local, sockets_.back());

  const auto id = stun::MessageView::Parse(questions[1].payload)->transaction_id();
  stun::Builder builder(stun::Class::kSuccess, stun::Method::kBinding, id);
  builder.AddAddress(stun::AttributeType::kXorMappedAddress, kPeer);
  const auto answer = builder.Take();
  const auto message = stun::MessageView::Parse(answer);

  EXPECT_FALSE(prediction.HandleResponse(sockets_.back(), kPeer, *message)) << "from elsewhere";
  EXPECT_FALSE(prediction.HandleResponse(sockets_.front(), kServer, *message)) << "to another";
  EXPECT_TRUE(prediction.HandleResponse(sockets_.back(), kServer, *message));
  EXPECT_FALSE(prediction.HandleResponse(sockets_.back(), kServer, *message)) << "twice";
  EXPECT_EQ(prediction.seen(), std::vector{kPeer});
}

}  // namespace
}  // namespace floe::ice
