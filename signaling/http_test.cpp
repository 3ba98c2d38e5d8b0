#include "signaling/http.h"

#include <gtest/gtest.h>
#include <string>

namespace floe::signaling {
namespace {

constexpr std::string_view kRequest =
    "GET /floe?a=b HTTP/1.1\r\nHost: floe.example\r\nUpgrade:  websocket \r\n"
    "Connection: keep-alive, UPGRADE\r\nX: 1\r\nX: 2\r\n\r\n";

TEST(HttpTest, ReadsARequest) {
  const auto request = ParseHttpRequest(kRequest);

  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->method, "GET");
  EXPECT_EQ(request->target, "/floe?a=b");
  EXPECT_EQ(request->minor, 1);
  EXPECT_EQ(request->headers.Find("host"), "floe.example");
  EXPECT_EQ(request->headers.Find("upgrade"), "websocket");
  EXPECT_TRUE(request->headers.HasToken("connection", "upgrade"));
  EXPECT_FALSE(request->headers.HasToken("connection", "keep"));
  EXPECT_EQ(request->headers.Find("x"), std::nullopt) << "two of them is none to go by";
  EXPECT_TRUE(request->headers.Has("x"));
  EXPECT_FALSE(request->headers.Has("y"));
}

TEST(HttpTest, ReadsAResponse) {
  const auto response = ParseHttpResponse("HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n");

  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, 404);
  EXPECT_EQ(response->headers.Find("a"), "b");
  EXPECT_TRUE(ParseHttpResponse("HTTP/1.0 200 \r\n\r\n").has_value());
  EXPECT_TRUE(ParseHttpResponse("HTTP/1.0 200\r\n\r\n").has_value());
}

TEST(HttpTest, RefusesABadStartLine) {
  for (const char* line : {"", "GET", "GET /", "GET  HTTP/1.1", "GET / HTTP/2.0", "GET / HTTP/1.10",
                           "GET / HTTP/1.x", "G(T / HTTP/1.1", " / HTTP/1.1", "GET / HTTP/1.1 ",
                           "GET /\x01 HTTP/1.1", "GET / x HTTP/1.1"}) {
    const auto request = ParseHttpRequest(std::string(line) + "\r\n\r\n");
    ASSERT_FALSE(request.has_value()) << line;
    EXPECT_EQ(request.error(), HttpError::kStartLine) << line;
  }
  for (const char* line : {"", "HTTP/1.1", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 2x0 OK",
                           "HTTP/1.1 000 OK", "HTTP/2 200 OK", "HTTP/1.1 200 \x01"}) {
    const auto response = ParseHttpResponse(std::string(line) + "\r\n\r\n");
    ASSERT_FALSE(response.has_value()) << line;
    EXPECT_EQ(response.error(), HttpError::kStartLine) << line;
  }
}

TEST(HttpTest, RefusesABadHeader) {
  for (const char* line : {"no colon", ": no name", "a b: c", "a : b", " folded: x", "\tfolded",
                           "a: b\x01", "a: b\nc: d", "a: b\rc: d", "a\x7F: b"}) {
    const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(line) + "\r\n\r\n";
    const auto request = ParseHttpRequest(head);
    ASSERT_FALSE(request.has_value()) << line;
    EXPECT_EQ(request.error(), HttpError::kHeader) << line;
  }
}

TEST(HttpTest, RefusesTooManyHeaders) {
  std::string head = "GET / HTTP/1.1\r\n";
  for (std::size_t i = 0; i < kMaxHeaders; ++i) {
    head += "a: b\r\n";
  }

  EXPECT_TRUE(ParseHttpRequest(head + "\r\n").has_value());
  EXPECT_EQ(ParseHttpRequest(head + "a: b\r\n\r\n").error(), HttpError::kTooMany);
}

TEST(HttpHeadReaderTest, FindsTheEndInAnyChunking) {
  const std::string stream = std::string(kRequest) + "frames";
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    HttpHeadReader reader;
    Bytes input = AsBytes(std::string_view(stream).substr(0, first));
    static_cast<void>(reader.Read(input));
    std::string behind(AsText(input));
    input = AsBytes(std::string_view(stream).substr(first));
    ASSERT_EQ(reader.Read(input), HttpHeadReader::State::kComplete);
    behind += AsText(input);

    ASSERT_EQ(reader.head(), kRequest) << first;
    ASSERT_EQ(behind, "frames") << first;
  }
}

TEST(HttpHeadReaderTest, IsNotCompleteBeforeTheBlankLine) {
  for (std::size_t size = 0; size < kRequest.size(); ++size) {
    HttpHeadReader reader;
    Bytes input = AsBytes(kRequest.substr(0, size));
    ASSERT_EQ(reader.Read(input), HttpHeadReader::State::kReading) << size;
  }
}

TEST(HttpHeadReaderTest, GivesUpAtItsBound) {
  HttpHeadReader reader;
  const std::string endless(kMaxHeadSize * 2, 'a');
  Bytes input = AsBytes(endless);

  EXPECT_EQ(reader.Read(input), HttpHeadReader::State::kTooLarge);
  EXPECT_EQ(reader.head().size(), kMaxHeadSize);
  EXPECT_EQ(input.size(), kMaxHeadSize);
}

TEST(HttpHeadReaderTest, TakesAHeadOfExactlyTheBound) {
  const std::string head = std::string(kMaxHeadSize - 4, 'a') + "\r\n\r\n";
  HttpHeadReader reader;
  Bytes input = AsBytes(head);

  EXPECT_EQ(reader.Read(input), HttpHeadReader::State::kComplete);
}

}  // namespace
}  // namespace floe::signaling
