// The addresses and routes of the TUN device, as the configuration has them.

#pragma once

#include <cstdint>

#include "app/config/config.h"
#include "base/result.h"
#include "tun/netlink.h"

namespace floe::daemon {

/// Refuses routes that would take away a network this machine is in: its LAN, and with it perhaps
/// the very session somebody is typing in.
[[nodiscard]] Result<void> CheckRoutes(tun::Netlink& netlink, const config::Config& config);

/// Gives interface `index` its addresses and routes. What is there already, stays.
[[nodiscard]] Result<void> AddSettings(tun::Netlink& netlink, std::uint32_t index,
                                       const config::Config& config);

/// Turns the addresses and routes of `before` on the device, which is up, into those of `after`.
/// What both have is there all the time. Fails without having changed anything.
[[nodiscard]] Result<void> ChangeSettings(const config::Config& before,
                                          const config::Config& after);

}  // namespace floe::daemon
