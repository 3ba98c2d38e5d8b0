#include "ice/stun/integrity.h"

#include <array>
#include <sodium.h>

namespace floe::ice::stun {
namespace {

constexpr std::size_t kLengthOffset = 2;
constexpr std::uint32_t kFingerprintXor = 0x5354'554E;  // "STUN", RFC 8489 section 14.7

/// The first four bytes of `head`, with the length the message has once an attribute with a value
/// of `value_size` bytes has been put behind it.
std::array<std::uint8_t, 4> PatchedStart(Bytes head, std::size_t value_size) {
  std::array<std::uint8_t, 4> start = {head[0], head[1], 0, 0};
  const std::size_t length = head.size() + kAttributeHeaderSize + value_size - kHeaderSize;
  StoreBe(MutableBytes(start), kLengthOffset, static_cast<std::uint16_t>(length));
  return start;
}

/// The table of the CRC-32 of ITU-T V.42, reflected, polynomial 0x04C11DB7.
constexpr std::array<std::uint32_t, 256> kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xEDB8'8320U : 0U);
    }
    table[i] = crc;
  }
  return table;
}();

std::uint32_t UpdateCrc(std::uint32_t crc, Bytes bytes) {
  for (const std::uint8_t byte : bytes) {
    crc = kCrcTable[(crc ^ byte) & 0xFFU] ^ (crc >> 8U);
  }
  return crc;
}

template <typename Tag>
bool Matches(Bytes value, const Tag& expected) {
  return value.size() == expected.size() &&
         sodium_memcmp(value.data(), expected.data(), expected.size()) == 0;
}

}  // namespace

Sha1Tag ComputeIntegrity(Bytes head, Bytes key) {
  const auto start = PatchedStart(head, Sha1Tag{}.size());
  return HmacSha1(key, {start, head.subspan(start.size())});
}

Sha256Tag ComputeIntegritySha256(Bytes head, Bytes key) {
  const auto start = PatchedStart(head, Sha256Tag{}.size());
  return HmacSha256(key, {start, head.subspan(start.size())});
}

std::uint32_t ComputeFingerprint(Bytes head) {
  const auto start = PatchedStart(head, sizeof(std::uint32_t));
  const std::uint32_t crc = UpdateCrc(UpdateCrc(~0U, start), head.subspan(start.size()));
  return ~crc ^ kFingerprintXor;
}

bool VerifyIntegrity(const MessageView& message, Bytes key) {
  const auto attribute = message.FindAttribute(AttributeType::kMessageIntegrity);
  return attribute &&
         Matches(attribute->value, ComputeIntegrity(message.bytes().first(attribute->offset), key));
}

bool VerifyIntegritySha256(const MessageView& message, Bytes key) {
  const auto attribute = message.FindAttribute(AttributeType::kMessageIntegritySha256);
  return attribute && Matches(attribute->value, ComputeIntegritySha256(
                                                    message.bytes().first(attribute->offset), key));
}

bool VerifyFingerprint(const MessageView& message) {
  const auto attribute = message.FindAttribute(AttributeType::kFingerprint);
  if (!attribute || attribute->value.size() != sizeof(std::uint32_t)) {
    return false;
  }
  const std::size_t end = attribute->offset + kAttributeHeaderSize + attribute->value.size();
  return end == message.bytes().size() &&
         LoadBe<std::uint32_t>(attribute->value, 0) ==
             ComputeFingerprint(message.bytes().first(attribute->offset));
}

}  // namespace floe::ice::stun
