// What stands before the transport header of an inner packet: options of IPv4, extension headers of
// IPv6.
//
// Source: RFC 791 section 3.1, RFC 8200 section 4, RFC 4302 section 2.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace floe::tunnel {

inline constexpr std::uint8_t kProtocolHopByHop = 0;
inline constexpr std::uint8_t kProtocolIcmp4 = 1;
inline constexpr std::uint8_t kProtocolRouting = 43;
inline constexpr std::uint8_t kProtocolFragment = 44;
inline constexpr std::uint8_t kProtocolAuthentication = 51;
inline constexpr std::uint8_t kProtocolIcmp6 = 58;
inline constexpr std::uint8_t kProtocolDestinationOptions = 60;

inline constexpr std::size_t kFragmentHeaderSize = 8;  // bytes

/// Offsets in bytes from the beginning of the packet, all of them within it.
struct HeaderWalk {
  std::uint8_t protocol = 0;       // Of what follows the last header of IP.
  std::size_t transport = 0;       // Where that begins; it may be the end of the packet.
  bool is_later_fragment = false;  // What begins there is not a transport header.

  // Of IPv6 alone.
  std::size_t unfragmentable = 0;  // The size of what every fragment repeats, RFC 8200 section 4.5.
  std::size_t next_header = 0;     // The field that says what follows the unfragmentable part.
  std::size_t fragment = 0;        // The Fragment header, which then follows it; 0 if none.
};

/// `packet` is one whole packet with its fixed header. Nothing if one of its headers is not whole.
[[nodiscard]] std::optional<HeaderWalk> WalkHeaders(Bytes packet);

}  // namespace floe::tunnel
