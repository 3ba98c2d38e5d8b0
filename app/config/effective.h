// The configuration as floed uses it, written down: what floe.toml says, and what floe takes where
// it says nothing.

#pragma once

#include <string>

#include "app/config/config.h"

namespace floe::config {

/// A floe.toml with every key, which reads as `config` again wherever it lies: the files it names
/// are written with their whole paths. Of keys and passwords it has nothing but these.
[[nodiscard]] std::string ToToml(const Config& config);

}  // namespace floe::config
