#include <gtest/gtest.h>
#include <sstream>

#include "app/floe/commands.h"
#include "base/key.h"

namespace floe::cli {
namespace {

using control::ExitCode;

class KeyCommandTest : public testing::Test {
 protected:
  ExitCode Pub(const std::string& input) {
    in_.clear();
    in_.str(input);
    return RunKeyPub({in_, out_, err_});
  }

  std::istringstream in_;
  std::ostringstream out_;
  std::ostringstream err_;
};

// RFC 7748 section 6.1, in base64.
constexpr const char* kAlicePrivate = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
constexpr const char* kAlicePublic = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";

TEST_F(KeyCommandTest, PubDerivesTheKeyOfRfc7748) {
  EXPECT_EQ(Pub(std::string(kAlicePrivate) + "\n"), ExitCode::kDone);
  EXPECT_EQ(out_.str(), std::string(kAlicePublic) + "\n");
}

TEST_F(KeyCommandTest, PubTakesNoLineFeedOrMore) {
  EXPECT_EQ(Pub(kAlicePrivate), ExitCode::kDone);
  EXPECT_EQ(Pub(std::string(kAlicePrivate) + " \r\n\n"), ExitCode::kDone);
}

TEST_F(KeyCommandTest, PubRefusesWhatIsNoKeyAndDoesNotRepeatIt) {
  const std::string key = kAlicePrivate;
  for (const std::string& input :
       {std::string(), std::string("\n"), key.substr(1), key + "A", key + "\n" + key, " " + key,
        std::string("aHVudGVyMg=="), key + std::string(5000, '\n')}) {
    out_.str("");
    err_.str("");
    EXPECT_EQ(Pub(input), ExitCode::kUsage) << '"' << input << '"';
    EXPECT_EQ(out_.str(), "");
    EXPECT_EQ(err_.str().find(key.substr(1, 20)), std::string::npos);
  }
}

TEST_F(KeyCommandTest, GenPrintsAKeyThatPubReads) {
  ASSERT_EQ(RunKeyGen({in_, out_, err_}), ExitCode::kDone);
  const std::string key = out_.str();
  EXPECT_EQ(key.size(), 45U);
  EXPECT_EQ(Pub(key), ExitCode::kDone);
}

TEST_F(KeyCommandTest, GenAndPskNeverPrintTheSameTwice) {
  ASSERT_EQ(RunKeyGen({in_, out_, err_}), ExitCode::kDone);
  ASSERT_EQ(RunKeyGen({in_, out_, err_}), ExitCode::kDone);
  ASSERT_EQ(RunKeyPsk({in_, out_, err_}), ExitCode::kDone);
  ASSERT_EQ(RunKeyPsk({in_, out_, err_}), ExitCode::kDone);
  const std::string all = out_.str();
  ASSERT_EQ(all.size(), 4 * 45U);
  EXPECT_NE(all.substr(0, 45), all.substr(45, 45));
  EXPECT_NE(all.substr(90, 45), all.substr(135, 45));
}

}  // namespace
}  // namespace floe::cli
