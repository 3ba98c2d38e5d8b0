// The four messages on the wire: sizes, layouts, and views that have checked them.
//
// Source: the WireGuard paper sections 5.4.2 (initiation), 5.4.3 (response), 5.4.6 (transport),
// 5.4.7 (cookie reply). Numbers are little-endian. Nothing here knows a key.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/key.h"

namespace floe::tunnel {

/// The first byte; three zero bytes follow it.
enum class MessageType : std::uint8_t {
  kInitiation = 1,
  kResponse = 2,
  kCookieReply = 3,
  kTransport = 4,
};

inline constexpr std::size_t kTagSize = 16;  // bytes of Poly1305 behind each encrypted field

// Offsets and sizes in bytes.
namespace initiation {
inline constexpr std::size_t kSender = 4;
inline constexpr std::size_t kEphemeral = 8;
inline constexpr std::size_t kStatic = 40;     // 32 and a tag
inline constexpr std::size_t kTimestamp = 88;  // 12 and a tag
inline constexpr std::size_t kMac1 = 116;
inline constexpr std::size_t kMac2 = 132;
inline constexpr std::size_t kSize = 148;
}  // namespace initiation

namespace response {
inline constexpr std::size_t kSender = 4;
inline constexpr std::size_t kReceiver = 8;
inline constexpr std::size_t kEphemeral = 12;
inline constexpr std::size_t kEmpty = 44;  // a tag alone
inline constexpr std::size_t kMac1 = 60;
inline constexpr std::size_t kMac2 = 76;
inline constexpr std::size_t kSize = 92;
}  // namespace response

namespace cookie_reply {
inline constexpr std::size_t kReceiver = 4;
inline constexpr std::size_t kNonce = 8;    // 24
inline constexpr std::size_t kCookie = 32;  // 16 and a tag
inline constexpr std::size_t kSize = 64;
}  // namespace cookie_reply

namespace transport {
inline constexpr std::size_t kReceiver = 4;
inline constexpr std::size_t kCounter = 8;
inline constexpr std::size_t kPacket = 16;
inline constexpr std::size_t kMinSize = kPacket + kTagSize;  // a keepalive
}  // namespace transport

/// The type of a datagram whose first byte is 1 to 4 and whose next three are 0. Says nothing about
/// its size.
[[nodiscard]] std::optional<MessageType> ReadMessageType(Bytes datagram);

/// Writes the first four bytes, which the caller has checked are there.
void WriteMessageType(MutableBytes message, MessageType type);

/// An initiation of the right size. Borrows the datagram.
class InitiationView {
 public:
  [[nodiscard]] static std::optional<InitiationView> Parse(Bytes datagram);

  [[nodiscard]] std::uint32_t sender() const;
  [[nodiscard]] PublicKey ephemeral() const;
  [[nodiscard]] Bytes encrypted_static() const;
  [[nodiscard]] Bytes encrypted_timestamp() const;

  [[nodiscard]] Bytes bytes() const { return bytes_; }

 private:
  explicit InitiationView(Bytes bytes) : bytes_(bytes) {}

  Bytes bytes_;
};

/// A response of the right size. Borrows the datagram.
class ResponseView {
 public:
  [[nodiscard]] static std::optional<ResponseView> Parse(Bytes datagram);

  [[nodiscard]] std::uint32_t sender() const;
  [[nodiscard]] std::uint32_t receiver() const;
  [[nodiscard]] PublicKey ephemeral() const;
  [[nodiscard]] Bytes encrypted_empty() const;

  [[nodiscard]] Bytes bytes() const { return bytes_; }

 private:
  explicit ResponseView(Bytes bytes) : bytes_(bytes) {}

  Bytes bytes_;
};

/// A cookie reply of the right size. Borrows the datagram.
class CookieReplyView {
 public:
  [[nodiscard]] static std::optional<CookieReplyView> Parse(Bytes datagram);

  [[nodiscard]] std::uint32_t receiver() const;
  [[nodiscard]] Bytes nonce() const;
  [[nodiscard]] Bytes encrypted_cookie() const;

 private:
  explicit CookieReplyView(Bytes bytes) : bytes_(bytes) {}

  Bytes bytes_;
};

/// A transport message that has room for a header and a tag. Borrows the datagram.
class TransportView {
 public:
  [[nodiscard]] static std::optional<TransportView> Parse(Bytes datagram);

  [[nodiscard]] std::uint32_t receiver() const;
  [[nodiscard]] std::uint64_t counter() const;
  /// At least a tag.
  [[nodiscard]] Bytes encrypted_packet() const;

  [[nodiscard]] Bytes bytes() const { return bytes_; }

 private:
  explicit TransportView(Bytes bytes) : bytes_(bytes) {}

  Bytes bytes_;
};

}  // namespace floe::tunnel
