// Heads of HTTP/1.1 requests and responses: the little of HTTP that a WebSocket needs.
//
// Source: RFC 9112 sections 2 to 5. Bodies, transfer codings and folded headers are not read.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace floe::signaling {

inline constexpr std::size_t kMaxHeadSize = 8192;  // bytes, the blank line included
inline constexpr std::size_t kMaxHeaders = 64;

enum class HttpError : std::uint8_t {
  kStartLine,  // The first line is no request or status line of HTTP/1.x.
  kHeader,     // A header line without a name, folded, or with a control character.
  kTooMany,    // More than kMaxHeaders.
};

[[nodiscard]] std::string_view ToString(HttpError error);

struct HttpHeader {
  std::string name;  // In lower case.
  std::string value;
};

/// The headers of one head, in the order in which they came.
class HttpHeaders {
 public:
  /// The only header of this name (in lower case); nothing if there is none, or more than one.
  [[nodiscard]] std::optional<std::string_view> Find(std::string_view name) const;

  /// Whether a comma-separated list in the headers of this name holds `token`. Compared without
  /// case, as the tokens of Connection and Upgrade are.
  [[nodiscard]] bool HasToken(std::string_view name, std::string_view token) const;

  [[nodiscard]] bool Has(std::string_view name) const;

  [[nodiscard]] const std::vector<HttpHeader>& all() const { return headers_; }

  void Add(HttpHeader header) { headers_.push_back(std::move(header)); }

 private:
  std::vector<HttpHeader> headers_;
};

struct HttpRequest {
  std::string method;
  std::string target;      // As sent, with the query.
  std::uint8_t minor = 1;  // HTTP/1.minor
  HttpHeaders headers;
};

struct HttpResponse {
  std::uint16_t status = 0;
  std::uint8_t minor = 1;
  HttpHeaders headers;
};

/// `head` ends with its blank line, as HttpHeadReader gives it.
[[nodiscard]] Result<HttpRequest, HttpError> ParseHttpRequest(std::string_view head);
[[nodiscard]] Result<HttpResponse, HttpError> ParseHttpResponse(std::string_view head);

/// Gathers a head out of a stream, up to its blank line, and never holds more than kMaxHeadSize.
class HttpHeadReader {
 public:
  enum class State : std::uint8_t {
    kReading,   // -> kComplete, kTooLarge
    kComplete,  // Final: head() is whole.
    kTooLarge,  // Final: kMaxHeadSize bytes came without a blank line among them.
  };

  /// Takes bytes from the front of `input`. What is behind the head stays in `input`.
  State Read(Bytes& input);

  [[nodiscard]] State state() const { return state_; }

  /// Borrows this object.
  [[nodiscard]] std::string_view head() const { return head_; }

 private:
  State state_ = State::kReading;
  std::string head_;
};

}  // namespace floe::signaling
