#include "tunnel/packet/fragmenter.h"

#include <algorithm>
#include <optional>

#include "tunnel/packet/header_walk.h"
#include "tunnel/packet/headers.h"

namespace floe::tunnel {
namespace {

constexpr std::size_t kUnit = 8;  // bytes that offsets count
constexpr std::uint16_t kIpv4OffsetMask = 0x1FFF;
constexpr std::uint16_t kIpv6MoreFragments = 0x0001;
constexpr std::size_t kFragmentOffset = 2;  // in the Fragment header of IPv6
constexpr std::size_t kFragmentId = 4;
constexpr std::size_t kMaxWhole = 65'535;  // bytes of payload, as offsets and lengths can say

using Fragments = std::vector<std::vector<std::uint8_t>>;

/// A fragment of `header` and the beginning of `payload`, which loses it: all of it if that fits in
/// `room`, else as many units as do. At least one has to fit.
std::vector<std::uint8_t> TakeFragment(Bytes header, Bytes& payload, std::size_t room) {
  const std::size_t fits = room - header.size();
  const Bytes piece = payload.first(payload.size() <= fits ? payload.size() : fits / kUnit * kUnit);
  std::vector<std::uint8_t> fragment(header.begin(), header.end());
  fragment.insert(fragment.end(), piece.begin(), piece.end());
  payload = payload.subspan(piece.size());
  return fragment;
}

/// How an option of an IPv4 header goes on: its size, or nothing at the end of the list or where it
/// makes no sense.
std::optional<std::size_t> OptionSize(Bytes options) {
  constexpr std::uint8_t kEnd = 0;
  constexpr std::uint8_t kNoOperation = 1;
  if (options.empty() || options[0] == kEnd) {
    return std::nullopt;
  }
  if (options[0] == kNoOperation) {
    return 1;
  }
  if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) {
    return std::nullopt;
  }
  return options[1];
}

/// The header that fragments behind the first have: with those options alone whose first bit says
/// that they are copied (RFC 791 section 3.1).
std::vector<std::uint8_t> LaterHeader(Bytes header) {
  constexpr std::uint8_t kCopied = 0x80;
  std::vector<std::uint8_t> later(header.begin(), header.begin() + kIpv4HeaderSize);
  Bytes options = header.subspan(kIpv4HeaderSize);
  while (const auto size = OptionSize(options)) {
    if ((options[0] & kCopied) != 0) {
      later.insert(later.end(), options.begin(),
                   options.begin() + static_cast<std::ptrdiff_t>(*size));
    }
    options = options.subspan(*size);
  }
  later.resize((later.size() + 3) / 4 * 4);  // End of list, which is 0.
  later[0] = static_cast<std::uint8_t>(0x40U | later.size() / 4);
  return later;
}

Fragments FragmentIpv4(Bytes packet, std::size_t room, std::uint32_t id) {
  const std::size_t header_size = Ipv4HeaderSize(packet);
  const auto field = LoadBe<std::uint16_t>(packet, kIpv4Fragment);
  const bool more = (field & kIpv4MoreFragments) != 0;
  std::size_t offset = field & kIpv4OffsetMask;
  const bool has_id = more || offset != 0 || (field & kIpv4DontFragment) == 0;
  std::vector<std::uint8_t> header(packet.begin(),
                                   packet.begin() + static_cast<std::ptrdiff_t>(header_size));
  Bytes payload = packet.subspan(header_size);
  if (offset * kUnit + payload.size() > kMaxWhole) {
    return {};
  }
  Fragments fragments;
  while (!payload.empty()) {
    if (room < header.size() + kUnit) {
      return {};
    }
    const std::size_t before = payload.size();
    const MutableBytes bytes(fragments.emplace_back(TakeFragment(header, payload, room)));
    StoreBe<std::uint16_t>(bytes, kIpv4TotalLength, static_cast<std::uint16_t>(bytes.size()));
    if (!has_id) {
      StoreBe<std::uint16_t>(bytes, kIpv4Id, static_cast<std::uint16_t>(id));
    }
    StoreBe<std::uint16_t>(
        bytes, kIpv4Fragment,
        static_cast<std::uint16_t>((payload.empty() && !more ? 0 : kIpv4MoreFragments) | offset));
    WriteIpv4Checksum(bytes);
    if (offset == 0) {
      header = LaterHeader(header);
    }
    offset += (before - payload.size()) / kUnit;
  }
  return fragments;
}

Fragments FragmentIpv6(Bytes packet, std::size_t room, std::uint32_t id) {
  const auto walk = WalkHeaders(packet);
  if (!walk || room < walk->unfragmentable + kFragmentHeaderSize + kUnit) {
    return {};
  }
  const bool again = walk->fragment != 0;  // It is a fragment already.
  std::vector<std::uint8_t> header(
      packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(walk->unfragmentable));
  const std::uint8_t protocol = again ? packet[walk->fragment] : header[walk->next_header];
  const auto field =
      again ? LoadBe<std::uint16_t>(packet, walk->fragment + kFragmentOffset) : std::uint16_t{0};
  const std::uint32_t own_id =
      again ? LoadBe<std::uint32_t>(packet, walk->fragment + kFragmentId) : id;
  header[walk->next_header] = kProtocolFragment;
  header.resize(walk->unfragmentable + kFragmentHeaderSize);
  header[walk->unfragmentable] = protocol;
  StoreBe(MutableBytes(header), walk->unfragmentable + kFragmentId, own_id);

  Bytes payload = packet.subspan(walk->unfragmentable + (again ? kFragmentHeaderSize : 0));
  std::size_t offset = field / kUnit * kUnit;  // The field counts units above three flags: bytes.
  if (offset + payload.size() > kMaxWhole) {
    return {};
  }
  Fragments fragments;
  while (!payload.empty()) {
    const std::size_t before = payload.size();
    const MutableBytes bytes(fragments.emplace_back(TakeFragment(header, payload, room)));
    StoreBe<std::uint16_t>(bytes, kIpv6PayloadLength,
                           static_cast<std::uint16_t>(bytes.size() - kIpv6HeaderSize));
    const std::uint16_t more = payload.empty()
                                   ? static_cast<std::uint16_t>(field & kIpv6MoreFragments)
                                   : kIpv6MoreFragments;
    StoreBe<std::uint16_t>(bytes, walk->unfragmentable + kFragmentOffset,
                           static_cast<std::uint16_t>(offset | more));
    offset += before - payload.size();
  }
  return fragments;
}

}  // namespace

Fragments Fragment(Bytes packet, std::size_t room, std::uint32_t id) {
  return packet[0] >> 4U == 4 ? FragmentIpv4(packet, room, id) : FragmentIpv6(packet, room, id);
}

}  // namespace floe::tunnel
