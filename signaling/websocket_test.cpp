#include "signaling/websocket.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "tests/support/fake_random.h"

namespace floe::signaling {
namespace {

using Kind = WebSocketEvent::Kind;
using Buffer = std::vector<std::uint8_t>;

std::vector<WebSocketEvent> ReadAll(WebSocketReader& reader, Bytes input) {
  std::vector<WebSocketEvent> events;
  while (auto event = reader.Read(input)) {
    events.push_back(std::move(*event));
  }
  EXPECT_TRUE(input.empty());
  return events;
}

std::vector<WebSocketEvent> ReadAll(WebSocketRole role, Bytes input, std::size_t max = 1024) {
  WebSocketReader reader(role, max);
  return ReadAll(reader, input);
}

/// What a client makes of the first frame it should not accept.
CloseCode ViolationOf(const Buffer& input, WebSocketRole role = WebSocketRole::kClient) {
  const auto events = ReadAll(role, input);
  if (events.empty() || events.back().kind != Kind::kViolation) {
    return CloseCode::kNoStatus;
  }
  return events.back().code;
}

Buffer Frame(std::uint8_t first, Bytes payload) {
  Buffer frame = SerializeFrame(Opcode::kText, payload);
  frame[0] = first;
  return frame;
}

Buffer Joined(std::initializer_list<Buffer> parts) {
  Buffer all;
  for (const Buffer& part : parts) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

// RFC 6455 section 5.7.
const Buffer kHello = {0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f};
const Buffer kMaskedHello = {0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58};
const Buffer kFragmentedHello = {0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f};
const Buffer kPing = {0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f};
const Buffer kMaskedPong = {0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58};

TEST(WebSocketReaderTest, ReadsTheExamplesOfRfc6455) {
  const struct {
    WebSocketRole role;
    const Buffer& bytes;
    Kind kind;
  } cases[] = {
      {WebSocketRole::kClient, kHello, Kind::kText},
      {WebSocketRole::kServer, kMaskedHello, Kind::kText},
      {WebSocketRole::kClient, kFragmentedHello, Kind::kText},
      {WebSocketRole::kClient, kPing, Kind::kPing},
      {WebSocketRole::kServer, kMaskedPong, Kind::kPong},
  };

  for (const auto& one : cases) {
    const auto events = ReadAll(one.role, one.bytes);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].kind, one.kind);
    EXPECT_EQ(events[0].payload, "Hello");
  }
}

TEST(WebSocketReaderTest, ReadsTheLongExamplesOfRfc6455) {
  Buffer medium = {0x82, 0x7E, 0x01, 0x00};
  medium.resize(medium.size() + 256, 0xAB);
  Buffer large = {0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0};
  large.resize(large.size() + 65536, 0xCD);

  const auto events = ReadAll(WebSocketRole::kClient, Joined({medium, large}), kMaxServerMessage);

  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].kind, Kind::kBinary);
  EXPECT_EQ(events[0].payload, std::string(256, '\xAB'));
  EXPECT_EQ(events[1].payload, std::string(65536, '\xCD'));
}

TEST(WebSocketReaderTest, WritesTheExamplesOfRfc6455) {
  EXPECT_EQ(SerializeFrame(Opcode::kText, AsBytes("Hello")), kHello);
  EXPECT_EQ(SerializeFrame(Opcode::kPing, AsBytes("Hello")), kPing);
  const Buffer payload(256);
  const Buffer medium = SerializeFrame(Opcode::kBinary, payload);
  EXPECT_EQ(Buffer(medium.begin(), medium.begin() + 4), (Buffer{0x82, 0x7E, 0x01, 0x00}));
}

TEST(WebSocketReaderTest, ReadsWhatIsWrittenAtEverySizeOfLength) {
  test::FakeRandom random;
  for (const std::size_t size : {0U, 1U, 125U, 126U, 127U, 65535U, 65536U, 70000U}) {
    const std::string text(size, 'x');
    const auto plain =
        ReadAll(WebSocketRole::kClient, SerializeFrame(Opcode::kText, AsBytes(text)), 70000);
    const auto masked = ReadAll(WebSocketRole::kServer,
                                SerializeMaskedFrame(Opcode::kText, AsBytes(text), random), 70000);
    ASSERT_EQ(plain.size(), 1U) << size;
    EXPECT_EQ(plain[0].payload, text);
    ASSERT_EQ(masked.size(), 1U) << size;
    EXPECT_EQ(masked[0].payload, text);
  }
}

TEST(WebSocketReaderTest, ReadsAnyChunking) {
  test::FakeRandom random;
  const Buffer stream = Joined({
      Frame(0x01, AsBytes("frag")),
      Frame(0x89, AsBytes("in between")),
      Frame(0x00, AsBytes("")),
      Frame(0x80, AsBytes("ments")),
      Frame(0x82, Buffer(300, 7)),
      Frame(0x88, AsBytes(ClosePayload(CloseCode::kGoingAway, "bye"))),
  });
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    for (const std::size_t step : {std::size_t{1}, stream.size()}) {
      WebSocketReader reader(WebSocketRole::kClient, 1024);
      auto events = ReadAll(reader, Bytes(stream).first(first));
      for (std::size_t at = first; at < stream.size(); at += step) {
        const Bytes part = Bytes(stream).subspan(at, std::min(step, stream.size() - at));
        for (auto& event : ReadAll(reader, part)) {
          events.push_back(std::move(event));
        }
      }
      ASSERT_EQ(events.size(), 4U);
      EXPECT_EQ(events[0].payload, "in between");
      EXPECT_EQ(events[1].payload, "fragments");
      EXPECT_EQ(events[2].payload, std::string(300, 7));
      EXPECT_EQ(events[3].kind, Kind::kClose);
      EXPECT_EQ(events[3].code, CloseCode::kGoingAway);
      EXPECT_EQ(events[3].payload, "bye");
    }
  }
}

