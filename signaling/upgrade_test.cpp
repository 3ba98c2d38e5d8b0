#include "signaling/upgrade.h"

#include <gtest/gtest.h>
#include <string>
#include <utility>

#include "tests/support/fake_random.h"

namespace floe::signaling {
namespace {

constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";  // RFC 6455 section 1.3

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string GoodRequest() {
  return SerializeUpgradeRequest(ParseUrl("ws://floe.example:8080").value(), kKey);
}

UpgradeAnswer AnswerTo(const std::string& head) {
  const auto request = ParseHttpRequest(head);
  EXPECT_TRUE(request.has_value()) << head;
  return AnswerUpgrade(request.value(), "/floe");
}

Result<void, UpgradeError> Check(const std::string& head) {
  const auto response = ParseHttpResponse(head);
  EXPECT_TRUE(response.has_value()) << head;
  return CheckUpgradeResponse(response.value(), kKey);
}

TEST(UpgradeTest, AcceptsAsTheExampleOfRfc6455) {
  EXPECT_EQ(WebSocketAccept(kKey), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(UpgradeTest, AsksWithAFreshKey) {
  test::FakeRandom random;

  const std::string first = MakeWebSocketKey(random);

  EXPECT_EQ(first.size(), 24U);
  EXPECT_NE(first, MakeWebSocketKey(random));
}

TEST(UpgradeTest, BothEndsAgree) {
  const UpgradeAnswer answer = AnswerTo(GoodRequest());

  EXPECT_EQ(answer.status, 101);
  EXPECT_TRUE(Check(answer.response).has_value());
}

TEST(UpgradeTest, NamesTheHostAndThePath) {
  const std::string request = GoodRequest();

  EXPECT_TRUE(request.starts_with("GET /floe HTTP/1.1\r\n"));
  EXPECT_NE(request.find("\r\nHost: floe.example:8080\r\n"), std::string::npos);
}

TEST(UpgradeTest, TakesTheSubprotocolOutOfAList) {
  EXPECT_EQ(AnswerTo(Replaced(GoodRequest(), "floe.1", "floe.2, floe.1")).status, 101);
}

TEST(UpgradeTest, AnswersHealthChecks) {
  const UpgradeAnswer answer = AnswerTo("GET /healthz HTTP/1.0\r\n\r\n");

  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.response.ends_with("\r\n\r\nok\n"));
}

TEST(UpgradeTest, RefusesWithTheStatusThatSaysWhy) {
  const std::string good = GoodRequest();
  const std::pair<std::string, std::uint16_t> cases[] = {
      {Replaced(good, "/floe", "/other"), 404},
      {Replaced(good, "/floe", "/floe/"), 404},
      {Replaced(good, "GET", "POST"), 405},
      {"POST /healthz HTTP/1.1\r\n\r\n", 405},
      {"GET /floe HTTP/1.1\r\nHost: a\r\n\r\n", 426},
      {Replaced(good, "Version: 13", "Version: 8"), 426},
      {Replaced(good, "Upgrade: websocket", "Upgrade: h2c"), 426},
      {Replaced(good, "HTTP/1.1", "HTTP/1.0"), 400},
      {Replaced(good, "Host:", "Hose:"), 400},
      {Replaced(good, "Connection: Upgrade", "Connection: close"), 400},
      {Replaced(good, "ZQ==", "ZQ="), 400},
      {Replaced(good, "ZQ==", "ZWVl"), 400},
      {Replaced(good, "dGhl", "d*hl"), 400},
      {Replaced(good, "\r\n\r\n", "\r\nSec-WebSocket-Key: " + std::string(kKey) + "\r\n\r\n"), 400},
      {Replaced(good, "floe.1", "floe.2"), 400},
  };
  for (const auto& [request, status] : cases) {
    const UpgradeAnswer answer = AnswerTo(request);
    EXPECT_EQ(answer.status, status) << request;
    EXPECT_TRUE(answer.response.starts_with("HTTP/1.1 " + std::to_string(status) + " "));
    EXPECT_NE(answer.response.find("Connection: close\r\n"), std::string::npos);
  }
}

TEST(UpgradeTest, TellsWhichVersionItSpeaks) {
  const UpgradeAnswer answer = AnswerTo("GET /floe HTTP/1.1\r\nHost: a\r\n\r\n");

  EXPECT_NE(answer.response.find("\r\nSec-WebSocket-Version: 13\r\n"), std::string::npos);
}

TEST(UpgradeTest, ClientChecksEveryPartOfTheResponse) {
  const std::string good = AnswerTo(GoodRequest()).response;
  const std::pair<std::string, UpgradeError> cases[] = {
      {Replaced(good, "101", "200"), UpgradeError::kStatus},
      {Replaced(good, "websocket", "h2c"), UpgradeError::kHeaders},
      {Replaced(good, "Connection: Upgrade", "Connection: close"), UpgradeError::kHeaders},
      {Replaced(good, "s3pP", "s3pp"), UpgradeError::kAccept},
      {Replaced(good, "-Accept", "-Except"), UpgradeError::kAccept},
      {Replaced(good, "floe.1", "floe.2"), UpgradeError::kNoSubprotocol},
      {Replaced(good, "\r\n\r\n", "\r\nSec-WebSocket-Extensions: x\r\n\r\n"),
       UpgradeError::kExtension},
  };
  for (const auto& [response, error] : cases) {
    const auto checked = Check(response);
    ASSERT_FALSE(checked.has_value()) << response;
    EXPECT_EQ(checked.error(), error) << response;
  }
}

TEST(UpgradeTest, RefusesARequestThatCannotBeRead) {
  EXPECT_TRUE(RefuseRequest(400).response.starts_with("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_TRUE(RefuseRequest(431).response.starts_with("HTTP/1.1 431 "));
}

}  // namespace
}  // namespace floe::signaling
