#include "signaling/message.h"

#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

namespace floe::signaling {
namespace {

constexpr std::string_view kPassword = "0123456789abcdefghij+/";  // 22 characters, the fewest.

Message SampleOffer() {
  return {.kind = MessageKind::kOffer,
          .session = 1'732'354'997'000,
          .generation = 0,
          .seq = 3,
          .ufrag = "aB3+",
          .password = WipedText(kPassword),
          .options = {"trickle", "ice2"},
          .candidates = {"candidate:1 1 UDP 2130706431 192.0.2.5 41820 typ host"}};
}

/// A message with everything but what `changed` replaces, as in `"session":0`.
std::string WithField(std::string_view kind, std::string_view changed) {
  std::string text = R"({"kind":")" + std::string(kind) +
                     R"(","session":7,"generation":0,"seq":1,"ufrag":"abcd","pwd":")" +
                     std::string(kPassword) + R"(","candidates":["c"],)";
  return text + std::string(changed) + "}";  // Of two equal keys the last counts.
}

MessageError ErrorOf(std::string_view text) {
  const auto message = ParseMessage(text);
  EXPECT_FALSE(message) << text;
  return message ? MessageError::kTooLong : message.error();
}

TEST(SignalingMessageTest, WritesTheFormOfTheHeader) {
  EXPECT_EQ(Serialize(SampleOffer()),
            R"({"candidates":["candidate:1 1 UDP 2130706431 192.0.2.5 41820 typ host"],)"
            R"("generation":0,"kind":"offer","options":["trickle","ice2"],)"
            R"("pwd":"0123456789abcdefghij+/","seq":3,"session":1732354997000,"ufrag":"aB3+"})");
}

TEST(SignalingMessageTest, ReadsBackEveryKind) {
  Message restart = SampleOffer();
  restart.generation = 4'294'967'295;
  Message answer = SampleOffer();
  answer.kind = MessageKind::kAnswer;
  answer.options.clear();
  const Message candidate = {.kind = MessageKind::kCandidate,
                             .session = kMaxSession,
                             .generation = 2,
                             .seq = 9,
                             .candidates = {"candidate:1 \"\\", "~ !"}};
  const Message end = {.kind = MessageKind::kEndOfCandidates, .session = 1, .seq = 1};
  const Message stale = {.kind = MessageKind::kStale, .session = 12};

  for (const Message& message : {SampleOffer(), restart, answer, candidate, end, stale}) {
    const std::string text = Serialize(message);
    const auto read = ParseMessage(text);
    ASSERT_TRUE(read) << text << ": " << ToString(read.error());
    EXPECT_EQ(*read, message) << text;
  }
}

TEST(SignalingMessageTest, CallsAnOfferOfALaterGenerationARestart) {
  Message restart = SampleOffer();
  restart.generation = 1;

  EXPECT_NE(Serialize(restart).find(R"("kind":"restart")"), std::string::npos);
  EXPECT_EQ(ErrorOf(WithField("restart", R"("generation":0)")), MessageError::kNumber);
  EXPECT_EQ(ErrorOf(WithField("offer", R"("generation":1)")), MessageError::kNumber);
}

TEST(SignalingMessageTest, IgnoresUnknownKeys) {
  const auto message = ParseMessage(WithField("offer", R"("later":{"a":[1,null]},"x":-1.5)"));

  ASSERT_TRUE(message);
  EXPECT_EQ(message->session, 7U);
  EXPECT_EQ(message->ufrag, "abcd");
}

TEST(SignalingMessageTest, RefusesWhatIsNoObject) {
  for (const char* text : {"", "null", "7", "\"offer\"", "[]", "{", "{}}", "{'kind':1}", "\xff"}) {
    EXPECT_EQ(ErrorOf(text), MessageError::kSyntax) << text;
  }
}

TEST(SignalingMessageTest, RefusesUnknownKinds) {
  EXPECT_EQ(ErrorOf("{}"), MessageError::kKind);
  for (const char* kind : {R"("kind":"bye")", R"("kind":"")", R"("kind":"Offer")", R"("kind":1)",
                           R"("kind":null)", R"("kind":["offer"])"}) {
    EXPECT_EQ(ErrorOf(WithField("offer", kind)), MessageError::kKind) << kind;
  }
}

