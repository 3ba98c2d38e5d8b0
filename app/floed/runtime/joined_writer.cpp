#include "app/floed/runtime/joined_writer.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/log.h"
#include "tunnel/packet/offload_header.h"
#include "tunnel/packet/segmenter.h"

namespace floe::daemon {

Result<void> JoinedWriter::Write(const tunnel::Coalescer::Group& group) {
  static_assert(tunnel::kOffloadHeaderSize == tun::Device::kHeaderSize);
  static_assert(tun::Device::kMaxParts > tunnel::Coalescer::kMaxSegments);
  std::array<Bytes, tun::Device::kMaxParts> parts;
  parts[0] = group.offload();
  std::ranges::copy(group.parts(), parts.begin() + 1);
  const auto taken = device_.Write(std::span(parts).first(group.parts().size() + 1));
  if (!taken) {
    return Fail(taken.error());
  }
  if (group.parts().size() == 1) {
    return {};
  }
  if (!*taken) {
    return WriteCut(group);
  }
  refused_tcp_ = 0;
  refused_udp_ = 0;
  return {};
}

Result<void> JoinedWriter::WriteCut(const tunnel::Coalescer::Group& group) {
  std::vector<std::uint8_t> joined;
  for (const Bytes part : group.parts()) {
    joined.insert(joined.end(), part.begin(), part.end());
  }
  const auto header = tunnel::OffloadHeader::Parse(group.offload());
  auto segmenter = header ? tunnel::Segmenter::Make(*header, joined) : std::nullopt;
  if (!segmenter) {
    return {};
  }
  constexpr std::array<std::uint8_t, tun::Device::kHeaderSize> kWhole{};
  bool any_taken = false;
  while (const auto packet = segmenter->Next()) {
    const auto taken = device_.Write(std::array<Bytes, 2>{kWhole, *packet});
    if (!taken) {
      return Fail(taken.error());
    }
    any_taken = any_taken || *taken;
  }
  // If these are not taken either, the interface is switched off or the memory is gone.
  const bool udp = header->segments == tunnel::OffloadHeader::Segments::kUdp;
  std::atomic<int>& refused = udp ? refused_udp_ : refused_tcp_;
  std::atomic<bool>& joinable = udp ? udp_ : tcp_;
  refused += any_taken ? 1 : 0;
  if (joinable && refused >= kMaxRefusals) {
    joinable = false;
    log::Warn("the kernel does not take joined {} packets; they go one by one",
              udp ? "UDP" : "TCP");
  }
  return {};
}

}  // namespace floe::daemon
