#include "signaling/http.h"

#include <algorithm>

namespace floe::signaling {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool EqualWithoutCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return Lower(x) == Lower(y); });
}

/// RFC 9110 section 5.6.2: tchar.
bool IsTokenChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, IsTokenChar);
}

/// Printable ASCII, spaces and tabs, and the bytes above ASCII (obs-text).
bool IsFieldText(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != '\x7F');
  });
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

/// Takes the front of `rest` up to `separator`, which goes too. All of it if there is none.
std::string_view TakeUntil(std::string_view& rest, std::string_view separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + separator.size());
  return taken;
}

/// "HTTP/1.0" or "HTTP/1.1"; any other 1.x speaks as 1.1 does (RFC 9110 section 2.5).
std::optional<std::uint8_t> ReadVersion(std::string_view text) {
  constexpr std::string_view kStart = "HTTP/1.";
  if (text.size() != kStart.size() + 1 || !text.starts_with(kStart) || text.back() < '0' ||
      text.back() > '9') {
    return std::nullopt;
  }
  return static_cast<std::uint8_t>(text.back() - '0');
}

Result<HttpHeaders, HttpError> ReadHeaders(std::string_view rest) {
  HttpHeaders headers;
  while (true) {
    const std::string_view line = TakeUntil(rest, kLineEnd);
    if (line.empty()) {
      return headers;
    }
    const std::size_t colon = line.find(':');
    // A space before the colon or at the start of a line (folding) makes the name no token:
    // RFC 9112 sections 5.1 and 5.2.
    if (colon == std::string_view::npos || !IsToken(line.substr(0, colon)) || !IsFieldText(line)) {
      return Fail(HttpError::kHeader);
    }
    if (headers.all().size() == kMaxHeaders) {
      return Fail(HttpError::kTooMany);
    }
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(), Lower);
    headers.Add({std::move(name), std::string(Trim(line.substr(colon + 1)))});
  }
}

}  // namespace

std::string_view ToString(HttpError error) {
  switch (error) {
    case HttpError::kStartLine:
      return "bad start line";
    case HttpError::kHeader:
      return "bad header";
    case HttpError::kTooMany:
      return "too many headers";
  }
  return "unknown";
}

std::optional<std::string_view> HttpHeaders::Find(std::string_view name) const {
  if (std::ranges::count(headers_, name, &HttpHeader::name) != 1) {
    return std::nullopt;
  }
  return std::ranges::find(headers_, name, &HttpHeader::name)->value;
}

bool HttpHeaders::Has(std::string_view name) const {
  return std::ranges::find(headers_, name, &HttpHeader::name) != headers_.end();
}

bool HttpHeaders::HasToken(std::string_view name, std::string_view token) const {
  return std::ranges::any_of(headers_, [&](const HttpHeader& header) {
    if (header.name != name) {
      return false;
    }
    std::string_view rest = header.value;
    while (!rest.empty()) {
      if (EqualWithoutCase(Trim(TakeUntil(rest, ",")), token)) {
        return true;
      }
    }
    return false;
  });
}

Result<HttpRequest, HttpError> ParseHttpRequest(std::string_view head) {
  std::string_view rest = head;
  std::string_view line = TakeUntil(rest, kLineEnd);
  const std::string_view method = TakeUntil(line, " ");
  const std::string_view target = TakeUntil(line, " ");
  const std::optional<std::uint8_t> minor = ReadVersion(line);
  const bool plain = std::ranges::all_of(target, [](char c) { return c > ' ' && c < '\x7F'; });
  if (!IsToken(method) || target.empty() || !plain || !minor) {
    return Fail(HttpError::kStartLine);
  }
  Result<HttpHeaders, HttpError> headers = ReadHeaders(rest);
  if (!headers) {
    return Fail(headers.error());
  }
  return HttpRequest{std::string(method), std::string(target), *minor, std::move(*headers)};
}

Result<HttpResponse, HttpError> ParseHttpResponse(std::string_view head) {
  std::string_view rest = head;
  std::string_view line = TakeUntil(rest, kLineEnd);
  const std::optional<std::uint8_t> minor = ReadVersion(TakeUntil(line, " "));
  const std::string_view code = TakeUntil(line, " ");  // What is left is the reason phrase.
  const bool digits = std::ranges::all_of(code, [](char c) { return c >= '0' && c <= '9'; });
  if (!minor || code.size() != 3 || !digits || code.front() == '0' || !IsFieldText(line)) {
    return Fail(HttpError::kStartLine);
  }
  Result<HttpHeaders, HttpError> headers = ReadHeaders(rest);
  if (!headers) {
    return Fail(headers.error());
  }
  const int status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
  return HttpResponse{static_cast<std::uint16_t>(status), *minor, std::move(*headers)};
}

HttpHeadReader::State HttpHeadReader::Read(Bytes& input) {
  while (state_ == State::kReading && !input.empty()) {
    head_.push_back(static_cast<char>(input.front()));
    input = input.subspan(1);
    if (head_.ends_with(kHeadEnd)) {
      state_ = State::kComplete;
    } else if (head_.size() == kMaxHeadSize) {
      state_ = State::kTooLarge;
    }
  }
  return state_;
}

}  // namespace floe::signaling
