// WebSocket frames, both ends: messages out of a stream of bytes, and frames to send.
//
// Source: RFC 6455 section 5 (framing), section 7.4 (close codes). No extensions.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"

namespace floe::signaling {

/// RFC 6455 section 5.2. Read from the wire it may hold any value of four bits.
enum class Opcode : std::uint8_t {
  kContinuation = 0x0,
  kText = 0x1,
  kBinary = 0x2,
  kClose = 0x8,
  kPing = 0x9,
  kPong = 0xA,
};

/// RFC 6455 section 7.4.1. Read from the wire it may hold any code that may be sent.
enum class CloseCode : std::uint16_t {
  kNormal = 1000,
  kGoingAway = 1001,
  kProtocolError = 1002,
  kUnsupported = 1003,
  kNoStatus = 1005,  // Never on the wire: the frame had no code.
  kNotUtf8 = 1007,
  kPolicy = 1008,
  kTooLarge = 1009,
};

inline constexpr std::size_t kMaxControlPayload = 125;       // bytes
inline constexpr std::size_t kMaxClientMessage = 8 * 1024;   // bytes, what a server reads
inline constexpr std::size_t kMaxServerMessage = 64 * 1024;  // bytes, what a client reads

/// The end that reads: a server demands masked frames, a client refuses them (section 5.1).
enum class WebSocketRole : std::uint8_t { kClient, kServer };

struct WebSocketEvent {
  enum class Kind : std::uint8_t {
    kText,  // payload is UTF-8.
    kBinary,
    kPing,  // To be answered with a pong of the same payload.
    kPong,
    kClose,      // code and payload (the reason, UTF-8) are the peer's. To be answered and closed.
    kViolation,  // Close with `code`.
  };

  Kind kind = Kind::kText;
  std::string payload;
  CloseCode code = CloseCode::kNoStatus;  // kClose and kViolation.
};

/// Puts messages together. Holds no more than one message and one control frame; sizes are checked
/// before a byte of a payload is kept.
class WebSocketReader {
 public:
  WebSocketReader(WebSocketRole role, std::size_t max_message)
      : role_(role), max_message_(max_message) {}

  /// Takes bytes from the front of `input` until a message or a control frame is whole. To be
  /// called until it returns nothing; `input` is empty then. Behind kClose and kViolation it
  /// takes everything and returns nothing.
  [[nodiscard]] std::optional<WebSocketEvent> Read(Bytes& input);

 private:
  struct Header {
    bool final = false;
    bool masked = false;
    Opcode opcode = Opcode::kContinuation;
    std::size_t length = 0;
    std::array<std::uint8_t, 4> mask{};
  };

  static constexpr std::size_t kMaxHeader = 14;  // 2 + 8 (length) + 4 (mask), bytes

  [[nodiscard]] std::size_t HeaderSize() const;
  [[nodiscard]] std::optional<CloseCode> StartFrame();
  [[nodiscard]] std::optional<CloseCode> CheckFirstByte() const;
  [[nodiscard]] std::optional<CloseCode> CheckLength(std::uint64_t length) const;
  void TakePayload(Bytes& input);
  [[nodiscard]] std::optional<WebSocketEvent> FinishFrame();
  [[nodiscard]] WebSocketEvent FinishMessage();
  [[nodiscard]] WebSocketEvent FinishClose();
  [[nodiscard]] WebSocketEvent Violation(CloseCode code);

  WebSocketRole role_;
  std::size_t max_message_;
  bool over_ = false;
  std::array<std::uint8_t, kMaxHeader> header_bytes_{};
  std::size_t header_size_ = 0;           // How many of header_bytes_ have come.
  std::optional<Header> frame_;           // The frame whose payload is being read.
  std::size_t taken_ = 0;                 // How many bytes of that payload have come.
  std::optional<Opcode> message_opcode_;  // Set between the first and the last fragment.
  std::string message_;
  std::string control_;
};

/// One whole frame, unmasked, as a server sends it. A control frame's payload must be at most
/// kMaxControlPayload bytes.
[[nodiscard]] std::vector<std::uint8_t> SerializeFrame(Opcode opcode, Bytes payload);

/// The same masked with four random bytes, as a client sends it.
[[nodiscard]] std::vector<std::uint8_t> SerializeMaskedFrame(Opcode opcode, Bytes payload,
                                                             RandomSource& random);

/// The payload of a close frame. What does not fit is cut off `reason`, which is ASCII. For
/// kNoStatus the payload is empty.
[[nodiscard]] std::string ClosePayload(CloseCode code, std::string_view reason);

}  // namespace floe::signaling
