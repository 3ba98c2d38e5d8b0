// STUN attributes out of the input of a fuzz target, for messages that are wrong in every way but
// the one that would have them dropped at once.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "base/socket_address.h"
#include "ice/stun/builder.h"
#include "ice/stun/registry.h"
#include "tests/fuzz/steps.h"

namespace floe::fuzz {

inline constexpr std::array kForgedTypes = {
    ice::stun::AttributeType::kPriority,
    ice::stun::AttributeType::kIceControlled,
    ice::stun::AttributeType::kIceControlling,
    ice::stun::AttributeType::kUseCandidate,
    ice::stun::AttributeType::kNomination,
    ice::stun::AttributeType::kXorMappedAddress,
    ice::stun::AttributeType::kMappedAddress,
    ice::stun::AttributeType::kErrorCode,
    ice::stun::AttributeType::kUnknownAttributes,
    ice::stun::AttributeType::kUsername,
    ice::stun::AttributeType::kXorRelayedAddress,
    ice::stun::AttributeType::kXorPeerAddress,
    ice::stun::AttributeType::kLifetime,
    ice::stun::AttributeType::kData,
    ice::stun::AttributeType::kRealm,
    ice::stun::AttributeType::kNonce,
    ice::stun::AttributeType::kChannelNumber,
    ice::stun::AttributeType::kAlternateServer,
    ice::stun::AttributeType::kPasswordAlgorithms,
    ice::stun::AttributeType::kPasswordAlgorithm,
    ice::stun::AttributeType::kRequestedAddressFamily,
    ice::stun::AttributeType::kReservationToken,
    ice::stun::AttributeType::kDontFragment,
    ice::stun::AttributeType::kMessageIntegrity,
};

/// Each attribute is one byte that names its type and form, one byte of length or, for an address,
/// its place in `addresses`, and the value. The forms, by the two upper bits: 0 the value as it
/// stands, 1 the same with a type of any number in front, 2 an XORed address, 3 a plain one.
inline void AddForged(ice::stun::Builder& builder, Bytes program,
                      std::span<const SocketAddress> addresses) {
  while (program.size() >= 2) {
    const std::uint8_t head = TakeByte(program);
    const std::uint8_t amount = TakeByte(program);
    auto type = kForgedTypes.at((head & 0x3FU) % kForgedTypes.size());
    const unsigned form = head >> 6U;
    if (form >= 2 && !addresses.empty()) {
      const SocketAddress& address = addresses[amount % addresses.size()];
      if (form == 2) {
        builder.AddAddress(type, address);
      } else {
        builder.AddPlainAddress(type, address);
      }
      continue;
    }
    if (form == 1 && program.size() >= 2) {
      type = ice::stun::AttributeType{LoadBe<std::uint16_t>(program, 0)};
      program = program.subspan(2);
    }
    const Bytes value = program.first(std::min<std::size_t>(amount, program.size()));
    builder.Add(type, value);
    program = program.subspan(value.size());
  }
}

}  // namespace floe::fuzz
