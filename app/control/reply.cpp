#include "app/control/reply.h"

#include <nlohmann/json.hpp>

#include "app/control/json_fields.h"

namespace floe::control {
namespace {

using Json = nlohmann::ordered_json;

Json Number(const std::optional<double>& number) {
  return number ? Json(*number) : Json(nullptr);
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

std::string ToLine(const OkReply& /*reply*/) {
  return R"({"ok":true})";
}

std::string ToLine(const StatusReply& reply) {
  return R"({"ok":true,"status":)" + ToJson(reply.status) + "}";
}

std::string ToLine(const ReloadReply& reply) {
  return Dump({{"ok", true},
               {"reload",
                {{"added", reply.added},
                 {"removed", reply.removed},
                 {"changed", reply.changed},
                 {"settings", reply.settings}}}});
}

std::string ToLine(const PongReply& reply) {
  return Dump({{"event", "pong"},
               {"seq", reply.seq},
               {"rtt_ms", reply.rtt_ms},
               {"via", reply.via},
               {"kind", ToString(reply.kind)}});
}

std::string ToLine(const TimeoutReply& reply) {
  return Dump({{"event", "timeout"}, {"seq", reply.seq}});
}

std::string ToLine(const SummaryReply& reply) {
  return Dump({{"event", "summary"},
               {"sent", reply.sent},
               {"received", reply.received},
               {"min_ms", Number(reply.min_ms)},
               {"avg_ms", Number(reply.avg_ms)},
               {"max_ms", Number(reply.max_ms)},
               {"done", true}});
}

std::string ToLine(const ErrorReply& reply) {
  return Dump(
      {{"error", reply.error}, {"code", static_cast<std::uint8_t>(reply.code)}, {"done", true}});
}

std::uint32_t ReadCount(JsonFields& fields, const char* key) {
  return static_cast<std::uint32_t>(fields.Unsigned(key, UINT32_MAX));
}

PongReply ReadPong(JsonFields& fields) {
  PongReply pong{ReadCount(fields, "seq"), fields.Number("rtt_ms"), fields.String("via")};
  const std::string kind = fields.String("kind");
  if (kind == ToString(PathKind::kRelay)) {
    pong.kind = PathKind::kRelay;
  } else if (kind != ToString(PathKind::kDirect)) {
    fields.SetBad();
  }
  return pong;
}

SummaryReply ReadSummary(JsonFields& fields) {
  return {ReadCount(fields, "sent"), ReadCount(fields, "received"), fields.MaybeNumber("min_ms"),
          fields.MaybeNumber("avg_ms"), fields.MaybeNumber("max_ms")};
}

ErrorReply ReadError(JsonFields& fields) {
  constexpr auto kLargest = static_cast<std::uint64_t>(ExitCode::kTimedOut);
  const std::uint64_t code = fields.Unsigned("code", kLargest);
  if (code == 0) {
    fields.SetBad();
  }
  return {fields.String("error"), static_cast<ExitCode>(code)};
}

Result<Reply, ReplyError> ReadOk(JsonFields& fields) {
  if (!fields.MaybeBoolean("ok").value_or(false)) {
    return Fail(ReplyError::kBadField);
  }
  if (const nlohmann::json* reload = fields.MaybeObject("reload")) {
    JsonFields inner(*reload);
    ReloadReply reply{ReadCount(inner, "added"), ReadCount(inner, "removed"),
                      ReadCount(inner, "changed"), inner.MaybeStrings("settings")};
    if (!inner.good()) {
      return Fail(ReplyError::kBadField);
    }
    return reply;
  }
  const nlohmann::json* status = fields.MaybeObject("status");
  if (status == nullptr) {
    return OkReply{};
  }
  auto parsed = ParseStatus(
      status->dump(-1, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace));
  if (!parsed) {
    return Fail(ReplyError::kBadField);
  }
  return StatusReply{*std::move(parsed)};
}

Result<Reply, ReplyError> ReadAny(JsonFields& fields) {
  if (fields.Has("error")) {
    return ReadError(fields);
  }
  if (fields.Has("ok")) {
    return ReadOk(fields);
  }
  const auto event = fields.MaybeString("event");
  if (event == "pong") {
    return ReadPong(fields);
  }
  if (event == "timeout") {
    return TimeoutReply{ReadCount(fields, "seq")};
  }
  if (event == "summary") {
    return ReadSummary(fields);
  }
  return Fail(ReplyError::kUnknown);
}

}  // namespace

std::string_view ToString(ReplyError error) {
  switch (error) {
    case ReplyError::kNotJson:
      return "the reply is no JSON object";
    case ReplyError::kUnknown:
      return "the reply is of an unknown kind";
    case ReplyError::kBadField:
      return "the reply has a bad field";
  }
  return "unknown";
}

std::string Serialize(const Reply& reply) {
  return std::visit([](const auto& known) { return ToLine(known); }, reply);
}

Result<Reply, ReplyError> ParseReply(std::string_view line) {
  const auto root = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) {
    return Fail(ReplyError::kNotJson);
  }
  JsonFields fields(root);
  auto reply = ReadAny(fields);
  if (reply && !fields.good()) {
    return Fail(ReplyError::kBadField);
  }
  return reply;
}

bool IsLast(const Reply& reply) {
  return !std::holds_alternative<PongReply>(reply) && !std::holds_alternative<TimeoutReply>(reply);
}

}  // namespace floe::control
