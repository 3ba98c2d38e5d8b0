#include "tests/tools/floe_ice/command.h"

#include <gtest/gtest.h>

namespace floe::tools {
namespace {

TEST(FloeIceCommandTest, ReadsEveryCommand) {
  EXPECT_EQ(std::get<RemoteUfrag>(*ParseCommand("ufrag abcd")).ufrag, "abcd");
  EXPECT_EQ(std::get<RemotePassword>(*ParseCommand("pwd secret+/1")).password, "secret+/1");
  EXPECT_EQ(
      std::get<RemoteCandidate>(*ParseCommand("candidate candidate:1 1 UDP 1 192.0.2.5 9 typ host"))
          .line,
      "candidate:1 1 UDP 1 192.0.2.5 9 typ host");
  EXPECT_TRUE(std::holds_alternative<RemoteEndOfCandidates>(*ParseCommand("end-of-candidates")));
  EXPECT_EQ(std::get<SendData>(*ParseCommand("send 00fFa1")).payload,
            (std::vector<std::uint8_t>{0x00, 0xFF, 0xA1}));
  EXPECT_TRUE(std::holds_alternative<Restart>(*ParseCommand("restart")));
  EXPECT_TRUE(std::holds_alternative<CloseSession>(*ParseCommand("  close \r")));
}

TEST(FloeIceCommandTest, SaysWhatIsWrong) {
  EXPECT_EQ(ParseCommand("").error(), CommandError::kUnknown);
  EXPECT_EQ(ParseCommand("open").error(), CommandError::kUnknown);
  EXPECT_EQ(ParseCommand("ufrag").error(), CommandError::kNoValue);
  EXPECT_EQ(ParseCommand("send ").error(), CommandError::kNoValue);
  EXPECT_EQ(ParseCommand("send 0").error(), CommandError::kNotHex);
  EXPECT_EQ(ParseCommand("send 0g").error(), CommandError::kNotHex);
  EXPECT_EQ(ParseCommand("send 00 11").error(), CommandError::kNotHex);
  EXPECT_EQ(ParseCommand("close now").error(), CommandError::kUnwanted);
}

TEST(FloeIceCommandTest, WritesHexThatItReads) {
  const std::vector<std::uint8_t> bytes{0x00, 0x7F, 0x80, 0xFF};

  EXPECT_EQ(ToHex(bytes), "007f80ff");
  EXPECT_EQ(std::get<SendData>(*ParseCommand("send " + ToHex(bytes))).payload, bytes);
}

}  // namespace
}  // namespace floe::tools
