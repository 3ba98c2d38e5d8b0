// How much of the heap belongs to one part of a program: what that part has allocated and nobody
// has freed since. A program that links heap_count.cpp has its operator new replaced.

#pragma once

#include <cstddef>

namespace floe::test {

/// While one exists, what operator new hands out is counted. Not for more than one thread.
class HeapScope {
 public:
  HeapScope();
  ~HeapScope();
  HeapScope(const HeapScope&) = delete;
  HeapScope& operator=(const HeapScope&) = delete;

 private:
  bool before_;
};

/// Bytes that were handed out within a HeapScope and are not freed, wherever they would be freed:
/// as blocks of glibc, which has 8 bytes before each and makes each a multiple of 16, at least 32.
[[nodiscard]] std::size_t CountedHeap();

}  // namespace floe::test