TEST(SignalingMessageTest, RefusesNumbersOutOfRange) {
  EXPECT_EQ(ErrorOf(R"({"kind":"stale"})"), MessageError::kNumber);
  for (const char* number :
       {R"("session":0)", R"("session":-1)", R"("session":9007199254740992)", R"("session":1.5)",
        R"("session":"7")", R"("session":99999999999999999999)", R"("session":null)",
        R"("generation":-1)", R"("generation":4294967296)", R"("generation":true)", R"("seq":-1)",
        R"("seq":4294967296)", R"("seq":[])"}) {
    EXPECT_EQ(ErrorOf(WithField("answer", number)), MessageError::kNumber) << number;
  }
}

TEST(SignalingMessageTest, HoldsCredentialsToRfc8839) {
  const auto ufrag = [](const std::string& value) { return R"("ufrag":")" + value + '"'; };
  const auto password = [](const std::string& value) { return R"("pwd":")" + value + '"'; };

  for (const std::string& good :
       {ufrag("abcd"), ufrag(std::string(256, '/')), password(std::string(22, '+')),
        password(std::string(256, 'Z'))}) {
    EXPECT_TRUE(ParseMessage(WithField("offer", good))) << good;
  }
  for (const std::string& bad :
       {ufrag(""), ufrag("abc"), ufrag(std::string(257, 'a')), ufrag("ab-d"), ufrag("ab d"),
        ufrag("ab\\u0000d"), password(std::string(21, 'a')), password(std::string(257, 'a')),
        password(std::string(22, '=')), std::string(R"("ufrag":7)"),
        std::string(R"("pwd":null)")}) {
    EXPECT_EQ(ErrorOf(WithField("offer", bad)), MessageError::kCredentials) << bad;
    EXPECT_EQ(ErrorOf(WithField("candidate", bad)), MessageError::kCredentials) << bad;
  }
  for (const char* kind : {"offer", "answer"}) {
    const std::string bare =
        R"({"kind":")" + std::string(kind) + R"(","session":1,"generation":0,"seq":0})";
    EXPECT_EQ(ErrorOf(bare), MessageError::kCredentials);
  }
}

TEST(SignalingMessageTest, HoldsListsToTheirLimits) {
  const auto list = [](std::size_t count, const std::string& item) {
    std::string text = "[";
    for (std::size_t i = 0; i < count; ++i) {
      text += (i == 0 ? "\"" : ",\"") + item + '"';
    }
    return text + "]";
  };
  const auto options = [](const std::string& value) { return R"("options":)" + value; };
  const auto candidates = [](const std::string& value) { return R"("candidates":)" + value; };

  for (const std::string& good :
       {options("[]"), options(list(16, "x")), options(list(1, std::string(64, 'x'))),
        candidates(list(64, "x")), candidates(list(1, std::string(512, 'x')))}) {
    EXPECT_TRUE(ParseMessage(WithField("candidate", good))) << good;
  }
  for (const std::string& bad :
       {options(list(17, "x")), options(list(1, std::string(65, 'x'))), options(list(1, "")),
        options(list(1, "a b")), options("[1]"), options("{}"), options("\"trickle\"")}) {
    EXPECT_EQ(ErrorOf(WithField("candidate", bad)), MessageError::kOptions) << bad;
  }
  for (const std::string& bad :
       {candidates(list(65, "x")), candidates(list(1, std::string(513, 'x'))),
        candidates(list(1, "")), candidates(list(1, "a\\r\\nb")), candidates(list(1, "\\u00e9")),
        candidates("[[]]"), candidates("null"), candidates("[]")}) {
    EXPECT_EQ(ErrorOf(WithField("candidate", bad)), MessageError::kCandidates) << bad;
  }
}

TEST(SignalingMessageTest, RefusesMoreThanItsSizeUnread) {
  std::string text = Serialize(SampleOffer());
  text.append(kMaxMessageSize - text.size(), ' ');
  EXPECT_TRUE(ParseMessage(text));

  text.push_back(' ');
  EXPECT_EQ(ErrorOf(text), MessageError::kTooLong);
  EXPECT_EQ(ErrorOf(std::string(kMaxMessageSize, '[')), MessageError::kSyntax);
}

TEST(SignalingMessageTest, RefusesEveryTruncation) {
  const std::string text = Serialize(SampleOffer());

  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(ErrorOf(std::string_view(text).substr(0, size)), MessageError::kSyntax);
  }
}

}  // namespace
}  // namespace floe::signaling
