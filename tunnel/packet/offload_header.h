// What the kernel says of a packet that it gives to a TUN device with offloads, and is told of one
// that it is given: that checksums are left to do, and that it is many packets in one.
//
// Source: struct virtio_net_hdr of Linux (include/uapi/linux/virtio_net.h, which is no C++), and
// section 5.1.6 of the VIRTIO specification.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace floe::tunnel {

inline constexpr std::size_t kOffloadHeaderSize = 10;  // bytes

struct OffloadHeader {
  enum class Segments : std::uint8_t { kNone = 0, kTcp4 = 1, kTcp6 = 4, kUdp = 5 };

  Segments segments = Segments::kNone;
  bool needs_checksum = false;
  bool congestion_window_reduced = false;  // TCP's CWR bit is on the first segment alone.
  std::uint16_t header_size = 0;           // bytes of all headers. A hint.
  std::uint16_t segment_size = 0;          // bytes of payload in each but the last
  std::uint16_t checksum_start = 0;        // where the transport header begins
  std::uint16_t checksum_offset = 0;       // of the checksum in the transport header

  bool operator==(const OffloadHeader&) const = default;

  /// From the first kOffloadHeaderSize bytes: the caller has checked. Nothing for segments of a
  /// kind that nobody asked for.
  [[nodiscard]] static std::optional<OffloadHeader> Parse(Bytes bytes);

  /// To the first kOffloadHeaderSize bytes.
  void Store(MutableBytes bytes) const;
};

}  // namespace floe::tunnel
