// The opening handshake of a WebSocket: what a client asks, what a server answers.
//
// Source: RFC 6455 sections 4.1, 4.2 and 4.4.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "signaling/http.h"
#include "signaling/url.h"

namespace floe::signaling {

/// The subprotocol both ends must name: the version of the frames in protocol.h.
inline constexpr std::string_view kSubprotocol = "floe.1";
/// Answers 200 to whoever asks whether the server is up.
inline constexpr std::string_view kHealthPath = "/healthz";

/// 16 random bytes in base64: a value for Sec-WebSocket-Key.
[[nodiscard]] std::string MakeWebSocketKey(RandomSource& random);

/// What a server makes of that key: the value of Sec-WebSocket-Accept.
[[nodiscard]] std::string WebSocketAccept(std::string_view key);

/// The request of a client, whole.
[[nodiscard]] std::string SerializeUpgradeRequest(const Url& url, std::string_view key);

enum class UpgradeError : std::uint8_t {
  kStatus,         // Not 101: no rendezvous behind this URL, or it refuses us.
  kHeaders,        // No Upgrade: websocket, or no Connection: Upgrade.
  kAccept,         // Sec-WebSocket-Accept is not the answer to our key.
  kNoSubprotocol,  // The server does not speak floe.1.
  kExtension,      // The server uses an extension, and we offered none.
};

[[nodiscard]] std::string_view ToString(UpgradeError error);

/// What a client must check before it sends frames. `key` is what it sent.
[[nodiscard]] Result<void, UpgradeError> CheckUpgradeResponse(const HttpResponse& response,
                                                              std::string_view key);

/// What a server says to a request.
struct UpgradeAnswer {
  std::uint16_t status = 0;  // 101: frames follow. Any other: close behind the response.
  std::string response;      // To be written whole.
};

/// `path` is where the rendezvous answers. Answers 101, 200 (kHealthPath), 400, 404, 405 or 426.
[[nodiscard]] UpgradeAnswer AnswerUpgrade(const HttpRequest& request, std::string_view path);

/// An answer without a request: 400 for one that cannot be read, 431 for one too large.
[[nodiscard]] UpgradeAnswer RefuseRequest(std::uint16_t status);

}  // namespace floe::signaling
