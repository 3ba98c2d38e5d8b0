#include "app/control/request.h"

#include <gtest/gtest.h>

namespace floe::control {
namespace {

using std::chrono::milliseconds;

const PingRequest kPing = {"b", 3, milliseconds(200), milliseconds(5000), true};

TEST(RequestTest, IsOneLineOfJson) {
  EXPECT_EQ(Serialize(StatusRequest{}), R"({"verb":"status"})");
  EXPECT_EQ(
      Serialize(kPing),
      R"({"verb":"ping","peer":"b","count":3,"interval_ms":200,"timeout_ms":5000,"until_direct":true})");
  EXPECT_EQ(Serialize(UpRequest{{"b", "c"}}), R"({"verb":"up","peers":["b","c"]})");
  EXPECT_EQ(Serialize(DownRequest{}), R"({"verb":"down","peers":[]})");
  EXPECT_EQ(Serialize(ReloadRequest{}), R"({"verb":"reload"})");
}

TEST(RequestTest, ComesBackAsItWas) {
  for (const Request& request :
       {Request(StatusRequest{}), Request(kPing), Request(UpRequest{{"b"}}), Request(UpRequest{}),
        Request(DownRequest{{"b", "c"}}), Request(ReloadRequest{})}) {
    EXPECT_EQ(ParseRequest(Serialize(request)), request) << Serialize(request);
  }
}

TEST(RequestTest, HasDefaults) {
  EXPECT_EQ(ParseRequest(R"({"verb":"ping","peer":"b"})"), Request(PingRequest{.peer = "b"}));
  EXPECT_EQ(ParseRequest(R"({"verb":"up"})"), Request(UpRequest{}));
}

TEST(RequestTest, SkipsFieldsItDoesNotKnow) {
  EXPECT_EQ(ParseRequest(R"({"verb":"status","later":{}})"), Request(StatusRequest{}));
}

TEST(RequestTest, RefusesEveryTruncation) {
  const std::string whole = Serialize(kPing);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(ParseRequest(whole.substr(0, size)), Fail(RequestError::kNotJson)) << size;
  }
}

TEST(RequestTest, RefusesWhatIsNoObject) {
  for (const char* line : {"", "1", "[]", "\"status\"", "null", "{} {}", "\xff"}) {
    EXPECT_EQ(ParseRequest(line), Fail(RequestError::kNotJson)) << line;
  }
}

TEST(RequestTest, RefusesUnknownVerbs) {
  for (const char* line : {"{}", R"({"verb":"why"})", R"({"verb":1})", R"({"verb":null})"}) {
    EXPECT_EQ(ParseRequest(line), Fail(RequestError::kUnknownVerb)) << line;
  }
}

TEST(RequestTest, RefusesBadFields) {
  for (const char* line :
       {R"({"verb":"ping"})", R"({"verb":"ping","peer":5})",
        R"({"verb":"ping","peer":"b","count":-1})", R"({"verb":"ping","peer":"b","count":100001})",
        R"({"verb":"ping","peer":"b","interval_ms":9})",
        R"({"verb":"ping","peer":"b","interval_ms":3600001})",
        R"({"verb":"ping","peer":"b","interval_ms":"1s"})",
        R"({"verb":"ping","peer":"b","timeout_ms":86400001})",
        R"({"verb":"ping","peer":"b","timeout_ms":1.5})",
        R"({"verb":"ping","peer":"b","until_direct":1})", R"({"verb":"up","peers":"b"})",
        R"({"verb":"down","peers":[1]})"}) {
    EXPECT_EQ(ParseRequest(line), Fail(RequestError::kBadField)) << line;
  }
}

TEST(RequestTest, BoundsTheLine) {
  const std::string head = R"({"verb":"status")";
  const std::string fits = head + std::string(kMaxRequestSize - 2 - head.size(), ' ') + "}";
  EXPECT_EQ(ParseRequest(fits), Request(StatusRequest{}));
  EXPECT_EQ(ParseRequest(fits + " "), Fail(RequestError::kTooLong));
}

}  // namespace
}  // namespace floe::control
