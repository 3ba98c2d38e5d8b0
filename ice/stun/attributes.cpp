#include "ice/stun/attributes.h"

#include <algorithm>

namespace floe::ice::stun {
namespace {

constexpr std::size_t kPortOffset = 2;
constexpr std::size_t kIpOffset = 4;

/// What addresses are XORed with: the magic cookie, then the transaction id.
std::array<std::uint8_t, 16> XorPad(const TransactionId& id) {
  std::array<std::uint8_t, 16> pad{};
  StoreBe(MutableBytes(pad), 0, kMagicCookie);
  std::ranges::copy(id, pad.begin() + sizeof(kMagicCookie));
  return pad;
}

/// XORs port and address in place. `value` is an encoded address.
void ApplyXor(MutableBytes value, const TransactionId& id) {
  const auto pad = XorPad(id);
  value[kPortOffset] ^= pad[0];
  value[kPortOffset + 1] ^= pad[1];
  for (std::size_t i = kIpOffset; i < value.size(); ++i) {
    value[i] ^= pad[i - kIpOffset];
  }
}

}  // namespace

EncodedAddress EncodeAddress(const SocketAddress& address) {
  EncodedAddress encoded;
  const Bytes octets = address.ip.octets();
  encoded.size = kIpOffset + octets.size();
  encoded.bytes[1] = address.ip.is_v4() ? kFamilyIpv4 : kFamilyIpv6;
  StoreBe(MutableBytes(encoded.bytes), kPortOffset, address.port);
  std::ranges::copy(octets, encoded.bytes.begin() + kIpOffset);
  return encoded;
}

std::optional<SocketAddress> ReadAddress(Bytes value) {
  const bool v4 = value.size() == 8 && value[1] == kFamilyIpv4;
  const bool v6 = value.size() == 20 && value[1] == kFamilyIpv6;
  if (!v4 && !v6) {
    return std::nullopt;
  }
  return SocketAddress{.ip = IpAddress::FromBytes(value.subspan(kIpOffset)),
                       .port = LoadBe<std::uint16_t>(value, kPortOffset)};
}

EncodedAddress EncodeXorAddress(const SocketAddress& address, const TransactionId& id) {
  EncodedAddress encoded = EncodeAddress(address);
  ApplyXor(MutableBytes(encoded.bytes).first(encoded.size), id);
  return encoded;
}

std::optional<SocketAddress> ReadXorAddress(Bytes value, const TransactionId& id) {
  EncodedAddress plain;
  if (value.size() < kIpOffset || value.size() > plain.bytes.size()) {
    return std::nullopt;
  }
  plain.size = value.size();
  std::ranges::copy(value, plain.bytes.begin());
  ApplyXor(MutableBytes(plain.bytes).first(plain.size), id);
  return ReadAddress(plain.view());
}

std::optional<SocketAddress> FindXorAddress(const MessageView& message, AttributeType type) {
  const auto value = message.Find(type);
  return value ? ReadXorAddress(*value, message.transaction_id()) : std::nullopt;
}

std::optional<SocketAddress> FindMappedAddress(const MessageView& message) {
  if (message.Find(AttributeType::kXorMappedAddress)) {
    return FindXorAddress(message, AttributeType::kXorMappedAddress);
  }
  const auto value = message.Find(AttributeType::kMappedAddress);
  return value ? ReadAddress(*value) : std::nullopt;
}

std::optional<ErrorView> ReadError(Bytes value) {
  // Two bytes of 0, three bits of class (3 to 6) in the third, the rest of the number in the
  // fourth, then the reason.
  if (value.size() < 4) {
    return std::nullopt;
  }
  const auto hundreds = static_cast<std::uint16_t>(value[2] & 0x07U);
  const std::uint16_t rest = value[3];
  if (hundreds < 3 || hundreds > 6 || rest > 99) {
    return std::nullopt;
  }
  return ErrorView{.code = ErrorCode{static_cast<std::uint16_t>(hundreds * 100 + rest)},
                   .reason = AsText(value.subspan(4))};
}

std::optional<ErrorView> FindError(const MessageView& message) {
  const auto value = message.Find(AttributeType::kErrorCode);
  return value ? ReadError(*value) : std::nullopt;
}

std::optional<std::uint32_t> FindU32(const MessageView& message, AttributeType type) {
  const auto value = message.Find(type);
  if (!value || value->size() != sizeof(std::uint32_t)) {
    return std::nullopt;
  }
  return LoadBe<std::uint32_t>(*value, 0);
}

std::optional<std::uint64_t> FindU64(const MessageView& message, AttributeType type) {
  const auto value = message.Find(type);
  if (!value || value->size() != sizeof(std::uint64_t)) {
    return std::nullopt;
  }
  return LoadBe<std::uint64_t>(*value, 0);
}

std::optional<std::string_view> FindText(const MessageView& message, AttributeType type) {
  const auto value = message.Find(type);
  return value ? std::optional(AsText(*value)) : std::nullopt;
}

std::optional<std::uint8_t> FindU8(const MessageView& message, AttributeType type) {
  const auto value = FindU32(message, type);
  return value ? std::optional(static_cast<std::uint8_t>(*value >> 24U)) : std::nullopt;
}

std::vector<AttributeType> FindUnknownAttributes(const MessageView& message) {
  std::vector<AttributeType> types;
  const Bytes value = message.Find(AttributeType::kUnknownAttributes).value_or(Bytes{});
  for (std::size_t offset = 0;
       offset + sizeof(std::uint16_t) <= value.size() && types.size() < kMaxUnknownAttributes;
       offset += sizeof(std::uint16_t)) {
    types.push_back(AttributeType{LoadBe<std::uint16_t>(value, offset)});
  }
  return types;
}

std::vector<AttributeType> UnknownRequired(const MessageView& message,
                                           std::span<const AttributeType> known) {
  std::vector<AttributeType> unknown;
  for (const AttributeView attribute : message.attributes()) {
    if (IsComprehensionRequired(attribute.type) &&
        std::ranges::find(known, attribute.type) == known.end() &&
        std::ranges::find(unknown, attribute.type) == unknown.end() &&
        unknown.size() < kMaxUnknownAttributes) {
      unknown.push_back(attribute.type);
    }
  }
  return unknown;
}

}  // namespace floe::ice::stun
