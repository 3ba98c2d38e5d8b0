#include "signaling/protocol.h"

#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

namespace floe::signaling {
namespace {

PublicKey KeyOf(std::uint8_t fill) {
  PublicKey key;
  key.bytes.fill(fill);
  return key;
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from << " in " << text;
  return text.replace(at, from.size(), to);
}

template <typename Frame>
Frame FromServer(const std::string& text) {
  auto frame = ParseServerFrame(text);
  EXPECT_TRUE(frame.has_value()) << text;
  return std::get<Frame>(std::move(frame.value()));
}

template <typename Frame>
Frame FromClient(const std::string& text) {
  auto frame = ParseClientFrame(text);
  EXPECT_TRUE(frame.has_value()) << text;
  return std::get<Frame>(std::move(frame.value()));
}

Welcome SomeWelcome() {
  Welcome welcome{.you = {IpAddress::V4(203, 0, 113, 7), 4711},
                  .stun = {"stun:198.51.100.10:3478"},
                  .ping = std::chrono::seconds(30)};
  welcome.turn.push_back({{"turn:198.51.100.10:3478?transport=udp"},
                          "1700000000:a",
                          SecretString("secret"),
                          std::chrono::seconds(3600)});
  return welcome;
}

TEST(ProtocolTest, WritesTheFramesOfTheReadme) {
  const std::string key = ToString(KeyOf(1));

  EXPECT_EQ(Serialize(SendRequest{KeyOf(1), 7, "Zm9v"}),
            R"({"box":"Zm9v","id":7,"t":"send","to":")" + key + "\"}");
  EXPECT_EQ(Serialize(SendAnswer{7, Delivery::kOffline}),
            R"({"id":7,"result":"offline","t":"answer"})");
  EXPECT_EQ(Serialize(ReceivedBox{KeyOf(1), "Zm9v"}),
            R"({"box":"Zm9v","from":")" + key + R"(","t":"recv"})");
  EXPECT_EQ(Serialize(Refusal{"no"}), R"({"reason":"no","t":"error"})");
}

TEST(ProtocolTest, ReadsBackWhatItWrites) {
  Challenge challenge{.key = KeyOf(2)};
  challenge.nonce.fill(3);
  challenge.bound = true;
  const auto challenge_back = FromServer<Challenge>(Serialize(challenge));
  EXPECT_EQ(challenge_back.key, challenge.key);
  EXPECT_EQ(challenge_back.nonce, challenge.nonce);
  EXPECT_TRUE(challenge_back.bound);

  Hello hello{.key = KeyOf(4)};
  hello.proof.fill(5);
  const auto hello_back = FromClient<Hello>(Serialize(hello));
  EXPECT_EQ(hello_back.key, hello.key);
  EXPECT_EQ(hello_back.proof, hello.proof);

  const auto send = FromClient<SendRequest>(Serialize(SendRequest{KeyOf(6), UINT64_MAX, "Zm8="}));
  EXPECT_EQ(send.to, KeyOf(6));
  EXPECT_EQ(send.id, UINT64_MAX);
  EXPECT_EQ(send.box, "Zm8=");

  for (const Delivery delivery : {Delivery::kDelivered, Delivery::kOffline, Delivery::kLimited}) {
    EXPECT_EQ(FromServer<SendAnswer>(Serialize(SendAnswer{1, delivery})).result, delivery);
  }
  EXPECT_EQ(FromServer<ReceivedBox>(Serialize(ReceivedBox{KeyOf(7), "Zm9v"})).from, KeyOf(7));
  EXPECT_EQ(FromServer<Refusal>(Serialize(Refusal{"no"})).reason, "no");
}

TEST(ProtocolTest, ReadsBackAWelcome) {
  const auto welcome = FromServer<Welcome>(Serialize(SomeWelcome()));

  EXPECT_EQ(ToString(welcome.you), "203.0.113.7:4711");
  EXPECT_EQ(welcome.stun, std::vector<std::string>{"stun:198.51.100.10:3478"});
  EXPECT_EQ(welcome.ping, std::chrono::seconds(30));
  ASSERT_EQ(welcome.turn.size(), 1U);
  EXPECT_EQ(welcome.turn[0].urls.size(), 1U);
  EXPECT_EQ(welcome.turn[0].username, "1700000000:a");
  EXPECT_EQ(welcome.turn[0].password.text(), "secret");
  EXPECT_EQ(welcome.turn[0].ttl, std::chrono::hours(1));
}

TEST(ProtocolTest, SkipsMembersItDoesNotKnow) {
  EXPECT_EQ(FromServer<Refusal>(R"({"t":"error","reason":"no","more":[{"a":1}]})").reason, "no");
}

TEST(ProtocolTest, TellsUnknownFramesFromBadOnes) {
  EXPECT_EQ(ParseServerFrame(R"({"t":"later"})").error(), ProtocolError::kUnknownType);
  EXPECT_EQ(ParseClientFrame(R"({"t":"later"})").error(), ProtocolError::kUnknownType);
  EXPECT_EQ(ParseClientFrame(R"({"t":"welcome"})").error(), ProtocolError::kUnknownType);
  EXPECT_EQ(ParseServerFrame(R"({"t":"hello"})").error(), ProtocolError::kUnknownType);
  EXPECT_EQ(ParseServerFrame(R"({"t":1})").error(), ProtocolError::kBadMember);
  EXPECT_EQ(ParseServerFrame(R"({})").error(), ProtocolError::kBadMember);
}

TEST(ProtocolTest, RefusesWhatIsNotAnObject) {
  for (const char* text : {"", "null", "1", "\"t\"", "[]", "{", "{\"t\":\"error\"", "{} {}",
                           "{\"t\":\"error\",}", "nan", "{\"t\":\"\xFF\"}"}) {
    EXPECT_EQ(ParseServerFrame(text).error(), ProtocolError::kNotJson) << text;
    EXPECT_EQ(ParseClientFrame(text).error(), ProtocolError::kNotJson) << text;
  }
}

TEST(ProtocolTest, SurvivesDeepNesting) {
  const std::string deep = std::string(kMaxBoxSize, '[');

  EXPECT_EQ(ParseClientFrame(deep).error(), ProtocolError::kNotJson);
  EXPECT_EQ(ParseClientFrame(deep + std::string(kMaxBoxSize, ']')).error(),
            ProtocolError::kNotJson);
}

TEST(ProtocolTest, RefusesEveryTruncation) {
  const std::string welcome = Serialize(SomeWelcome());
  for (std::size_t size = 0; size < welcome.size(); ++size) {
    ASSERT_FALSE(ParseServerFrame(welcome.substr(0, size)).has_value()) << size;
  }
}

TEST(ProtocolTest, RefusesBadMembersOfAClientsFrames) {
  const std::string send = Serialize(SendRequest{KeyOf(1), 7, "Zm9v"});
  const std::string hello = Serialize(Hello{KeyOf(1), {}});
  const std::string bad[] = {
      Replaced(send, "\"id\":7", "\"id\":-7"),
      Replaced(send, "\"id\":7", "\"id\":7.5"),
      Replaced(send, "\"id\":7", "\"id\":\"7\""),
      Replaced(send, "\"id\":7", "\"id\":18446744073709551616"),
      Replaced(send, "\"id\"", "\"ix\""),
      Replaced(send, "\"to\"", "\"tx\""),
      Replaced(send, "=\"", "\""),
      Replaced(send, "Zm9v", ""),
      Replaced(send, "Zm9v", "Zm9"),
      Replaced(send, "Zm9v", "Zm9!"),
      Replaced(send, "\"Zm9v\"", "7"),
      Replaced(send, "Zm9v", std::string(kMaxBoxSize + 4, 'a')),
      Replaced(hello, "\"proof\"", "\"prof\""),
      Replaced(hello, "\"proof\":\"AAAA", "\"proof\":\""),
      Replaced(hello, "\"proof\":\"AAAA", "\"proof\":\"AAAAAAAA"),
  };
  for (const std::string& text : bad) {
    const auto frame = ParseClientFrame(text);
    ASSERT_FALSE(frame.has_value()) << text;
    EXPECT_EQ(frame.error(), ProtocolError::kBadMember) << text;
  }
}

TEST(ProtocolTest, RefusesBadMembersOfAServersFrames) {
  const std::string welcome = Serialize(SomeWelcome());
  const std::string bad[] = {
      Replaced(welcome, "203.0.113.7:4711", "203.0.113.7"),
      Replaced(welcome, "\"ping\":30", "\"ping\":0"),
      Replaced(welcome, "\"ping\":30", "\"ping\":99999"),
      Replaced(welcome, "[\"stun:198.51.100.10:3478\"]", "7"),
      Replaced(welcome, "[\"stun:198.51.100.10:3478\"]", "[7]"),
      Replaced(welcome, "stun:198", "stun:\\n198"),
      Replaced(welcome, "\"ttl\":3600", "\"ttl\":-1"),
      Replaced(welcome, "\"ttl\":3600", "\"ttl\":1e300"),
      Replaced(welcome, "\"secret\"", "null"),
      Replaced(welcome, "\"turn\":[", "\"turn\":[7,"),
      R"({"t":"answer","id":1,"result":"lost"})",
      R"({"t":"error","reason":7})",
      R"({"t":"error","reason":")" + std::string(kMaxReasonSize + 1, 'a') + "\"}",
  };
  for (const std::string& text : bad) {
    const auto frame = ParseServerFrame(text);
    ASSERT_FALSE(frame.has_value()) << text;
    EXPECT_EQ(frame.error(), ProtocolError::kBadMember) << text;
  }
}

TEST(ProtocolTest, ALargestBoxFitsIntoAFrame) {
  const std::string box(kMaxBoxSize, 'a');

  EXPECT_LE(Serialize(SendRequest{KeyOf(255), UINT64_MAX, box}).size(), 8U * 1024);
  EXPECT_TRUE(IsBox(box));
}

TEST(ProtocolTest, KnowsABoxByItsCharacters) {
  for (const char* text : {"AAAA", "AA==", "AAA=", "+/09"}) {
    EXPECT_TRUE(IsBox(text)) << text;
  }
  for (const char* text : {"", "A", "AAAAA", "====", "A===", "AA=A", "AA== ", "AAA\n", "AA-_"}) {
    EXPECT_FALSE(IsBox(text)) << text;
  }
}

}  // namespace
}  // namespace floe::signaling
