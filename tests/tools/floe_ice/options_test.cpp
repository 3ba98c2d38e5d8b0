#include "tests/tools/floe_ice/options.h"

#include <gtest/gtest.h>

namespace floe::tools {
namespace {

Result<Options, OptionsExit> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "floe-ice");
  return ParseOptions(static_cast<int>(arguments.size()), arguments.data());
}

TEST(FloeIceOptionsTest, ReadsEverythingTheDesignNames) {
  const auto options = Parse({"--role",       "controlling",
                              "--stun",       "198.51.100.10:3478",
                              "--stun",       "[2001:db8::10]:3478",
                              "--turn",       "turn:198.51.100.10:3478?transport=udp",
                              "--turn-user",  "u",
                              "--turn-pass",  "p",
                              "--turn",       "turns:[2001:db8::10]:5349?transport=tcp",
                              "--relay-only", "--no-tcp",
                              "--bind",       "192.0.2.5",
                              "--bind",       "2001:db8::5"});

  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->role, ice::Role::kControlling);
  ASSERT_EQ(options->stun.size(), 2U);
  EXPECT_EQ(options->stun[1], (config::HostPort{"2001:db8::10", 3478}));
  ASSERT_EQ(options->relays.size(), 2U);
  EXPECT_EQ(options->relays[1].url.transport, config::RelayTransport::kTls);
  EXPECT_EQ(options->relays[1].username, "u");
  EXPECT_EQ(options->relays[1].password.text(), "p");
  EXPECT_TRUE(options->relay_only);
  EXPECT_FALSE(options->tcp);
  EXPECT_EQ(options->bind.size(), 2U);
}

TEST(FloeIceOptionsTest, TakesAUserForEachRelay) {
  const auto options = Parse({"--role", "controlled", "--turn", "turn:a.example", "--turn-user",
                              "one", "--turn-pass", "1", "--turn", "turn:b.example", "--turn-user",
                              "two", "--turn-pass", "2"});

  ASSERT_TRUE(options) << options.error().text;
  ASSERT_EQ(options->relays.size(), 2U);
  EXPECT_EQ(options->relays[1].username, "two");
  EXPECT_EQ(options->relays[1].password.text(), "2");
}

TEST(FloeIceOptionsTest, ExitsWithTwoOnAMistake) {
  const std::vector<std::vector<const char*>> mistakes{
      {},
      {"--role", "both"},
      {"--role", "controlled", "--stun", "host:99999"},
      {"--role", "controlled", "--turn", "stun:198.51.100.10", "--turn-user", "u", "--turn-pass",
       "p"},
      {"--role", "controlled", "--turn", "turn:198.51.100.10"},
      {"--role", "controlled", "--turn-user", "u"},
      {"--role", "controlled", "--bind", "host.example"},
      {"--role", "controlled", "--bind"},
      {"--role", "controlled", "--frobnicate"},
      {"--role", "controlled", "stray"},
  };
  for (const auto& arguments : mistakes) {
    const auto options = Parse(arguments);
    ASSERT_FALSE(options) << ::testing::PrintToString(arguments);
    EXPECT_EQ(options.error().code, 2) << ::testing::PrintToString(arguments);
    EXPECT_FALSE(options.error().text.empty()) << ::testing::PrintToString(arguments);
  }
}

TEST(FloeIceOptionsTest, HelpIsNoMistake) {
  const auto options = Parse({"--help"});

  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().code, 0);
}

}  // namespace
}  // namespace floe::tools
