#include "app/control/request.h"

#include <nlohmann/json.hpp>

#include "app/control/json_fields.h"

namespace floe::control {
namespace {

using Json = nlohmann::ordered_json;
using std::chrono::milliseconds;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

milliseconds ReadMilliseconds(JsonFields& fields, const char* key, milliseconds smallest,
                              milliseconds largest, milliseconds otherwise) {
  if (!fields.Has(key)) {
    return otherwise;
  }
  const milliseconds value(fields.Unsigned(key, static_cast<std::uint64_t>(largest.count())));
  if (value < smallest) {
    fields.SetBad();
  }
  return value;
}

PingRequest ReadPing(JsonFields& fields) {
  PingRequest ping;
  ping.peer = fields.String("peer");
  if (fields.Has("count")) {
    ping.count = static_cast<std::uint32_t>(fields.Unsigned("count", kMaxPingCount));
  }
  ping.interval =
      ReadMilliseconds(fields, "interval_ms", kMinPingInterval, kMaxPingInterval, ping.interval);
  ping.timeout =
      ReadMilliseconds(fields, "timeout_ms", milliseconds(0), kMaxPingTimeout, ping.timeout);
  ping.until_direct = fields.MaybeBoolean("until_direct").value_or(false);
  return ping;
}

Json ToJson(const StatusRequest& /*request*/) {
  return {{"verb", "status"}};
}

Json ToJson(const PingRequest& request) {
  return {{"verb", "ping"},
          {"peer", request.peer},
          {"count", request.count},
          {"interval_ms", request.interval.count()},
          {"timeout_ms", request.timeout.count()},
          {"until_direct", request.until_direct}};
}

Json ToJson(const UpRequest& request) {
  return {{"verb", "up"}, {"peers", request.peers}};
}

Json ToJson(const DownRequest& request) {
  return {{"verb", "down"}, {"peers", request.peers}};
}

Json ToJson(const ReloadRequest& /*request*/) {
  return {{"verb", "reload"}};
}

}  // namespace

std::string_view ToString(RequestError error) {
  switch (error) {
    case RequestError::kTooLong:
      return "the request is too long";
    case RequestError::kNotJson:
      return "the request is no JSON object";
    case RequestError::kUnknownVerb:
      return "the request has no known verb";
    case RequestError::kBadField:
      return "the request has a bad field";
  }
  return "unknown";
}

Result<Request, RequestError> ParseRequest(std::string_view line) {
  if (line.size() >= kMaxRequestSize) {
    return Fail(RequestError::kTooLong);
  }
  const auto root = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) {
    return Fail(RequestError::kNotJson);
  }
  JsonFields fields(root);
  Request request;
  const std::string verb = fields.String("verb");
  if (verb == "ping") {
    request = ReadPing(fields);
  } else if (verb == "up") {
    request = UpRequest{fields.MaybeStrings("peers")};
  } else if (verb == "down") {
    request = DownRequest{fields.MaybeStrings("peers")};
  } else if (verb == "reload") {
    request = ReloadRequest{};
  } else if (verb != "status") {
    return Fail(RequestError::kUnknownVerb);
  }
  if (!fields.good()) {
    return Fail(RequestError::kBadField);
  }
  return request;
}

std::string Serialize(const Request& request) {
  return Dump(std::visit([](const auto& known) { return ToJson(known); }, request));
}

}  // namespace floe::control
