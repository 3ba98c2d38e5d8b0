#include "app/floed/runtime/flood_filter.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <linux/filter.h>
#include <sys/socket.h>
#include <system_error>

#include "tunnel/messages.h"

namespace floe::daemon {
namespace {

// What the filter sees begins with the UDP header.
constexpr std::uint32_t kUdpHeader = 8;  // bytes
constexpr std::uint32_t kMessage = kUdpHeader;
constexpr std::uint32_t kMac2 = kUdpHeader + tunnel::initiation::kMac2;
constexpr std::uint32_t kLength = kUdpHeader + tunnel::initiation::kSize;
constexpr std::uint32_t kInitiation = 0x0100'0000;  // Its first four bytes, in network order.
constexpr std::uint32_t kRandom = static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM);
constexpr std::uint32_t kKept = UINT32_MAX / 4;
constexpr std::uint32_t kWhole = UINT32_MAX;

// Code, how far to jump if true and if false, operand.
constexpr std::array<sock_filter, 10> kProgram = {{
    {BPF_LD | BPF_W | BPF_LEN, 0, 0, 0},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 6, kLength},
    {BPF_LD | BPF_W | BPF_ABS, 0, 0, kMessage},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 4, kInitiation},
    {BPF_LD | BPF_W | BPF_ABS, 0, 0, kMac2},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0},
    {BPF_LD | BPF_W | BPF_ABS, 0, 0, kRandom},
    {BPF_JMP | BPF_JGT | BPF_K, 1, 0, kKept},
    {BPF_RET | BPF_K, 0, 0, kWhole},
    {BPF_RET | BPF_K, 0, 0, 0},
}};

}  // namespace

Result<void> ShedInitiations(int fd, bool on) {
  auto program = kProgram;
  const sock_fprog attached{.len = static_cast<unsigned short>(program.size()),
                            .filter = program.data()};
  const int nothing = 0;  // The kernel wants to be given a number.
  const int result = on ? setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &attached, sizeof(attached))
                        : setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &nothing, sizeof(nothing));
  // Detaching what the kernel would not attach finds nothing.
  if (result != 0 && (on || errno != ENOENT)) {
    return Fail(
        Error{std::error_code(errno, std::system_category()), "setsockopt a socket filter"});
  }
  return {};
}

}  // namespace floe::daemon