TEST(WebSocketReaderTest, SaysNothingAboutATruncatedFrame) {
  for (const Buffer& frame : {kHello, kPing, SerializeFrame(Opcode::kText, Buffer(300, 'a'))}) {
    for (std::size_t size = 0; size < frame.size(); ++size) {
      ASSERT_TRUE(ReadAll(WebSocketRole::kClient, Bytes(frame).first(size)).empty());
    }
  }
}

TEST(WebSocketReaderTest, HoldsEachEndToItsMasking) {
  EXPECT_EQ(ViolationOf(kMaskedHello, WebSocketRole::kClient), CloseCode::kProtocolError);
  EXPECT_EQ(ViolationOf(kHello, WebSocketRole::kServer), CloseCode::kProtocolError);
}

TEST(WebSocketReaderTest, RefusesWhatTheFramingForbids) {
  const Buffer text = Frame(0x01, AsBytes("a"));
  const Buffer cases[] = {
      Frame(0xC1, AsBytes("a")),  // A reserved bit.
      Frame(0xA1, AsBytes("a")),
      Frame(0x91, AsBytes("a")),
      Frame(0x83, AsBytes("a")),  // An unknown opcode.
      Frame(0x8B, AsBytes("a")),
      Frame(0x09, AsBytes("a")),                  // A control frame in fragments.
      Frame(0x80, AsBytes("a")),                  // Continues nothing.
      Joined({text, Frame(0x81, AsBytes("a"))}),  // A message inside of another.
      {0x89, 0x7E, 0x00, 0x7E},                   // A control frame too long.
      {0x81, 0x7E, 0x00, 0x7D},                   // A length in more bytes than it needs.
      {0x81, 0x7F, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF},
      {0x81, 0x7F, 0x80, 0, 0, 0, 0, 0, 0, 0},           // A length with its highest bit.
      Frame(0x88, AsBytes("x")),                         // Half a close code.
      Frame(0x88, AsBytes(std::string("\x03\xED", 2))),  // 1005 must not be sent.
      Frame(0x88, AsBytes(std::string("\x03\xEE", 2))),
      Frame(0x88, AsBytes(std::string("\x00\x01", 2))),
      Frame(0x88, AsBytes(std::string("\x13\x88", 2))),
  };
  for (const Buffer& bytes : cases) {
    EXPECT_EQ(ViolationOf(bytes), CloseCode::kProtocolError)
        << int{bytes[0]} << ' ' << int{bytes[1]};
  }
}

TEST(WebSocketReaderTest, RefusesTextThatIsNotUtf8) {
  EXPECT_EQ(ViolationOf(Frame(0x81, AsBytes("\xFF"))), CloseCode::kNotUtf8);
  EXPECT_EQ(ViolationOf(Frame(0x88, AsBytes("\x03\xE8\xFF"))), CloseCode::kNotUtf8);
  EXPECT_EQ(ReadAll(WebSocketRole::kClient, Frame(0x82, AsBytes("\xFF")))[0].kind, Kind::kBinary);
}

TEST(WebSocketReaderTest, AcceptsACharacterCutByAFragment) {
  const auto events = ReadAll(WebSocketRole::kClient,
                              Joined({Frame(0x01, AsBytes("\xC3")), Frame(0x80, AsBytes("\xA9"))}));

  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].payload, "\xC3\xA9");
}

TEST(WebSocketReaderTest, RefusesAMessageAtItsHeaderWhenItIsTooLarge) {
  const Buffer one_frame = {0x81, 0x7E, 0x04, 0x01};  // 1025 bytes follow, none of them sent.
  const Buffer fragments = Joined({Frame(0x01, Buffer(1000, 'a')), {0x80, 25}});
  const Buffer huge = {0x82, 0x7F, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

  EXPECT_EQ(ViolationOf(one_frame), CloseCode::kTooLarge);
  EXPECT_EQ(ViolationOf(fragments), CloseCode::kTooLarge);
  EXPECT_EQ(ViolationOf(huge), CloseCode::kTooLarge);
  EXPECT_EQ(ViolationOf(SerializeFrame(Opcode::kText, Buffer(1024, 'a'))), CloseCode::kNoStatus);
}

TEST(WebSocketReaderTest, IsOverAfterACloseOrAViolation) {
  const Buffer close = Frame(0x88, {});
  const auto closed = ReadAll(WebSocketRole::kClient, Joined({close, kHello}));
  const auto violated = ReadAll(WebSocketRole::kClient, Joined({{0xFF, 0x00}, kHello}));

  ASSERT_EQ(closed.size(), 1U);
  EXPECT_EQ(closed[0].code, CloseCode::kNoStatus);
  ASSERT_EQ(violated.size(), 1U);
}

TEST(WebSocketTest, MasksWithFreshBytes) {
  test::FakeRandom random;

  const Buffer first = SerializeMaskedFrame(Opcode::kText, AsBytes("Hello"), random);
  const Buffer second = SerializeMaskedFrame(Opcode::kText, AsBytes("Hello"), random);

  EXPECT_EQ(first.size(), kMaskedHello.size());
  EXPECT_NE(first, second);
}

TEST(WebSocketTest, CutsACloseReasonToWhatFits) {
  EXPECT_EQ(ClosePayload(CloseCode::kNormal, std::string(200, 'a')).size(), kMaxControlPayload);
  EXPECT_EQ(ClosePayload(CloseCode::kPolicy, "no"), "\x03\xF0no");
  EXPECT_EQ(ClosePayload(CloseCode::kNoStatus, "no"), "");
}

}  // namespace
}  // namespace floe::signaling
