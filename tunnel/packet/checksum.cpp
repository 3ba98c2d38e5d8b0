#include "tunnel/packet/checksum.h"

#include <bit>
#include <cstddef>
#include <cstring>

#include "tunnel/packet/headers.h"

namespace floe::tunnel {

namespace {

/// Words of 32 bits in the machine's order: a ones' complement sum comes out right in either order
/// once its bytes are put in place. The compiler does several words at a time.
[[gnu::always_inline]] inline std::uint64_t SumWords(const std::uint8_t* data, std::size_t words) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < words; ++i) {
    std::uint32_t word = 0;
    std::memcpy(&word, data + i * sizeof word, sizeof word);
    sum += word;
  }
  return sum;
}

#ifdef __x86_64__
[[gnu::target("avx2")]] std::uint64_t SumWordsAvx2(const std::uint8_t* data, std::size_t words) {
  return SumWords(data, words);
}
#endif

std::uint64_t SumAllWords(const std::uint8_t* data, std::size_t words) {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2") != 0) {
    return SumWordsAvx2(data, words);
  }
#endif
  return SumWords(data, words);
}

}  // namespace

std::uint64_t Sum(Bytes bytes) {
  const std::uint8_t* data = bytes.data();
  const std::size_t words = bytes.size() / sizeof(std::uint32_t);
  std::uint64_t sum = SumAllWords(data, words);
  const std::size_t rest = bytes.size() % sizeof(std::uint32_t);
  if (rest > 0) {
    std::uint32_t word = 0;
    std::memcpy(&word, data + words * sizeof word, rest);
    sum += word;
  }
  if constexpr (std::endian::native == std::endian::little) {
    const std::uint16_t folded = Fold(sum);
    return static_cast<std::uint16_t>(folded << 8U | folded >> 8U);
  }
  return sum;
}

std::uint16_t Fold(std::uint64_t sum) {
  sum = (sum >> 32U) + (sum & 0xFFFFFFFFU);
  sum = (sum >> 16U) + (sum & 0xFFFFU);
  sum = (sum >> 16U) + (sum & 0xFFFFU);
  sum = (sum >> 16U) + (sum & 0xFFFFU);
  return static_cast<std::uint16_t>(sum);
}

std::uint64_t PseudoHeaderSum(Bytes packet, std::uint8_t protocol, std::size_t length) {
  const bool v4 = packet[0] >> 4U == 4;
  const Bytes addresses = v4 ? packet.subspan(kIpv4Source, 8) : packet.subspan(kIpv6Source, 32);
  return Sum(addresses) + protocol + length;
}

}  // namespace floe::tunnel
