// Where a random life takes its decisions from: a seed, or the bytes that a fuzzer made.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "tests/support/fake_random.h"

namespace floe::sim {

class Choices {
 public:
  explicit Choices(std::uint64_t seed) { random_.emplace(seed); }

  /// `bytes` must outlive the choices.
  explicit Choices(Bytes bytes) : bytes_(bytes) {}

  /// A number from 0 to `limit` - 1; 0 once the bytes are used up. `limit` is at most 65,536.
  [[nodiscard]] std::size_t Below(std::size_t limit) {
    if (random_) {
      return static_cast<std::size_t>(random_->Next() % limit);
    }
    std::size_t value = TakeByte();
    if (limit > 256) {
      value = value << 8U | TakeByte();
    }
    return value % limit;
  }

  /// Whether there is nothing left to decide with. Never so with a seed.
  [[nodiscard]] bool done() const { return !random_ && bytes_.empty(); }

 private:
  std::size_t TakeByte() {
    if (bytes_.empty()) {
      return 0;
    }
    const std::uint8_t byte = bytes_[0];
    bytes_ = bytes_.subspan(1);
    return byte;
  }

  std::optional<test::FakeRandom> random_;
  Bytes bytes_;
};

}  // namespace floe::sim
