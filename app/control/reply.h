// What the daemon answers, one line of JSON for each reply.
//
// status   {"ok":true,"status":{...}}                                  the schema of status.h
// up, down {"ok":true}
// reload   {"ok":true,"reload":{"added":1,"removed":0,"changed":0,"settings":["log.level"]}}
// ping     {"event":"pong","seq":1,"rtt_ms":12.1,"via":"direct 203.0.113.7:41820
// (srflx)","kind":"direct"}
//          {"event":"timeout","seq":2}
//          {"event":"summary","sent":2,"received":1,"min_ms":12.1,"avg_ms":12.1,"max_ms":12.1,"done":true}
// any      {"error":"no such peer: x","code":1,"done":true}            code is the program's exit
// code
//
// Only pong and timeout have something behind them; every other reply is the last to its request.
// Requests on one connection are answered one after the other.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "app/control/exit_code.h"
#include "app/control/status.h"
#include "base/result.h"

namespace floe::control {

/// bytes, line feed included: the status of tens of thousands of peers.
inline constexpr std::size_t kMaxReplySize = std::size_t{32} * 1024 * 1024;

struct OkReply {
  bool operator==(const OkReply&) const = default;
};

struct StatusReply {
  Status status;

  bool operator==(const StatusReply&) const = default;
};

/// What a reload has done.
struct ReloadReply {
  // Peers.
  std::uint32_t added = 0;
  std::uint32_t removed = 0;
  std::uint32_t changed = 0;
  std::vector<std::string> settings;  // The other keys that have changed: "log.level".

  bool operator==(const ReloadReply&) const = default;
};

struct PongReply {
  std::uint32_t seq = 0;  // Counts from 1.
  double rtt_ms = 0;
  std::string via;                    // RenderPath() of the path the answer came by.
  PathKind kind = PathKind::kDirect;  // Never kNone.

  bool operator==(const PongReply&) const = default;
};

struct TimeoutReply {
  std::uint32_t seq = 0;

  bool operator==(const TimeoutReply&) const = default;
};

struct SummaryReply {
  std::uint32_t sent = 0;
  std::uint32_t received = 0;
  std::optional<double> min_ms;  // Nothing if nothing was received; so for the next two.
  std::optional<double> avg_ms;
  std::optional<double> max_ms;

  bool operator==(const SummaryReply&) const = default;
};

struct ErrorReply {
  std::string error;
  ExitCode code = ExitCode::kNo;

  bool operator==(const ErrorReply&) const = default;
};

using Reply = std::variant<OkReply, StatusReply, ReloadReply, PongReply, TimeoutReply, SummaryReply,
                           ErrorReply>;

enum class ReplyError : std::uint8_t { kNotJson, kUnknown, kBadField };

[[nodiscard]] std::string_view ToString(ReplyError error);

/// One line without its line feed.
[[nodiscard]] std::string Serialize(const Reply& reply);

[[nodiscard]] Result<Reply, ReplyError> ParseReply(std::string_view line);

/// Whether the request is answered with this.
[[nodiscard]] bool IsLast(const Reply& reply);

}  // namespace floe::control
