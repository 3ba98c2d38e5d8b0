// The part of an inner IP packet that a tunnel looks at: its version, length, and addresses.
//
// Source: RFC 791 section 3.1, RFC 8200 section 3.

#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/socket_address.h"

namespace floe::tunnel {

/// A packet whose header is whole and whose length has been checked. Borrows the bytes.
class IpPacketView {
 public:
  /// `bytes` holds one packet, and maybe padding behind it. Nothing if it is neither IPv4 nor IPv6,
  /// or says that it is longer than `bytes`.
  [[nodiscard]] static std::optional<IpPacketView> Parse(Bytes bytes);

  [[nodiscard]] IpAddress source() const;
  [[nodiscard]] IpAddress destination() const;

  /// The packet without what was behind it.
  [[nodiscard]] Bytes bytes() const { return bytes_; }

 private:
  explicit IpPacketView(Bytes bytes) : bytes_(bytes) {}

  [[nodiscard]] bool is_v4() const { return bytes_[0] >> 4U == 4; }

  Bytes bytes_;
};

}  // namespace floe::tunnel
