// What the values of STUN attributes mean.
//
// Source: RFC 8489 section 14, RFC 8656 section 18. A Read function takes a value as it arrived
// and returns nothing if it has not the form it must have; a Find function looks it up first.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/socket_address.h"
#include "ice/stun/message.h"

namespace floe::ice::stun {

/// An address as an attribute carries it (RFC 8489 section 14.1): one byte of 0, the family, the
/// port in 2 bytes, the address in 4 or 16.
struct EncodedAddress {
  std::array<std::uint8_t, 20> bytes{};
  std::size_t size = 0;  // 8 or 20

  [[nodiscard]] Bytes view() const { return Bytes(bytes).first(size); }
};

/// The family numbers of REQUESTED-ADDRESS-FAMILY and of every address.
inline constexpr std::uint8_t kFamilyIpv4 = 0x01;
inline constexpr std::uint8_t kFamilyIpv6 = 0x02;

/// MAPPED-ADDRESS, ALTERNATE-SERVER, OTHER-ADDRESS, RESPONSE-ORIGIN.
[[nodiscard]] EncodedAddress EncodeAddress(const SocketAddress& address);
[[nodiscard]] std::optional<SocketAddress> ReadAddress(Bytes value);

/// XOR-MAPPED-ADDRESS, XOR-PEER-ADDRESS, XOR-RELAYED-ADDRESS (RFC 8489 section 14.2).
[[nodiscard]] EncodedAddress EncodeXorAddress(const SocketAddress& address,
                                              const TransactionId& id);
[[nodiscard]] std::optional<SocketAddress> ReadXorAddress(Bytes value, const TransactionId& id);
[[nodiscard]] std::optional<SocketAddress> FindXorAddress(const MessageView& message,
                                                          AttributeType type);

/// The address a Binding response reports: XOR-MAPPED-ADDRESS, else MAPPED-ADDRESS as servers
/// older than RFC 5389 send it.
[[nodiscard]] std::optional<SocketAddress> FindMappedAddress(const MessageView& message);

/// ERROR-CODE (RFC 8489 section 14.8). The reason borrows the datagram; it is the server's text,
/// so it may hold anything.
struct ErrorView {
  ErrorCode code{};
  std::string_view reason;
};

[[nodiscard]] std::optional<ErrorView> ReadError(Bytes value);
[[nodiscard]] std::optional<ErrorView> FindError(const MessageView& message);

[[nodiscard]] std::optional<std::uint32_t> FindU32(const MessageView& message, AttributeType type);
[[nodiscard]] std::optional<std::uint64_t> FindU64(const MessageView& message, AttributeType type);
/// Borrows the datagram.
[[nodiscard]] std::optional<std::string_view> FindText(const MessageView& message,
                                                       AttributeType type);

/// The first byte of a value of 4 bytes: REQUESTED-TRANSPORT, REQUESTED-ADDRESS-FAMILY.
[[nodiscard]] std::optional<std::uint8_t> FindU8(const MessageView& message, AttributeType type);

inline constexpr std::size_t kMaxUnknownAttributes = 16;

/// UNKNOWN-ATTRIBUTES. At most kMaxUnknownAttributes of them.
[[nodiscard]] std::vector<AttributeType> FindUnknownAttributes(const MessageView& message);

/// The comprehension-required attributes of the message that are not in `known`, each once, at
/// most kMaxUnknownAttributes of them: what a 420 response has to name. Does not allocate when
/// there are none.
[[nodiscard]] std::vector<AttributeType> UnknownRequired(const MessageView& message,
                                                         std::span<const AttributeType> known);

}  // namespace floe::ice::stun
