#include "signaling/protocol.h"

#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>

#include "base/base64.h"

namespace floe::signaling {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxUrlText = 512;           // bytes
constexpr std::size_t kMaxCredential = 512;        // bytes
constexpr std::uint64_t kMaxSeconds = 31'536'000;  // A year.
constexpr std::uint64_t kMaxPing = 3600;           // seconds
constexpr std::string_view kTlsExporter =
    "tls-exporter";  // RFC 9266: the one kind of channel binding.

bool IsPrintable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

/// Null where there is no such member.
const Json& Member(const Json& object, const char* name) {
  static const Json kNone;
  const auto found = object.find(name);
  return found == object.end() ? kNone : *found;
}

std::optional<std::string> ReadText(const Json& value, std::size_t max) {
  if (!value.is_string()) {
    return std::nullopt;
  }
  const std::string& text = value.get_ref<const std::string&>();
  return text.size() <= max && IsPrintable(text) ? std::optional(text) : std::nullopt;
}

std::optional<std::uint64_t> ReadNumber(const Json& value, std::uint64_t max) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > max) {
    return std::nullopt;
  }
  return value.get<std::uint64_t>();
}

std::optional<PublicKey> ReadKey(const Json& value) {
  const auto text = ReadText(value, 64);
  return text ? ParsePublicKey(*text) : std::nullopt;
}

template <std::size_t N>
bool ReadBytes(const Json& value, std::array<std::uint8_t, N>& out) {
  const auto text = ReadText(value, (N + 2) / 3 * 4);
  const auto bytes = text ? DecodeBase64(*text) : std::nullopt;
  if (!bytes || bytes->size() != N) {
    return false;
  }
  std::ranges::copy(*bytes, out.begin());
  return true;
}

std::optional<std::string> ReadBox(const Json& value) {
  std::optional<std::string> box = ReadText(value, kMaxBoxSize);
  return box && IsBox(*box) ? box : std::nullopt;
}

std::optional<std::vector<std::string>> ReadUrls(const Json& value) {
  if (!value.is_array() || value.size() > kMaxUrls) {
    return std::nullopt;
  }
  std::vector<std::string> urls;
  for (const Json& entry : value) {
    std::optional<std::string> url = ReadText(entry, kMaxUrlText);
    if (!url) {
      return std::nullopt;
    }
    urls.push_back(std::move(*url));
  }
  return urls;
}

std::optional<TurnCredentials> ReadTurn(const Json& value) {
  if (!value.is_object()) {
    return std::nullopt;
  }
  auto urls = ReadUrls(Member(value, "urls"));
  auto username = ReadText(Member(value, "username"), kMaxCredential);
  auto password = ReadText(Member(value, "password"), kMaxCredential);
  const auto ttl = ReadNumber(Member(value, "ttl"), kMaxSeconds);
  if (!urls || !username || !password || !ttl) {
    return std::nullopt;
  }
  return TurnCredentials{std::move(*urls), std::move(*username), SecretString(std::move(*password)),
                         std::chrono::seconds(*ttl)};
}

std::optional<Challenge> ReadChallenge(const Json& object) {
  Challenge frame;
  const auto key = ReadKey(Member(object, "key"));
  if (!key || !ReadBytes(Member(object, "nonce"), frame.nonce)) {
    return std::nullopt;
  }
  frame.key = *key;
  const Json& binding = Member(object, "binding");
  frame.bound = !binding.is_null();
  if (frame.bound && ReadText(binding, kTlsExporter.size()) != kTlsExporter) {
    return std::nullopt;
  }
  return frame;
}

std::optional<Welcome> ReadWelcome(const Json& object) {
  const auto you = ReadText(Member(object, "you"), 64);
  const auto address = you ? ParseSocketAddress(*you) : std::nullopt;
  auto stun = ReadUrls(Member(object, "stun"));
  const auto ping = ReadNumber(Member(object, "ping"), kMaxPing);
  const Json& turn = Member(object, "turn");
  if (!address || !stun || !ping || *ping == 0 || !turn.is_array() || turn.size() > kMaxUrls) {
    return std::nullopt;
  }
  Welcome frame{.you = *address, .stun = std::move(*stun), .ping = std::chrono::seconds(*ping)};
  for (const Json& entry : turn) {
    auto credentials = ReadTurn(entry);
    if (!credentials) {
      return std::nullopt;
    }
    frame.turn.push_back(std::move(*credentials));
  }
  return frame;
}

std::optional<SendAnswer> ReadAnswer(const Json& object) {
  const auto id = ReadNumber(Member(object, "id"), UINT64_MAX);
  const auto result = ReadText(Member(object, "result"), 16);
  for (const Delivery delivery : {Delivery::kDelivered, Delivery::kOffline, Delivery::kLimited}) {
    if (id && result == ToString(delivery)) {
      return SendAnswer{*id, delivery};
    }
  }
  return std::nullopt;
}

std::optional<ReceivedBox> ReadReceived(const Json& object) {
  const auto from = ReadKey(Member(object, "from"));
  auto box = ReadBox(Member(object, "box"));
  return from && box ? std::optional(ReceivedBox{*from, std::move(*box)}) : std::nullopt;
}

std::optional<Refusal> ReadRefusal(const Json& object) {
  auto reason = ReadText(Member(object, "reason"), kMaxReasonSize);
  return reason ? std::optional(Refusal{std::move(*reason)}) : std::nullopt;
}

