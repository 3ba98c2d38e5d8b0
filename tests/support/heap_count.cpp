#include "tests/support/heap_count.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

// Before each block, 16 bytes so that what follows stays aligned: its size if it is counted.
constexpr std::size_t kHeader = 16;

bool counting = false;
std::size_t counted = 0;

std::size_t BlockSize(std::size_t size) {
  return std::max<std::size_t>(32, (size + 8 + 15) / 16 * 16);
}

}  // namespace

void* operator new(std::size_t size) {
  void* block = std::malloc(size + kHeader);
  if (block == nullptr) {
    throw std::bad_alloc();
  }
  const std::size_t cost = counting ? BlockSize(size) : 0;
  counted += cost;
  *static_cast<std::size_t*>(block) = cost;
  return static_cast<char*>(block) + kHeader;
}

void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return operator new(size);  // Memory that is not there ends the program in any case.
}

void operator delete(void* pointer) noexcept {
  if (pointer == nullptr) {
    return;
  }
  void* block = static_cast<char*>(pointer) - kHeader;
  counted -= *static_cast<std::size_t*>(block);
  std::free(block);
}

void operator delete(void* pointer, std::size_t /*size*/) noexcept {
  operator delete(pointer);
}

void* operator new[](std::size_t size) {
  return operator new(size);
}

void* operator new[](std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return operator new(size);
}

void operator delete[](void* pointer) noexcept {
  operator delete(pointer);
}

void operator delete[](void* pointer, std::size_t /*size*/) noexcept {
  operator delete(pointer);
}

namespace floe::test {

HeapScope::HeapScope() : before_(counting) {
  counting = true;
}

HeapScope::~HeapScope() {
  counting = before_;
}

std::size_t CountedHeap() {
  return counted;
}

}  // namespace floe::test
