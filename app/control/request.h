// What the command line asks the daemon, one line of JSON for each request.
//
// {"verb":"status"}
// {"verb":"ping","peer":"b","count":10,"interval_ms":1000,"timeout_ms":15000,"until_direct":false}
// {"verb":"up","peers":["b"]}      {"verb":"down","peers":[]}      no peers: all of them
// {"verb":"reload"}
//
// Replies are in reply.h.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace floe::control {

inline constexpr std::size_t kMaxRequestSize = std::size_t{64} * 1024;  // bytes, line feed included

struct StatusRequest {
  bool operator==(const StatusRequest&) const = default;
};

struct PingRequest {
  std::string peer;         // A name, a public key or an inner address: see FindPeer().
  std::uint32_t count = 0;  // 0: until `timeout`.
  std::chrono::milliseconds interval{1000};
  std::chrono::milliseconds timeout{15000};  // For all of it. The summary comes then at the latest.
  bool until_direct = false;                 // End with the first pong over a direct path.

  bool operator==(const PingRequest&) const = default;
};

struct UpRequest {
  std::vector<std::string> peers;  // Empty: all.

  bool operator==(const UpRequest&) const = default;
};

struct DownRequest {
  std::vector<std::string> peers;  // Empty: all.

  bool operator==(const DownRequest&) const = default;
};

/// To read the configuration anew and apply it.
struct ReloadRequest {
  bool operator==(const ReloadRequest&) const = default;
};

using Request = std::variant<StatusRequest, PingRequest, UpRequest, DownRequest, ReloadRequest>;

/// What ParseRequest() holds a ping to.
inline constexpr std::uint32_t kMaxPingCount = 100'000;
inline constexpr std::chrono::milliseconds kMinPingInterval{10};
inline constexpr std::chrono::milliseconds kMaxPingInterval{3'600'000};
inline constexpr std::chrono::milliseconds kMaxPingTimeout{86'400'000};

enum class RequestError : std::uint8_t {
  kTooLong,
  kNotJson,      // Or no object.
  kUnknownVerb,  // Or none.
  kBadField,     // Missing, of another type, or out of bounds.
};

[[nodiscard]] std::string_view ToString(RequestError error);

/// `line` is without its line feed. Unknown fields are skipped.
[[nodiscard]] Result<Request, RequestError> ParseRequest(std::string_view line);

/// One line without its line feed.
[[nodiscard]] std::string Serialize(const Request& request);

}  // namespace floe::control
