// A queue that takes no memory while it is empty. A std::deque takes more than half a kilobyte,
// which adds up where each of a thousand peers has several.

#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace floe {

template <typename T>
class Fifo {
 public:
  void Push(T item) {
    if (first_ > items_.size() / 2) {  // Most of it has been taken: it does not grow for ever.
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(first_));
      first_ = 0;
    }
    items_.push_back(std::move(item));
  }

  /// Takes the oldest, if there is one.
  [[nodiscard]] std::optional<T> Poll() {
    if (empty()) {
      return std::nullopt;
    }
    std::optional<T> item(std::move(items_[first_]));
    ++first_;
    if (empty()) {
      Clear();
    }
    return item;
  }

  [[nodiscard]] bool Contains(const T& item) const {
    return std::find(items_.begin() + static_cast<std::ptrdiff_t>(first_), items_.end(), item) !=
           items_.end();
  }

  void Remove(const T& item) {
    const auto waiting = items_.begin() + static_cast<std::ptrdiff_t>(first_);
    items_.erase(std::remove(waiting, items_.end(), item), items_.end());
  }

  void Clear() {
    items_ = std::vector<T>();  // Which gives the memory back.
    first_ = 0;
  }

  [[nodiscard]] bool empty() const { return first_ == items_.size(); }

  [[nodiscard]] std::size_t size() const { return items_.size() - first_; }

 private:
  std::vector<T> items_;
  std::size_t first_ = 0;  // Those before it have been taken.
};

}  // namespace floe
