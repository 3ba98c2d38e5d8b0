#include "base/secret.h"

#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <memory>
#include <new>
#include <string>
#include <utility>

namespace floe {
namespace {

TEST(SecretTest, IsZeroAfterBeingMovedFrom) {
  Secret<4> from(std::array<std::uint8_t, 4>{1, 2, 3, 4});
  const Secret<4> to = std::move(from);
  EXPECT_TRUE(from.is_zero());  // NOLINT(bugprone-use-after-move): that is the test.
  EXPECT_EQ(to.bytes()[3], 4);
}

TEST(SecretTest, IsZeroAfterItsEnd) {
  alignas(Secret<32>) std::array<std::uint8_t, sizeof(Secret<32>)> memory{};
  std::array<std::uint8_t, 32> key{};
  key.fill(7);
  auto* secret = new (memory.data()) Secret<32>(key);
  ASSERT_EQ(memory.front(), 7);

  std::destroy_at(secret);

  EXPECT_EQ(memory, (std::array<std::uint8_t, sizeof(Secret<32>)>{}));
}

TEST(SecretTest, ComparesByValue) {
  const Secret<2> one(std::array<std::uint8_t, 2>{1, 2});
  EXPECT_TRUE(one == one.Clone());
  EXPECT_FALSE(one == Secret<2>());
}

TEST(SecretTest, CannotBeCopiedByAccident) {
  static_assert(!std::is_copy_constructible_v<Secret<32>>);
  static_assert(!std::is_copy_constructible_v<SecretString>);
}

/// Gives out one block, which can still be looked at when it was given back.
struct OneBlock {
  static inline std::array<char, 64> block{};

  static char* allocate(std::size_t /*count*/) { return block.data(); }

  static void deallocate(char* /*memory*/, std::size_t /*count*/) {}
};

TEST(WipingAllocatorTest, ZeroesTheTextWhenItGoes) {
  {
    const std::basic_string<char, std::char_traits<char>, WipingAllocator<char, OneBlock>> text(
        40, 'x');
    EXPECT_EQ(std::ranges::count(OneBlock::block, 'x'), 40);
  }

  EXPECT_EQ(std::ranges::count(OneBlock::block, 'x'), 0);
}

}  // namespace
}  // namespace floe