std::optional<Hello> ReadHello(const Json& object) {
  Hello frame;
  const auto key = ReadKey(Member(object, "key"));
  if (!key || !ReadBytes(Member(object, "proof"), frame.proof)) {
    return std::nullopt;
  }
  frame.key = *key;
  return frame;
}

std::optional<SendRequest> ReadSend(const Json& object) {
  const auto to = ReadKey(Member(object, "to"));
  const auto id = ReadNumber(Member(object, "id"), UINT64_MAX);
  auto box = ReadBox(Member(object, "box"));
  return to && id && box ? std::optional(SendRequest{*to, *id, std::move(*box)}) : std::nullopt;
}

template <typename Frame, typename Value>
Result<Frame, ProtocolError> Checked(std::optional<Value> value) {
  if (!value) {
    return Fail(ProtocolError::kBadMember);
  }
  return Frame(std::move(*value));
}

/// The object, and the kind of frame it says it is.
struct Typed {
  Json object;
  std::string type;
};

Result<Typed, ProtocolError> ParseTyped(std::string_view text) {
  Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {  // Neither is what could not be parsed.
    return Fail(ProtocolError::kNotJson);
  }
  auto type = ReadText(Member(object, "t"), 32);
  if (!type) {
    return Fail(ProtocolError::kBadMember);
  }
  return Typed{std::move(object), std::move(*type)};
}

/// What is not UTF-8 is replaced: dump() would throw.
std::string Write(const Json& object) {
  return object.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
}

}  // namespace

std::string_view ToString(Delivery delivery) {
  switch (delivery) {
    case Delivery::kDelivered:
      return "delivered";
    case Delivery::kOffline:
      return "offline";
    case Delivery::kLimited:
      return "limited";
  }
  return "unknown";
}

std::string_view ToString(ProtocolError error) {
  switch (error) {
    case ProtocolError::kNotJson:
      return "not a JSON object";
    case ProtocolError::kUnknownType:
      return "unknown frame";
    case ProtocolError::kBadMember:
      return "a member is missing or wrong";
  }
  return "unknown";
}

Result<ServerFrame, ProtocolError> ParseServerFrame(std::string_view text) {
  const auto typed = ParseTyped(text);
  if (!typed) {
    return Fail(typed.error());
  }
  if (typed->type == "challenge") {
    return Checked<ServerFrame>(ReadChallenge(typed->object));
  }
  if (typed->type == "welcome") {
    return Checked<ServerFrame>(ReadWelcome(typed->object));
  }
  if (typed->type == "answer") {
    return Checked<ServerFrame>(ReadAnswer(typed->object));
  }
  if (typed->type == "recv") {
    return Checked<ServerFrame>(ReadReceived(typed->object));
  }
  if (typed->type == "error") {
    return Checked<ServerFrame>(ReadRefusal(typed->object));
  }
  return Fail(ProtocolError::kUnknownType);
}

Result<ClientFrame, ProtocolError> ParseClientFrame(std::string_view text) {
  const auto typed = ParseTyped(text);
  if (!typed) {
    return Fail(typed.error());
  }
  if (typed->type == "hello") {
    return Checked<ClientFrame>(ReadHello(typed->object));
  }
  if (typed->type == "send") {
    return Checked<ClientFrame>(ReadSend(typed->object));
  }
  return Fail(ProtocolError::kUnknownType);
}

std::string Serialize(const Challenge& frame) {
  Json object = {
      {"t", "challenge"}, {"key", ToString(frame.key)}, {"nonce", EncodeBase64(frame.nonce)}};
  if (frame.bound) {
    object["binding"] = kTlsExporter;
  }
  return Write(object);
}

std::string Serialize(const Welcome& frame) {
  Json turn = Json::array();
  for (const TurnCredentials& entry : frame.turn) {
    turn.push_back({{"urls", entry.urls},
                    {"username", entry.username},
                    {"password", entry.password.text()},
                    {"ttl", static_cast<std::uint64_t>(entry.ttl.count())}});
  }
  return Write({{"t", "welcome"},
                {"you", ToString(frame.you)},
                {"stun", frame.stun},
                {"turn", std::move(turn)},
                {"ping", static_cast<std::uint64_t>(frame.ping.count())}});
}

std::string Serialize(const SendAnswer& frame) {
  return Write({{"t", "answer"}, {"id", frame.id}, {"result", ToString(frame.result)}});
}

std::string Serialize(const ReceivedBox& frame) {
  return Write({{"t", "recv"}, {"from", ToString(frame.from)}, {"box", frame.box}});
}

std::string Serialize(const Refusal& frame) {
  return Write({{"t", "error"}, {"reason", frame.reason}});
}

std::string Serialize(const Hello& frame) {
  return Write(
      {{"t", "hello"}, {"key", ToString(frame.key)}, {"proof", EncodeBase64(frame.proof)}});
}

std::string Serialize(const SendRequest& frame) {
  return Write({{"t", "send"}, {"to", ToString(frame.to)}, {"id", frame.id}, {"box", frame.box}});
}

bool IsBox(std::string_view text) {
  const std::string_view body = text.substr(0, text.find('='));
  const std::size_t padding = text.size() - body.size();
  return !body.empty() && text.size() <= kMaxBoxSize && text.size() % 4 == 0 && padding <= 2 &&
         text.substr(body.size()) == std::string_view("==").substr(0, padding) &&
         std::ranges::all_of(body, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '+' || c == '/';
         });
}

}  // namespace floe::signaling
