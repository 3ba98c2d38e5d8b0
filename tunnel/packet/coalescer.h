// Joins packets of one flow that follow each other, so that the kernel takes them as one: the
// opposite of Segmenter.
//
// Source: Documentation/networking/segmentation-offloads.rst of Linux (generic receive offload).

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "tunnel/packet/headers.h"
#include "tunnel/packet/offload_header.h"

namespace floe::tunnel {

/// What the kernel can be given as one.
struct Joinable {
  bool tcp = true;
  bool udp = true;
};

/// For a batch: Add() all, then write Finish(), then Clear(). Packets of a flow keep their order.
/// Only packets are joined that differ in nothing but what cutting them again restores, and whose
/// checksums are right: the kernel does not look at those of joined packets.
class Coalescer {
 public:
  static constexpr std::size_t kMaxGroups = 64;
  static constexpr std::size_t kMaxSegments = 64;  // As many as Linux takes of UDP.

  /// One write to the device: `offload`, then all of `parts`, the first of which has the headers.
  class Group {
   public:
    [[nodiscard]] Bytes offload() const { return offload_; }

    [[nodiscard]] std::span<const Bytes> parts() const { return std::span(parts_).first(count_); }

   private:
    friend class Coalescer;

    std::array<std::uint8_t, kOffloadHeaderSize> offload_{};
    std::array<Bytes, kMaxSegments> parts_{};
    std::size_t count_ = 0;
    MutableBytes first_;
    TransportLayout layout_;
    std::size_t segment_size_ = 0;  // bytes of payload of the first
    std::size_t size_ = 0;          // bytes of the joined packet
    bool open_ = false;             // Whether another may follow.
    bool push_ = false;
  };

  explicit Coalescer(Joinable joinable) : joinable_(joinable) {}

  /// From now on, join these and no others.
  void SetJoinable(Joinable joinable) { joinable_ = joinable; }

  /// No room for another packet that joins nothing.
  [[nodiscard]] bool full() const { return count_ == kMaxGroups; }

  /// One IP packet, without anything behind it. Borrowed until Clear(), and its headers may be
  /// changed. Requires !full().
  void Add(MutableBytes packet);

  /// Borrows this object and the packets until Clear().
  [[nodiscard]] std::span<const Group> Finish();

  void Clear() { count_ = 0; }

 private:
  [[nodiscard]] Group* OpenGroupOfFlow(const TransportLayout& layout, Bytes packet);
  [[nodiscard]] bool Append(Group& group, const TransportLayout& layout, Bytes packet);
  static void WriteHeaders(Group& group);

  Joinable joinable_;
  std::array<Group, kMaxGroups> groups_{};
  std::size_t count_ = 0;
};

}  // namespace floe::tunnel
