#include "ice/stun/builder.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "ice/stun/attributes.h"
#include "ice/stun/integrity.h"

namespace floe::ice::stun {
namespace {

constexpr std::size_t kLengthOffset = 2;
constexpr std::size_t kCookieOffset = 4;
constexpr std::size_t kTransactionIdOffset = 8;
constexpr std::size_t kMaxLength = 0xFFFC;  // The largest multiple of 4 the length field holds.

// RFC 8489 figure 3; MessageView unweaves it.
std::uint16_t MessageType(Class message_class, Method method) {
  const std::uint32_t c = static_cast<std::uint8_t>(message_class);
  const std::uint32_t m = static_cast<std::uint16_t>(method);
  return static_cast<std::uint16_t>(((m & 0xF80U) << 2U) | ((m & 0x070U) << 1U) | (m & 0x00FU) |
                                    ((c & 0b10U) << 7U) | ((c & 0b01U) << 4U));
}

}  // namespace

TransactionId NewTransactionId(RandomSource& random) {
  TransactionId id{};
  random.Fill(id);
  return id;
}

Builder::Builder(Class message_class, Method method, const TransactionId& id, std::size_t capacity)
    : id_(id) {
  message_.reserve(capacity);
  message_.resize(kHeaderSize);
  StoreBe(MutableBytes(message_), 0, MessageType(message_class, method));
  StoreBe(MutableBytes(message_), kCookieOffset, kMagicCookie);
  std::ranges::copy(id, message_.begin() + kTransactionIdOffset);
}

Builder& Builder::Add(AttributeType type, Bytes value) {
  const std::size_t start = message_.size();
  const std::size_t padded = (value.size() + 3) & ~std::size_t{3};
  const std::size_t end = start + kAttributeHeaderSize + padded;
  FLOE_CHECK(end - kHeaderSize <= kMaxLength);
  message_.resize(end);
  const MutableBytes message(message_);
  StoreBe(message, start, static_cast<std::uint16_t>(type));
  StoreBe(message, start + 2, static_cast<std::uint16_t>(value.size()));
  std::ranges::copy(value, message.subspan(start + kAttributeHeaderSize).begin());
  StoreBe(message, kLengthOffset, static_cast<std::uint16_t>(end - kHeaderSize));
  return *this;
}

Builder& Builder::AddU32(AttributeType type, std::uint32_t value) {
  std::array<std::uint8_t, sizeof(value)> bytes{};
  StoreBe(MutableBytes(bytes), 0, value);
  return Add(type, bytes);
}

Builder& Builder::AddU64(AttributeType type, std::uint64_t value) {
  std::array<std::uint8_t, sizeof(value)> bytes{};
  StoreBe(MutableBytes(bytes), 0, value);
  return Add(type, bytes);
}

Builder& Builder::AddU8(AttributeType type, std::uint8_t value) {
  return AddU32(type, std::uint32_t{value} << 24U);
}

Builder& Builder::AddAddress(AttributeType type, const SocketAddress& address) {
  return Add(type, EncodeXorAddress(address, id_).view());
}

Builder& Builder::AddPlainAddress(AttributeType type, const SocketAddress& address) {
  return Add(type, EncodeAddress(address).view());
}

Builder& Builder::AddErrorCode(ErrorCode code, std::string_view reason) {
  const auto number = static_cast<std::uint16_t>(code);
  std::vector<std::uint8_t> value = {0, 0, static_cast<std::uint8_t>(number / 100),
                                     static_cast<std::uint8_t>(number % 100)};
  value.insert(value.end(), reason.begin(), reason.end());
  return Add(AttributeType::kErrorCode, value);
}

Builder& Builder::AddUnknownAttributes(std::span<const AttributeType> types) {
  std::vector<std::uint8_t> value(types.size() * sizeof(std::uint16_t));
  for (std::size_t i = 0; i < types.size(); ++i) {
    StoreBe(MutableBytes(value), i * sizeof(std::uint16_t), static_cast<std::uint16_t>(types[i]));
  }
  return Add(AttributeType::kUnknownAttributes, value);
}

Builder& Builder::AddIntegrity(Bytes key) {
  return Add(AttributeType::kMessageIntegrity, ComputeIntegrity(message_, key));
}

Builder& Builder::AddIntegritySha256(Bytes key) {
  return Add(AttributeType::kMessageIntegritySha256, ComputeIntegritySha256(message_, key));
}

Builder& Builder::AddFingerprint() {
  return AddU32(AttributeType::kFingerprint, ComputeFingerprint(message_));
}

std::vector<std::uint8_t> Builder::Take() {
  return std::exchange(message_, {});
}

}  // namespace floe::ice::stun
