// Bytes that must not leak: zeroed when they go, compared in constant time, never copied by
// accident, never formatted.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <sodium.h>
#include <string>
#include <utility>

#include "base/bytes.h"

namespace floe {

template <std::size_t N>
class Secret {
 public:
  Secret() = default;

  /// Copies `bytes`, which must hold N: the caller has checked.
  explicit Secret(Bytes bytes) { std::ranges::copy(bytes.first(N), bytes_.begin()); }

  ~Secret() { Wipe(); }

  Secret(Secret&& other) noexcept : bytes_(other.bytes_) { other.Wipe(); }

  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      other.Wipe();
    }
    return *this;
  }

  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  /// A copy, where one is really wanted.
  [[nodiscard]] Secret Clone() const { return Secret(bytes()); }

  [[nodiscard]] Bytes bytes() const { return bytes_; }

  [[nodiscard]] MutableBytes mutable_bytes() { return bytes_; }

  [[nodiscard]] const std::uint8_t* data() const { return bytes_.data(); }

  [[nodiscard]] std::uint8_t* data() { return bytes_.data(); }

  /// In constant time.
  [[nodiscard]] bool operator==(const Secret& other) const {
    return sodium_memcmp(bytes_.data(), other.bytes_.data(), N) == 0;
  }

  [[nodiscard]] bool is_zero() const { return sodium_is_zero(bytes_.data(), N) != 0; }

  void Wipe() { sodium_memzero(bytes_.data(), N); }

 private:
  std::array<std::uint8_t, N> bytes_{};
};

/// Memory of `Upstream` that is zeroed before it is given back.
template <typename T, typename Upstream = std::allocator<T>>
struct WipingAllocator {
  using value_type = T;

  [[nodiscard]] T* allocate(std::size_t count) { return Upstream().allocate(count); }

  void deallocate(T* memory, std::size_t count) {
    sodium_memzero(memory, count * sizeof(T));
    Upstream().deallocate(memory, count);
  }

  bool operator==(const WipingAllocator& /*other*/) const = default;
};

/// A secret that several need a copy of, such as an ICE password: each copy is wiped when it goes.
/// Less than 16 characters are kept within the object, where they are not.
using WipedText = std::basic_string<char, std::char_traits<char>, WipingAllocator<char>>;

/// A byte string of any length with the same care. Used for passwords, which have no fixed size.
class SecretString {
 public:
  SecretString() = default;

  explicit SecretString(std::string text) : text_(std::move(text)) {}

  ~SecretString() { Wipe(); }

  SecretString(SecretString&& other) noexcept : text_(std::move(other.text_)) { other.Wipe(); }

  SecretString& operator=(SecretString&& other) noexcept {
    if (this != &other) {
      Wipe();
      text_ = std::move(other.text_);
      other.Wipe();
    }
    return *this;
  }

  SecretString(const SecretString&) = delete;
  SecretString& operator=(const SecretString&) = delete;

  [[nodiscard]] SecretString Clone() const { return SecretString(text_); }

  /// Borrows this object.
  [[nodiscard]] const std::string& text() const { return text_; }

  [[nodiscard]] bool empty() const { return text_.empty(); }

 private:
  void Wipe() {
    sodium_memzero(text_.data(), text_.size());
    text_.clear();
  }

  std::string text_;
};

}  // namespace floe
