// Tells systemd how the service is doing.
//
// Source: sd_notify(3).

#pragma once

#include <string_view>

#include "base/result.h"

namespace floe::uv {

/// Sends `state`, lines such as "READY=1\nSTATUS=2 peers", "STOPPING=1" or "RELOADING=1", to the
/// socket that NOTIFY_SOCKET names. Succeeds and does nothing where that is not set.
[[nodiscard]] Result<void> SdNotify(std::string_view state);

}  // namespace floe::uv
