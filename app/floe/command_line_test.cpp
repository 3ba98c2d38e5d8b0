#include "app/floe/command_line.h"

#include <chrono>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <initializer_list>
#include <vector>

namespace floe::cli {
namespace {

using control::ExitCode;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

Result<CommandLine, EarlyExit> Parse(std::initializer_list<const char*> arguments) {
  std::vector<const char*> all = {"floe"};
  all.insert(all.end(), arguments);
  return ParseCommandLine(static_cast<int>(all.size()), all.data());
}

CommandLine Accept(std::initializer_list<const char*> arguments) {
  auto line = Parse(arguments);
  EXPECT_TRUE(line.has_value()) << line.error().err;
  return line ? *line : CommandLine{};
}

void ExpectUsageError(std::initializer_list<const char*> arguments) {
  const auto line = Parse(arguments);
  ASSERT_FALSE(line.has_value());
  EXPECT_EQ(line.error().code, ExitCode::kUsage);
  EXPECT_EQ(line.error().out, "");
  EXPECT_THAT(line.error().err, HasSubstr("--help"));
}

TEST(CommandLineTest, WithoutAVerbIsStatus) {
  const CommandLine line = Accept({});
  EXPECT_EQ(line.verb, Verb::kStatus);
  EXPECT_EQ(line.output, Output::kText);
  EXPECT_EQ(line.socket, "/run/floe/floe.sock");
}

TEST(CommandLineTest, KnowsEveryVerbAndAlias) {
  EXPECT_EQ(Accept({"key", "gen"}).verb, Verb::kKeyGen);
  EXPECT_EQ(Accept({"key", "pub"}).verb, Verb::kKeyPub);
  EXPECT_EQ(Accept({"key", "psk"}).verb, Verb::kKeyPsk);
  EXPECT_EQ(Accept({"genkey"}).verb, Verb::kKeyGen);
  EXPECT_EQ(Accept({"pubkey"}).verb, Verb::kKeyPub);
  EXPECT_EQ(Accept({"genpsk"}).verb, Verb::kKeyPsk);
  EXPECT_EQ(Accept({"config", "check"}).verb, Verb::kConfigCheck);
  EXPECT_EQ(Accept({"config", "show"}).verb, Verb::kConfigShow);
  EXPECT_EQ(Accept({"config", "reload"}).verb, Verb::kConfigReload);
  EXPECT_EQ(Accept({"import", "wg", "wg0.conf"}).verb, Verb::kImportWg);
  EXPECT_EQ(Accept({"status"}).verb, Verb::kStatus);
  EXPECT_EQ(Accept({"ping", "b"}).verb, Verb::kPing);
  EXPECT_EQ(Accept({"wait"}).verb, Verb::kWait);
  EXPECT_EQ(Accept({"up"}).verb, Verb::kUp);
  EXPECT_EQ(Accept({"down"}).verb, Verb::kDown);
  EXPECT_EQ(Accept({"version"}).verb, Verb::kVersion);
}

TEST(CommandLineTest, TakesTheSocketOnEitherSideOfTheVerb) {
  EXPECT_EQ(Accept({"--socket", "/a", "status"}).socket, "/a");
  EXPECT_EQ(Accept({"status", "--socket", "/a"}).socket, "/a");
  EXPECT_EQ(Accept({"ping", "--socket=/a", "b"}).socket, "/a");
  EXPECT_EQ(Accept({"--socket", "/a"}).socket, "/a");
}

TEST(CommandLineTest, TakesTheSocketFromTheEnvironmentUnlessTold) {
  ASSERT_EQ(setenv("FLOE_SOCKET", "/env", 1), 0);
  EXPECT_EQ(Accept({"status"}).socket, "/env");
  EXPECT_EQ(Accept({"status", "--socket", "/a"}).socket, "/a");
  ASSERT_EQ(unsetenv("FLOE_SOCKET"), 0);
  EXPECT_EQ(Accept({"status"}).socket, "/run/floe/floe.sock");
}

TEST(CommandLineTest, ReadsStatus) {
  const CommandLine line = Accept({"status", "b", "c", "-d", "--json", "--watch"});
  EXPECT_THAT(line.peers, ElementsAre("b", "c"));
  EXPECT_TRUE(line.detail);
  EXPECT_EQ(line.output, Output::kJson);
  EXPECT_TRUE(line.watch);
  EXPECT_FALSE(line.check.has_value());
  EXPECT_EQ(Accept({"status", "--check", "live"}).check, Check::kLive);
  EXPECT_EQ(Accept({"status", "--check", "ready"}).check, Check::kReady);
  EXPECT_EQ(Accept({"status", "b", "--check=direct"}).check, Check::kDirect);
}

TEST(CommandLineTest, APeerMayBeCalledLikeAVerb) {
  EXPECT_THAT(Accept({"status", "up", "status"}).peers, ElementsAre("up", "status"));
  EXPECT_THAT(Accept({"ping", "wait"}).peers, ElementsAre("wait"));
}

TEST(CommandLineTest, PingHasDefaults) {
  const CommandLine line = Accept({"ping", "b"});
  EXPECT_THAT(line.peers, ElementsAre("b"));
  EXPECT_EQ(line.count, 10U);
  EXPECT_EQ(line.interval, seconds(1));
  EXPECT_EQ(line.timeout, seconds(15));
  EXPECT_FALSE(line.timeout_given);
  EXPECT_FALSE(line.until_direct);
}

TEST(CommandLineTest, ReadsPing) {
  const CommandLine line = Accept(
      {"ping", "b", "-c", "3", "-i", "200ms", "--timeout", "1m", "--until-direct", "--json"});
  EXPECT_EQ(line.count, 3U);
  EXPECT_EQ(line.interval, milliseconds(200));
  EXPECT_EQ(line.timeout, minutes(1));
  EXPECT_TRUE(line.timeout_given);
  EXPECT_TRUE(line.until_direct);
  EXPECT_EQ(line.output, Output::kJson);
}

TEST(CommandLineTest, PingUntilDirectFillsTheTimeGiven) {
  EXPECT_EQ(Accept({"ping", "b", "--until-direct", "--timeout", "30"}).count, 0U);
  EXPECT_EQ(Accept({"ping", "b", "--until-direct"}).count, 10U);
  EXPECT_EQ(Accept({"ping", "b", "--timeout", "30"}).count, 10U);
}

TEST(CommandLineTest, ReadsWait) {
  EXPECT_EQ(Accept({"wait"}).awaited, Awaited::kUp);
  EXPECT_EQ(Accept({"wait"}).timeout, seconds(60));
  const CommandLine peer = Accept({"wait", "--for", "peer=b", "--timeout", "5"});
  EXPECT_EQ(peer.awaited, Awaited::kPeer);
  EXPECT_EQ(peer.awaited_peer, "b");
  EXPECT_EQ(peer.timeout, seconds(5));
  const CommandLine direct = Accept({"wait", "--for=direct=b"});
  EXPECT_EQ(direct.awaited, Awaited::kDirect);
  EXPECT_EQ(direct.awaited_peer, "b");
}

TEST(CommandLineTest, ReadsTheOthers) {
  EXPECT_THAT(Accept({"up", "b", "c"}).peers, ElementsAre("b", "c"));
  EXPECT_THAT(Accept({"down"}).peers, ElementsAre());
  EXPECT_EQ(Accept({"config", "check", "/a"}).file, "/a");
  EXPECT_EQ(Accept({"config", "check"}).file, "/etc/floe/floe.toml");
  EXPECT_EQ(Accept({"config", "show", "--effective", "/a"}).file, "/a");
  EXPECT_EQ(Accept({"config", "show"}).file, "/etc/floe/floe.toml");
  EXPECT_FALSE(Accept({"config", "show"}).effective);
  EXPECT_TRUE(Accept({"config", "show", "--effective"}).effective);
  EXPECT_EQ(Accept({"version", "--json"}).output, Output::kJson);
}

TEST(CommandLineTest, RefusesWhatIsNoCommand) {
  ExpectUsageError({"fly"});
  ExpectUsageError({"key"});
  ExpectUsageError({"config"});
  ExpectUsageError({"--json"});
  ExpectUsageError({"key", "gen", "--json"});
  ExpectUsageError({"key", "gen", "more"});
  ExpectUsageError({"status", "--check", "odd"});
  ExpectUsageError({"status", "--check", "live", "--watch"});
  ExpectUsageError({"--socket"});
}

TEST(CommandLineTest, RefusesVerbsThatDoNotExist) {
  for (const char* verb : {"why", "netcheck", "pair", "join"}) {
    ExpectUsageError({verb});
  }
}

TEST(CommandLineTest, RefusesBadPings) {
  ExpectUsageError({"ping"});
  ExpectUsageError({"ping", "b", "c"});
  ExpectUsageError({"ping", "b", "-c", "0"});
  ExpectUsageError({"ping", "b", "-c", "-1"});
  ExpectUsageError({"ping", "b", "-c", "x"});
  ExpectUsageError({"ping", "b", "-i", "1ms"});
  ExpectUsageError({"ping", "b", "-i", "fast"});
  ExpectUsageError({"ping", "b", "--timeout", "5 minutes"});
}

TEST(CommandLineTest, RefusesBadWaits) {
  for (const char* what : {"down", "peer", "peer=", "direct=", "=b", "relay=b", ""}) {
    ExpectUsageError({"wait", "--for", what});
  }
  ExpectUsageError({"wait", "b"});
}

TEST(CommandLineTest, HelpIsNoError) {
  const auto line = Parse({"--help"});
  ASSERT_FALSE(line.has_value());
  EXPECT_EQ(line.error().code, ExitCode::kDone);
  EXPECT_THAT(line.error().out, HasSubstr("status"));
  EXPECT_THAT(line.error().out, HasSubstr("Exit codes: 0"));
  EXPECT_EQ(line.error().err, "");
}

}  // namespace
}  // namespace floe::cli
