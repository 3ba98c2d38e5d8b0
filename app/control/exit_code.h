// What the programs tell the shell. Scripts lean on these numbers.

#pragma once

#include <cstdint>

namespace floe::control {

enum class ExitCode : std::uint8_t {
  kDone = 0,          // Yes, or done.
  kNo = 1,            // No, or it failed: not direct, not ready, no such peer.
  kUsage = 2,         // Bad arguments, bad input or bad configuration.
  kNotRunning = 3,    // No daemon listens on the control socket.
  kNotPermitted = 4,  // The control socket is not for this user.
  kTimedOut = 5,
};

}  // namespace floe::control
