// The configuration in the words of the engine.

#pragma once

#include <vector>

#include "app/config/config.h"
#include "app/floed/engine/engine.h"

namespace floe::daemon {

[[nodiscard]] engine::EngineConfig ToEngineConfig(const config::Config& config);
[[nodiscard]] engine::PeerConfig ToEnginePeer(const config::PeerConfig& peer);
[[nodiscard]] std::vector<IpAddress> ToEngineAddresses(const config::Config& config);

}  // namespace floe::daemon
