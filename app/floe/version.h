// Which floe this is.

#pragma once

namespace floe::cli {

/// The version of the project in the root CMakeLists.txt: "0.1.0".
inline constexpr const char* kVersion = FLOE_VERSION;

}  // namespace floe::cli
