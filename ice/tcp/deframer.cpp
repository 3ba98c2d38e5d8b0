#include "ice/tcp/deframer.h"

#include <algorithm>
#include <utility>

namespace floe::ice::tcp {

bool Deframer::Fill(std::size_t size) {
  const Bytes more = input_.first(std::min(size - std::min(size, kept_.size()), input_.size()));
  kept_.insert(kept_.end(), more.begin(), more.end());
  input_ = input_.subspan(more.size());
  return kept_.size() >= size;
}

std::optional<Bytes> Deframer::Poll() {
  for (;;) {
    if (std::exchange(handed_out_, false)) {
      kept_.clear();
    }
    if (!Fill(kFrameHeaderSize)) {
      return std::nullopt;
    }
    const std::size_t size = LoadBe<std::uint16_t>(kept_, 0);
    if (!Fill(kFrameHeaderSize + size)) {
      return std::nullopt;
    }
    handed_out_ = true;
    if (size > 0) {
      return Bytes(kept_).subspan(kFrameHeaderSize);
    }
  }
}

}  // namespace floe::ice::tcp
