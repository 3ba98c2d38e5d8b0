#include "signaling/upgrade.h"

#include <array>
#include <openssl/evp.h>

#include "base/base64.h"
#include "base/check.h"

namespace floe::signaling {
namespace {

constexpr std::size_t kKeyNonceSize = 16;                                   // bytes
constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 section 1.3
constexpr std::string_view kVersion = "13";

std::string_view ReasonPhrase(std::uint16_t status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 426:
      return "Upgrade Required";
    case 431:
      return "Request Header Fields Too Large";
    default:  // A number, not an enum.
      return "Bad Request";
  }
}

/// A response behind which the connection is closed. `headers` are whole lines.
UpgradeAnswer Plain(std::uint16_t status, std::string_view body, std::string_view headers = {}) {
  std::string response = "HTTP/1.1 " + std::to_string(status) + " ";
  response += ReasonPhrase(status);
  response += "\r\nConnection: close\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\n";
  response += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  response += headers;
  response += "\r\n";
  response += body;
  return {status, std::move(response)};
}

std::string_view PathOf(std::string_view target) {
  return target.substr(0, target.find('?'));
}

bool IsWebSocketKey(std::string_view key) {
  if (key.size() != kKeyNonceSize / 3 * 4 + 4) {
    return false;
  }
  const auto nonce = DecodeBase64(key);
  return nonce && nonce->size() == kKeyNonceSize;
}

}  // namespace

std::string MakeWebSocketKey(RandomSource& random) {
  std::array<std::uint8_t, kKeyNonceSize> nonce{};
  random.Fill(nonce);
  return EncodeBase64(nonce);
}

std::string WebSocketAccept(std::string_view key) {
  const std::string text = std::string(key).append(kGuid);
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  const int done = EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  FLOE_CHECK(done == 1);  // Fails only where OpenSSL has no SHA-1 or no memory.
  return EncodeBase64(Bytes(digest).first(size));
}

std::string SerializeUpgradeRequest(const Url& url, std::string_view key) {
  std::string request = "GET " + url.path + " HTTP/1.1\r\nHost: " + Authority(url) + "\r\n";
  request += "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: ";
  request += kVersion;
  request += "\r\nSec-WebSocket-Key: ";
  request += key;
  request += "\r\nSec-WebSocket-Protocol: ";
  request += kSubprotocol;
  request += "\r\n\r\n";
  return request;
}

std::string_view ToString(UpgradeError error) {
  switch (error) {
    case UpgradeError::kStatus:
      return "the server does not switch to WebSocket";
    case UpgradeError::kHeaders:
      return "the server's upgrade headers are wrong";
    case UpgradeError::kAccept:
      return "the server's Sec-WebSocket-Accept is wrong";
    case UpgradeError::kNoSubprotocol:
      return "the server does not speak floe.1";
    case UpgradeError::kExtension:
      return "the server uses an extension that was not offered";
  }
  return "unknown";
}

Result<void, UpgradeError> CheckUpgradeResponse(const HttpResponse& response,
                                                std::string_view key) {
  const HttpHeaders& headers = response.headers;
  if (response.status != 101) {
    return Fail(UpgradeError::kStatus);
  }
  if (!headers.HasToken("upgrade", "websocket") || !headers.HasToken("connection", "upgrade")) {
    return Fail(UpgradeError::kHeaders);
  }
  if (headers.Find("sec-websocket-accept") != WebSocketAccept(key)) {
    return Fail(UpgradeError::kAccept);
  }
  if (headers.Find("sec-websocket-protocol") != kSubprotocol) {
    return Fail(UpgradeError::kNoSubprotocol);
  }
  if (headers.Has("sec-websocket-extensions")) {
    return Fail(UpgradeError::kExtension);
  }
  return {};
}

UpgradeAnswer AnswerUpgrade(const HttpRequest& request, std::string_view path) {
  const HttpHeaders& headers = request.headers;
  const std::string_view asked = PathOf(request.target);
  if (asked != path && asked != kHealthPath) {
    return Plain(404, "not found\n");
  }
  if (request.method != "GET") {
    return Plain(405, "only GET\n", "Allow: GET\r\n");
  }
  if (asked == kHealthPath) {
    return Plain(200, "ok\n");
  }
  if (!headers.HasToken("upgrade", "websocket") ||
      headers.Find("sec-websocket-version") != kVersion) {
    // RFC 6455 section 4.4: name the version we have.
    return Plain(426, "this is a WebSocket, version 13\n",
                 "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
  }
  const auto key = headers.Find("sec-websocket-key");
  if (request.minor == 0 || !headers.Find("host") || !headers.HasToken("connection", "upgrade") ||
      !key || !IsWebSocketKey(*key)) {
    return Plain(400, "bad WebSocket handshake\n");
  }
  if (!headers.HasToken("sec-websocket-protocol", kSubprotocol)) {
    return Plain(400, "the subprotocol must be floe.1\n");
  }
  std::string response =
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Accept: " +
      WebSocketAccept(*key) + "\r\nSec-WebSocket-Protocol: ";
  response += kSubprotocol;
  response += "\r\n\r\n";
  return {101, std::move(response)};
}

UpgradeAnswer RefuseRequest(std::uint16_t status) {
  return Plain(status, status == 431 ? "the request is too large\n" : "bad request\n");
}

}  // namespace floe::signaling
