#include "ice/mdns/message.h"

#include <gtest/gtest.h>
#include <string>

namespace floe::ice::mdns {
namespace {

using std::string_literals::operator""s;

constexpr std::string_view kName = "1f92f1d9-0b8a-4c33-a0b5-3d2c4e5f6a7b.local";

std::string Label(std::string_view text) {
  return static_cast<char>(text.size()) + std::string(text);
}

const std::string kWireName = Label(kName.substr(0, kName.find('.'))) + Label("local") + "\0"s;

std::string Header(std::uint8_t id, std::string_view flags, std::uint8_t questions,
                   std::uint8_t answers) {
  return "\0"s + static_cast<char>(id) + std::string(flags) + "\0"s + static_cast<char>(questions) +
         "\0"s + static_cast<char>(answers) + "\0\0\0\0"s;
}

std::string Record(std::string_view name, std::uint8_t type, std::string_view data,
                   std::string_view record_class = "\x80\x01") {
  return std::string(name) + "\0"s + static_cast<char>(type) + std::string(record_class) +
         "\0\0\0\x78"s + "\0"s + static_cast<char>(data.size()) + std::string(data);
}

const std::string kAnswerFlags = "\x84\0"s;
const std::string kAnswer =
    Header(7, kAnswerFlags, 0, 1) + Record(kWireName, 1, "\xC0\x00\x02\x05"s);

std::optional<IpAddress> Parse(const std::string& message) {
  return ParseAnswer(AsBytes(message), kName, 7);
}

TEST(MdnsMessageTest, AsksForBothKindsOfAddress) {
  const auto query = MakeQuery(kName, 0x1234);

  EXPECT_EQ(AsText(query), "\x12\x34\0\0\0\x02\0\0\0\0\0\0"s + kWireName + "\0\x01\0\x01"s +
                               "\xC0\x0C\0\x1C\0\x01"s);
  EXPECT_FALSE(ParseAnswer(query, kName, 0x1234)) << "a query is no answer";
}

TEST(MdnsMessageTest, ReadsTheAddressOfTheName) {
  EXPECT_EQ(Parse(kAnswer), ParseIpAddress("192.0.2.5"));
  EXPECT_EQ(Parse(Header(0, kAnswerFlags, 0, 1) + kAnswer.substr(12)), ParseIpAddress("192.0.2.5"))
      << "to everybody";
  EXPECT_EQ(Parse(Header(7, kAnswerFlags, 0, 1) +
                  Record(kWireName, 28, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05"s)),
            ParseIpAddress("2001:db8::5"));
}

TEST(MdnsMessageTest, ReadsPastTheQuestionAndOtherRecords) {
  const std::string question = kWireName + "\0\x01\0\x01"s;
  const std::string other = Record(Label("other") + "\xC0\x0C"s, 1, "\xC0\x00\x02\x09"s);
  const std::string text = Record("\xC0\x0C"s, 16, "hello");

  EXPECT_EQ(Parse(Header(7, kAnswerFlags, 1, 3) + question + other + text +
                  Record("\xC0\x0C"s, 1, "\xC0\x00\x02\x05"s)),
            ParseIpAddress("192.0.2.5"));
}

TEST(MdnsMessageTest, NamesDifferNotByCase) {
  std::string upper = kAnswer;
  for (char& c : upper) {
    c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
  }

  EXPECT_EQ(Parse(upper), ParseIpAddress("192.0.2.5"));
}

TEST(MdnsMessageTest, RefusesWhatIsNoAnswerToTheQuestion) {
  EXPECT_FALSE(Parse(Header(8, kAnswerFlags, 0, 1) + kAnswer.substr(12))) << "another id";
  EXPECT_FALSE(Parse(Header(7, "\x04\0"s, 0, 1) + kAnswer.substr(12))) << "no response";
  EXPECT_FALSE(Parse(Header(7, "\x84\x03"s, 0, 1) + kAnswer.substr(12))) << "an error";
  EXPECT_FALSE(ParseAnswer(AsBytes(kAnswer), "other.local", 7)) << "another name";
  EXPECT_FALSE(Parse(Header(7, kAnswerFlags, 0, 1) + Record(kWireName, 1, "\xC0\x00\x02"s)));
  EXPECT_FALSE(
      Parse(Header(7, kAnswerFlags, 0, 1) + Record(kWireName, 1, "\xC0\x00\x02\x05"s, "\0\x03"s)))
      << "another class";
  EXPECT_FALSE(Parse(Header(7, kAnswerFlags, 0, 200) + kAnswer.substr(12))) << "too many";
}

TEST(MdnsMessageTest, RefusesEveryTruncation) {
  for (std::size_t size = 0; size < kAnswer.size(); ++size) {
    EXPECT_FALSE(Parse(kAnswer.substr(0, size))) << size;
  }
}

TEST(MdnsMessageTest, RefusesPointersThatDoNotLeadBack) {
  const std::string data = "\xC0\x00\x02\x05"s;
  EXPECT_FALSE(Parse(Header(7, kAnswerFlags, 0, 1) + Record("\xC0\x0C"s, 1, data))) << "to itself";
  EXPECT_FALSE(Parse(Header(7, kAnswerFlags, 0, 1) + Record("\xC0\x0E"s, 1, data))) << "forward";
  EXPECT_FALSE(Parse(Header(7, kAnswerFlags, 0, 1) + Record(Label("a") + "\xC0\x0C"s, 1, data)))
      << "round";
}

TEST(MdnsMessageTest, KnowsLocalNames) {
  EXPECT_TRUE(IsLocalName(kName));
  EXPECT_TRUE(IsLocalName("a.b.LOCAL"));
  for (const std::string& name :
       {"local"s, ".local"s, "a..local"s, "host.example"s, "a b.local"s, "a\0.local"s,
        std::string(64, 'a') + ".local", "a."s + std::string(250, 'a') + ".local"}) {
    EXPECT_FALSE(IsLocalName(name)) << name;
  }
}

}  // namespace
}  // namespace floe::ice::mdns
