#include "app/control/reply.h"

#include <gtest/gtest.h>

#include "app/control/sample_status.h"

namespace floe::control {
namespace {

const PongReply kPong = {1, 12.1, "direct 203.0.113.7:41820 (srflx)", PathKind::kDirect};

TEST(ReplyTest, IsOneLineOfJson) {
  EXPECT_EQ(Serialize(OkReply{}), R"({"ok":true})");
  EXPECT_EQ(
      Serialize(kPong),
      R"-({"event":"pong","seq":1,"rtt_ms":12.1,"via":"direct 203.0.113.7:41820 (srflx)","kind":"direct"})-");
  EXPECT_EQ(Serialize(TimeoutReply{2}), R"({"event":"timeout","seq":2})");
  EXPECT_EQ(
      Serialize(SummaryReply{2, 1, 12.1, 12.1, 12.1}),
      R"({"event":"summary","sent":2,"received":1,"min_ms":12.1,"avg_ms":12.1,"max_ms":12.1,"done":true})");
  EXPECT_EQ(Serialize(ReloadReply{1, 0, 2, {"log.level"}}),
            R"({"ok":true,"reload":{"added":1,"removed":0,"changed":2,"settings":["log.level"]}})");
  EXPECT_EQ(Serialize(ErrorReply{"no such peer: x", ExitCode::kNo}),
            R"({"error":"no such peer: x","code":1,"done":true})");
}

TEST(ReplyTest, ComesBackAsItWas) {
  for (const Reply& reply :
       {Reply(OkReply{}), Reply(StatusReply{test::SampleStatus()}), Reply(kPong),
        Reply(PongReply{2, 31.2, "relay 192.0.2.1:50012 (turn/tls)", PathKind::kRelay}),
        Reply(TimeoutReply{3}), Reply(SummaryReply{3, 2, 1.0, 2.0, 3.0}), Reply(SummaryReply{3, 0}),
        Reply(ReloadReply{}), Reply(ReloadReply{1, 2, 3, {"log.level", "[[relay]]"}}),
        Reply(ErrorReply{"no such peer: x", ExitCode::kNo})}) {
    EXPECT_EQ(ParseReply(Serialize(reply)), reply) << Serialize(reply);
  }
}

TEST(ReplyTest, ReplacesWhatIsNoUtf8) {
  EXPECT_EQ(Serialize(ErrorReply{"no such peer: \xff", ExitCode::kNo}),
            "{\"error\":\"no such peer: \xef\xbf\xbd\",\"code\":1,\"done\":true}");
}

TEST(ReplyTest, OnlyPongsAndTimeoutsAreFollowed) {
  EXPECT_FALSE(IsLast(kPong));
  EXPECT_FALSE(IsLast(TimeoutReply{}));
  EXPECT_TRUE(IsLast(SummaryReply{}));
  EXPECT_TRUE(IsLast(OkReply{}));
  EXPECT_TRUE(IsLast(StatusReply{}));
  EXPECT_TRUE(IsLast(ErrorReply{}));
}

TEST(ReplyTest, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(ParseReply("floed 1.0"), Fail(ReplyError::kNotJson));
  EXPECT_EQ(ParseReply("[]"), Fail(ReplyError::kNotJson));
  EXPECT_EQ(ParseReply("{}"), Fail(ReplyError::kUnknown));
  EXPECT_EQ(ParseReply(R"({"event":"upgrade"})"), Fail(ReplyError::kUnknown));
}

TEST(ReplyTest, RefusesBadFields) {
  for (const char* line :
       {R"({"ok":false})", R"({"ok":true,"status":{}})", R"({"ok":true,"status":1})",
        R"({"ok":true,"reload":{"added":1}})", R"({"error":"x"})", R"({"error":"x","code":0})",
        R"({"error":"x","code":6})", R"({"event":"timeout"})",
        R"({"event":"pong","seq":1,"rtt_ms":1,"via":"x","kind":"none"})",
        R"({"event":"pong","seq":1,"via":"x","kind":"direct"})",
        R"({"event":"summary","sent":-1,"received":0})"}) {
    EXPECT_EQ(ParseReply(line), Fail(ReplyError::kBadField)) << line;
  }
}

}  // namespace
}  // namespace floe::control
