#include "signaling/message.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

namespace floe::signaling {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kRestart = "restart";

bool IsIceChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

bool IsIceText(std::string_view text, std::size_t min_size) {
  return text.size() >= min_size && text.size() <= 256 && std::ranges::all_of(text, IsIceChar);
}

struct TextLimits {
  std::size_t count;
  std::size_t size;  // bytes of one text
  char first;        // The characters allowed are first to '~'.
};

constexpr TextLimits kOptionLimits{kMaxOptions, kMaxOptionSize, '!'};
constexpr TextLimits kCandidateLimits{kMaxCandidates, kMaxCandidateSize, ' '};

bool IsWithin(std::string_view text, const TextLimits& limits) {
  return !text.empty() && text.size() <= limits.size &&
         std::ranges::all_of(text, [&](char c) { return c >= limits.first && c <= '~'; });
}

std::optional<std::uint64_t> ReadNumber(const Json& object, const char* key, std::uint64_t max) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned()) {
    return std::nullopt;
  }
  const auto number = found->get<std::uint64_t>();
  if (number > max) {
    return std::nullopt;
  }
  return number;
}

/// The text under `key`; empty where there is none; nothing where it is no text.
std::optional<std::string> ReadText(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) {
    return std::string();
  }
  const auto* text = found->get_ptr<const std::string*>();
  if (text == nullptr) {
    return std::nullopt;
  }
  return *text;
}

/// The texts under `key`; none where it is missing; nothing where one breaks the limits.
std::optional<std::vector<std::string>> ReadTexts(const Json& object, const char* key,
                                                  const TextLimits& limits) {
  std::vector<std::string> texts;
  const auto found = object.find(key);
  if (found == object.end()) {
    return texts;
  }
  if (!found->is_array() || found->size() > limits.count) {
    return std::nullopt;
  }
  for (const Json& item : *found) {
    const auto* text = item.get_ptr<const std::string*>();
    if (text == nullptr || !IsWithin(*text, limits)) {
      return std::nullopt;
    }
    texts.push_back(*text);
  }
  return texts;
}

/// kOffer for "restart" too.
std::optional<MessageKind> ReadKind(std::string_view name) {
  if (name == kRestart) {
    return MessageKind::kOffer;
  }
  for (const MessageKind kind : {MessageKind::kOffer, MessageKind::kAnswer, MessageKind::kCandidate,
                                 MessageKind::kEndOfCandidates, MessageKind::kStale}) {
    if (name == ToString(kind)) {
      return kind;
    }
  }
  return std::nullopt;
}

Result<void, MessageError> ReadHead(const Json& object, Message& message) {
  const auto name = ReadText(object, "kind");
  const auto kind = name ? ReadKind(*name) : std::nullopt;
  if (!kind) {
    return Fail(MessageError::kKind);
  }
  constexpr std::uint64_t kMax32 = std::numeric_limits<std::uint32_t>::max();
  const auto session = ReadNumber(object, "session", kMaxSession);
  const auto generation = ReadNumber(object, "generation", kMax32);
  const auto seq = ReadNumber(object, "seq", kMax32);
  if (!session || *session == 0 || !generation || !seq) {
    return Fail(MessageError::kNumber);
  }
  // The first offer of a session is its generation 0, and only that one is.
  if (*kind == MessageKind::kOffer && (*name == kRestart) != (*generation != 0)) {
    return Fail(MessageError::kNumber);
  }
  message.kind = *kind;
  message.session = *session;
  message.generation = static_cast<std::uint32_t>(*generation);
  message.seq = static_cast<std::uint32_t>(*seq);
  return {};
}

Result<void, MessageError> ReadCredentials(const Json& object, Message& message) {
  const bool required = message.kind == MessageKind::kOffer || message.kind == MessageKind::kAnswer;
  auto ufrag = ReadText(object, "ufrag");
  auto password = ReadText(object, "pwd");
  if (!ufrag || !password) {
    return Fail(MessageError::kCredentials);
  }
  // RFC 8839 section 5.4.
  if ((required || object.contains("ufrag")) && !IsIceText(*ufrag, 4)) {
    return Fail(MessageError::kCredentials);
  }
  if ((required || object.contains("pwd")) && !IsIceText(*password, 22)) {
    return Fail(MessageError::kCredentials);
  }
  message.ufrag = *std::move(ufrag);
  message.password = *password;
  return {};
}

}  // namespace

std::string_view ToString(MessageKind kind) {
  switch (kind) {
    case MessageKind::kOffer:
      return "offer";
    case MessageKind::kAnswer:
      return "answer";
    case MessageKind::kCandidate:
      return "candidate";
    case MessageKind::kEndOfCandidates:
      return "end-of-candidates";
    case MessageKind::kStale:
      return "stale";
  }
  return "?";
}

std::string_view ToString(MessageError error) {
  switch (error) {
    case MessageError::kTooLong:
      return "too long";
    case MessageError::kSyntax:
      return "not a JSON object";
    case MessageError::kKind:
      return "unknown kind";
    case MessageError::kNumber:
      return "bad session, generation or seq";
    case MessageError::kCredentials:
      return "bad ufrag or pwd";
    case MessageError::kOptions:
      return "bad options";
    case MessageError::kCandidates:
      return "bad candidates";
  }
  return "?";
}

std::string Serialize(const Message& message) {
  const bool is_restart = message.kind == MessageKind::kOffer && message.generation != 0;
  Json object = {{"kind", is_restart ? kRestart : ToString(message.kind)},
                 {"session", message.session},
                 {"generation", message.generation},
                 {"seq", message.seq}};
  if (!message.ufrag.empty()) {
    object["ufrag"] = message.ufrag;
  }
  if (!message.password.empty()) {
    object["pwd"] = std::string_view(message.password);
  }
  if (!message.options.empty()) {
    object["options"] = message.options;
  }
  if (!message.candidates.empty()) {
    object["candidates"] = message.candidates;
  }
  // The library throws on text that is not UTF-8, unless told to replace it.
  return object.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

Result<Message, MessageError> ParseMessage(std::string_view text) {
  if (text.size() > kMaxMessageSize) {
    return Fail(MessageError::kTooLong);
  }
  const Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return Fail(MessageError::kSyntax);
  }
  Message message;
  if (const auto read = ReadHead(object, message); !read) {
    return Fail(read.error());
  }
  if (const auto read = ReadCredentials(object, message); !read) {
    return Fail(read.error());
  }
  auto options = ReadTexts(object, "options", kOptionLimits);
  if (!options) {
    return Fail(MessageError::kOptions);
  }
  auto candidates = ReadTexts(object, "candidates", kCandidateLimits);
  if (!candidates || (message.kind == MessageKind::kCandidate && candidates->empty())) {
    return Fail(MessageError::kCandidates);
  }
  message.options = *std::move(options);
  message.candidates = *std::move(candidates);
  return message;
}

}  // namespace floe::signaling
