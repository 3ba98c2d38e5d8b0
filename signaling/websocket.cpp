#include "signaling/websocket.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "signaling/utf8.h"

namespace floe::signaling {
namespace {

constexpr std::uint8_t kFinalBit = 0x80;
constexpr std::uint8_t kReservedBits = 0x70;
constexpr std::uint8_t kOpcodeBits = 0x0F;
constexpr std::uint8_t kMaskBit = 0x80;
constexpr std::uint8_t kLengthBits = 0x7F;
constexpr std::uint8_t kLength16 = 126;
constexpr std::uint8_t kLength64 = 127;
constexpr std::size_t kMaskSize = 4;  // bytes

bool IsControl(Opcode opcode) {
  return (static_cast<std::uint8_t>(opcode) & 0x8U) != 0;
}

bool IsKnown(Opcode opcode) {
  switch (opcode) {
    case Opcode::kContinuation:
    case Opcode::kText:
    case Opcode::kBinary:
    case Opcode::kClose:
    case Opcode::kPing:
    case Opcode::kPong:
      return true;
  }
  return false;
}

/// RFC 6455 sections 7.4.1 and 7.4.2, and the codes registered since (1012 to 1014).
bool MayBeSent(std::uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

std::size_t LengthSize(std::uint8_t short_length) {
  if (short_length == kLength64) {
    return 8;
  }
  return short_length == kLength16 ? 2 : 0;
}

/// The header up to the mask. `mask_bit` is kMaskBit or 0.
std::vector<std::uint8_t> SerializeHeader(Opcode opcode, std::size_t length,
                                          std::uint8_t mask_bit) {
  FLOE_CHECK(!IsControl(opcode) || length <= kMaxControlPayload);
  std::vector<std::uint8_t> frame(2);
  frame[0] = static_cast<std::uint8_t>(kFinalBit | static_cast<std::uint8_t>(opcode));
  std::uint8_t short_length = kLength64;
  if (length < kLength16) {
    short_length = static_cast<std::uint8_t>(length);
  } else if (length <= 0xFFFF) {
    short_length = kLength16;
  }
  frame[1] = static_cast<std::uint8_t>(mask_bit | short_length);
  frame.resize(2 + LengthSize(short_length));
  if (short_length == kLength16) {
    StoreBe(MutableBytes(frame), 2, static_cast<std::uint16_t>(length));
  } else if (short_length == kLength64) {
    StoreBe(MutableBytes(frame), 2, std::uint64_t{length});
  }
  return frame;
}

}  // namespace

std::optional<WebSocketEvent> WebSocketReader::Read(Bytes& input) {
  while (!over_) {
    while (!frame_ && header_size_ < HeaderSize()) {
      if (input.empty()) {
        return std::nullopt;
      }
      header_bytes_[header_size_++] = input.front();
      input = input.subspan(1);
    }
    if (!frame_) {
      if (const std::optional<CloseCode> wrong = StartFrame()) {
        return Violation(*wrong);
      }
    }
    TakePayload(input);
    if (taken_ < frame_->length) {
      return std::nullopt;
    }
    if (std::optional<WebSocketEvent> event = FinishFrame()) {
      return event;
    }
  }
  input = {};
  return std::nullopt;
}

/// How long the header is, as far as that can be said from what has come of it.
std::size_t WebSocketReader::HeaderSize() const {
  if (header_size_ < 2) {
    return 2;
  }
  const bool masked = (header_bytes_[1] & kMaskBit) != 0;
  return 2 + LengthSize(header_bytes_[1] & kLengthBits) + (masked ? kMaskSize : 0);
}

/// The header is whole: reads it. Returns why the frame is refused.
std::optional<CloseCode> WebSocketReader::StartFrame() {
  if (const std::optional<CloseCode> wrong = CheckFirstByte()) {
    return wrong;
  }
  const Bytes bytes = header_bytes_;
  const auto short_length = static_cast<std::uint8_t>(bytes[1] & kLengthBits);
  const std::size_t length_size = LengthSize(short_length);
  std::uint64_t length = short_length;
  if (length_size == 2) {
    length = LoadBe<std::uint16_t>(bytes, 2);
  } else if (length_size == 8) {
    length = LoadBe<std::uint64_t>(bytes, 2);
  }
  if (const std::optional<CloseCode> wrong = CheckLength(length)) {
    return wrong;
  }
  Header header{.final = (bytes[0] & kFinalBit) != 0,
                .masked = (bytes[1] & kMaskBit) != 0,
                .opcode = Opcode{static_cast<std::uint8_t>(bytes[0] & kOpcodeBits)},
                .length = static_cast<std::size_t>(length)};
  if (header.masked) {
    std::ranges::copy(bytes.subspan(2 + length_size, kMaskSize), header.mask.begin());
  }
  if (header.opcode == Opcode::kText || header.opcode == Opcode::kBinary) {
    message_opcode_ = header.opcode;
  }
  frame_ = header;
  header_size_ = 0;
  taken_ = 0;
  return std::nullopt;
}

/// RFC 6455 sections 5.2 (reserved bits), 5.4 (the order of fragments), 5.5 (control frames).
std::optional<CloseCode> WebSocketReader::CheckFirstByte() const {
  const auto opcode = Opcode{static_cast<std::uint8_t>(header_bytes_[0] & kOpcodeBits)};
  const bool final = (header_bytes_[0] & kFinalBit) != 0;
  if ((header_bytes_[0] & kReservedBits) != 0 || !IsKnown(opcode)) {
    return CloseCode::kProtocolError;
  }
  if (IsControl(opcode)) {
    return final ? std::nullopt : std::optional(CloseCode::kProtocolError);
  }
  const bool continues = opcode == Opcode::kContinuation;
  return continues == message_opcode_.has_value() ? std::nullopt
                                                  : std::optional(CloseCode::kProtocolError);
}

std::optional<CloseCode> WebSocketReader::CheckLength(std::uint64_t length) const {
  const bool masked = (header_bytes_[1] & kMaskBit) != 0;
  const std::size_t length_size = LengthSize(header_bytes_[1] & kLengthBits);
  if (masked != (role_ == WebSocketRole::kServer)) {
    return CloseCode::kProtocolError;
  }
  // Section 5.2: the length is written in as few bytes as it needs.
  if ((length_size == 2 && length < kLength16) || (length_size == 8 && length <= 0xFFFF) ||
      (length >> 63U) != 0) {
    return CloseCode::kProtocolError;
  }
  if (IsControl(Opcode{static_cast<std::uint8_t>(header_bytes_[0] & kOpcodeBits)})) {
    return length <= kMaxControlPayload ? std::nullopt : std::optional(CloseCode::kProtocolError);
  }
  return length <= max_message_ - message_.size() ? std::nullopt
                                                  : std::optional(CloseCode::kTooLarge);
}

void WebSocketReader::TakePayload(Bytes& input) {
  const Bytes part = input.first(std::min(input.size(), frame_->length - taken_));
  input = input.subspan(part.size());
  std::string& target = IsControl(frame_->opcode) ? control_ : message_;
  for (const std::uint8_t byte : part) {
    const std::uint8_t mask = frame_->mask[taken_ % kMaskSize];  // Zero in an unmasked frame.
    target.push_back(static_cast<char>(byte ^ mask));
    ++taken_;
  }
}

std::optional<WebSocketEvent> WebSocketReader::FinishFrame() {
  const Header header = *frame_;
  frame_.reset();
  switch (header.opcode) {
    case Opcode::kPing:
      return WebSocketEvent{WebSocketEvent::Kind::kPing, std::exchange(control_, {})};
    case Opcode::kPong:
      return WebSocketEvent{WebSocketEvent::Kind::kPong, std::exchange(control_, {})};
    case Opcode::kClose:
      return FinishClose();
    case Opcode::kContinuation:
    case Opcode::kText:
    case Opcode::kBinary:
      break;
  }
  return header.final ? std::optional(FinishMessage()) : std::nullopt;
}

WebSocketEvent WebSocketReader::FinishMessage() {
  const bool is_text = message_opcode_ == Opcode::kText;
  message_opcode_.reset();
  if (is_text && !IsUtf8(message_)) {
    return Violation(CloseCode::kNotUtf8);
  }
  return {is_text ? WebSocketEvent::Kind::kText : WebSocketEvent::Kind::kBinary,
          std::exchange(message_, {})};
}

/// RFC 6455 section 5.5.1: nothing, or a code of two bytes and a reason.
WebSocketEvent WebSocketReader::FinishClose() {
  const std::string payload = std::exchange(control_, {});
  over_ = true;
  if (payload.empty()) {
    return {WebSocketEvent::Kind::kClose, {}, CloseCode::kNoStatus};
  }
  if (payload.size() < 2) {
    return Violation(CloseCode::kProtocolError);
  }
  const auto code = LoadBe<std::uint16_t>(AsBytes(payload), 0);
  std::string reason = payload.substr(2);
  if (!MayBeSent(code)) {
    return Violation(CloseCode::kProtocolError);
  }
  if (!IsUtf8(reason)) {
    return Violation(CloseCode::kNotUtf8);
  }
  return {WebSocketEvent::Kind::kClose, std::move(reason), CloseCode{code}};
}

WebSocketEvent WebSocketReader::Violation(CloseCode code) {
  over_ = true;
  message_.clear();
  control_.clear();
  return {WebSocketEvent::Kind::kViolation, {}, code};
}

std::vector<std::uint8_t> SerializeFrame(Opcode opcode, Bytes payload) {
  std::vector<std::uint8_t> frame = SerializeHeader(opcode, payload.size(), 0);
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

std::vector<std::uint8_t> SerializeMaskedFrame(Opcode opcode, Bytes payload, RandomSource& random) {
  std::array<std::uint8_t, kMaskSize> mask{};
  random.Fill(mask);
  std::vector<std::uint8_t> frame = SerializeHeader(opcode, payload.size(), kMaskBit);
  frame.insert(frame.end(), mask.begin(), mask.end());
  frame.reserve(frame.size() + payload.size());
  for (std::size_t i = 0; i < payload.size(); ++i) {
    frame.push_back(static_cast<std::uint8_t>(payload[i] ^ mask[i % kMaskSize]));
  }
  return frame;
}

std::string ClosePayload(CloseCode code, std::string_view reason) {
  if (code == CloseCode::kNoStatus) {
    return {};
  }
  const auto number = static_cast<std::uint16_t>(code);
  std::string payload = {static_cast<char>(number >> 8U), static_cast<char>(number & 0xFFU)};
  payload += reason.substr(0, kMaxControlPayload - payload.size());
  return payload;
}

}  // namespace floe::signaling
