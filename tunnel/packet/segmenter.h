// Cuts what the kernel hands over as one large TCP or UDP packet into the packets it stands for.
//
// Source: Documentation/networking/segmentation-offloads.rst of Linux; RFC 9293, RFC 768, RFC 6864
// (IPv4 identification).

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "tunnel/packet/headers.h"
#include "tunnel/packet/offload_header.h"

namespace floe::tunnel {

/// Cuts in place: each packet's headers are written over the end of the payload before it, which
/// must have been used by then. Nothing is copied but headers.
class Segmenter {
 public:
  /// `packet` is one packet that came with `header`; it stays where it is and is changed. Nothing
  /// if the two contradict each other.
  [[nodiscard]] static std::optional<Segmenter> Make(const OffloadHeader& header,
                                                     MutableBytes packet);

  /// The next packet, ready to be sent, with checksums; nothing after the last. It borrows the
  /// packet given to Make, until the next call.
  [[nodiscard]] std::optional<MutableBytes> Next();

 private:
  Segmenter(MutableBytes packet, TransportLayout layout, std::size_t segment_size,
            std::uint8_t flags);

  [[nodiscard]] MutableBytes Cut();
  void WriteLengths(MutableBytes segment) const;
  void WriteTcp(MutableBytes transport, bool is_last) const;

  MutableBytes packet_;
  TransportLayout layout_;
  std::size_t segment_size_ = 0;  // bytes of payload; 0: a packet that is whole already
  std::uint8_t tcp_flags_ = 0;    // Of the packet as it came.
  std::uint32_t sequence_ = 0;    // As it came.
  std::uint16_t ip_id_ = 0;       // As it came.
  std::size_t at_ = 0;            // The payload of the next packet.
  std::size_t count_ = 0;
};

}  // namespace floe::tunnel
