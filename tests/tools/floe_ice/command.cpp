#include "tests/tools/floe_ice/command.h"

#include <optional>

namespace floe::tools {
namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view Trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::optional<std::uint8_t> Digit(char c) {
  if (c >= '0' && c <= '9') {
    return static_cast<std::uint8_t>(c - '0');
  }
  if (c >= 'a' && c <= 'f') {
    return static_cast<std::uint8_t>(c - 'a' + 10);
  }
  if (c >= 'A' && c <= 'F') {
    return static_cast<std::uint8_t>(c - 'A' + 10);
  }
  return std::nullopt;
}

std::optional<std::vector<std::uint8_t>> FromHex(std::string_view text) {
  if (text.size() % 2 != 0) {
    return std::nullopt;
  }
  std::vector<std::uint8_t> bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto high = Digit(text[i]);
    const auto low = Digit(text[i + 1]);
    if (!high || !low) {
      return std::nullopt;
    }
    bytes.push_back(static_cast<std::uint8_t>(*high << 4U | *low));
  }
  return bytes;
}

Result<Command, CommandError> ParseWithValue(std::string_view word, std::string_view value) {
  if (value.empty()) {
    return Fail(CommandError::kNoValue);
  }
  if (word == "ufrag") {
    return RemoteUfrag{std::string(value)};
  }
  if (word == "pwd") {
    return RemotePassword{std::string(value)};
  }
  if (word == "candidate") {
    return RemoteCandidate{std::string(value)};
  }
  auto payload = FromHex(value);
  if (!payload) {
    return Fail(CommandError::kNotHex);
  }
  return SendData{std::move(*payload)};
}

Result<Command, CommandError> ParseWithoutValue(std::string_view word, std::string_view value) {
  if (!value.empty()) {
    return Fail(CommandError::kUnwanted);
  }
  if (word == "end-of-candidates") {
    return RemoteEndOfCandidates{};
  }
  if (word == "restart") {
    return Restart{};
  }
  return CloseSession{};
}

}  // namespace

std::string_view ToString(CommandError error) {
  switch (error) {
    case CommandError::kUnknown:
      return "expected ufrag, pwd, candidate, end-of-candidates, send, restart or close";
    case CommandError::kNoValue:
      return "a value is missing";
    case CommandError::kUnwanted:
      return "takes no value";
    case CommandError::kNotHex:
      return "expected pairs of hexadecimal digits";
  }
  return "unknown command error";
}

Result<Command, CommandError> ParseCommand(std::string_view line) {
  line = Trim(line);
  const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  const std::string_view value = Trim(line.substr(word.size()));
  if (word == "ufrag" || word == "pwd" || word == "candidate" || word == "send") {
    return ParseWithValue(word, value);
  }
  if (word == "end-of-candidates" || word == "restart" || word == "close") {
    return ParseWithoutValue(word, value);
  }
  return Fail(CommandError::kUnknown);
}

std::string ToHex(Bytes bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0xFU];
  }
  return text;
}

}  // namespace floe::tools
