// A configuration file as text.

#pragma once

#include <filesystem>
#include <string>

#include "app/config/config_error.h"
#include "base/result.h"

namespace floe::config {

/// Of 4 MiB at most.
[[nodiscard]] Result<std::string, ConfigError> ReadConfigFile(const std::filesystem::path& path);

}  // namespace floe::config
