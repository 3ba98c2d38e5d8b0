#include "tunnel/packet/ecn.h"

#include "tunnel/packet/checksum.h"
#include "tunnel/packet/headers.h"

namespace floe::tunnel {
namespace {

constexpr std::uint8_t kMark = 3;
constexpr std::uint32_t kIpv6MarkShift = 4;  // In the second byte of the header.

/// A word of the header has been changed: RFC 1624 equation 3.
void UpdateIpv4Checksum(MutableBytes packet, std::uint16_t before, std::uint16_t after) {
  const auto old = static_cast<std::uint16_t>(~LoadBe<std::uint16_t>(packet, kIpv4Checksum));
  const auto gone = static_cast<std::uint16_t>(~before);
  StoreBe<std::uint16_t>(packet, kIpv4Checksum,
                         Checksum(std::uint64_t{old} + gone + std::uint64_t{after}));
}

void WriteEcn(MutableBytes packet, Ecn mark) {
  const auto bits = static_cast<std::uint8_t>(mark);
  if (packet[0] >> 4U == 6) {
    packet[1] = static_cast<std::uint8_t>((packet[1] & ~(kMark << kIpv6MarkShift)) |
                                          (bits << kIpv6MarkShift));
    return;
  }
  const auto before = LoadBe<std::uint16_t>(packet, 0);
  packet[kIpv4Tos] = static_cast<std::uint8_t>((packet[kIpv4Tos] & ~kMark) | bits);
  UpdateIpv4Checksum(packet, before, LoadBe<std::uint16_t>(packet, 0));
}

}  // namespace

Ecn ReadEcn(Bytes packet) {
  if (packet.size() <= kIpv4Tos) {
    return Ecn::kNotEct;
  }
  switch (packet[0] >> 4U) {
    case 4:
      return EcnOf(packet[kIpv4Tos]);
    case 6:
      return EcnOf(static_cast<std::uint8_t>(packet[1] >> kIpv6MarkShift));
    default:
      return Ecn::kNotEct;
  }
}

// Figure 4 of RFC 6040. Where a row says that the outer mark is not to be expected, it still says
// what becomes of the inner one.
bool MergeEcn(MutableBytes inner, Ecn outer) {
  const Ecn own = ReadEcn(inner);
  switch (outer) {
    case Ecn::kNotEct:
    case Ecn::kEct0:
      return true;
    case Ecn::kEct1:
      if (own == Ecn::kEct0) {
        WriteEcn(inner, Ecn::kEct1);
      }
      return true;
    case Ecn::kCe:
      if (own == Ecn::kNotEct) {
        return false;
      }
      if (own != Ecn::kCe) {
        WriteEcn(inner, Ecn::kCe);
      }
      return true;
  }
  return true;
}

}  // namespace floe::tunnel
