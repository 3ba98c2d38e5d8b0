// The words that floe.toml has for settings, for reading and for writing it.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "app/config/config.h"
#include "base/log.h"

namespace floe::config {

template <typename T, std::size_t N>
using Words = std::array<std::pair<std::string_view, T>, N>;

inline constexpr Words<PathPreference, 5> kPathPreferences = {{
    {"auto", PathPreference::kAuto},
    {"direct", PathPreference::kDirect},
    {"relay", PathPreference::kRelay},
    {"direct-only", PathPreference::kDirectOnly},
    {"relay-only", PathPreference::kRelayOnly},
}};

inline constexpr Words<Privacy, 4> kPrivacyModes = {{
    {"all", Privacy::kAll},
    {"default-route-and-host", Privacy::kDefaultRouteAndHost},
    {"default-route", Privacy::kDefaultRoute},
    {"relay-only", Privacy::kRelayOnly},
}};

inline constexpr Words<bool PathsConfig::*, 3> kPortMappings = {{
    {"pcp", &PathsConfig::pcp},
    {"nat-pmp", &PathsConfig::nat_pmp},
    {"upnp", &PathsConfig::upnp},
}};

inline constexpr Words<bool OffloadConfig::*, 5> kOffloads = {{
    {"tso", &OffloadConfig::tso},
    {"uso", &OffloadConfig::uso},
    {"coalesce", &OffloadConfig::coalesce},
    {"udp-segment", &OffloadConfig::udp_segment},
    {"udp-gro", &OffloadConfig::udp_gro},
}};

inline constexpr Words<CipherChoice, 4> kCiphers = {{
    {"padded", CipherChoice::kPadded},
    {"openssl", CipherChoice::kOpenSsl},
    {"libsodium", CipherChoice::kReference},
    {"fastest", CipherChoice::kFastest},
}};

inline constexpr Words<log::Level, 6> kLogLevels = {{
    {"trace", log::Level::kTrace},
    {"debug", log::Level::kDebug},
    {"info", log::Level::kInfo},
    {"warn", log::Level::kWarn},
    {"error", log::Level::kError},
    {"off", log::Level::kOff},
}};

/// The word for `value`, which has one.
template <typename T, std::size_t N>
[[nodiscard]] std::string_view WordFor(const Words<T, N>& words, T value) {
  return std::ranges::find(words, value, &std::pair<std::string_view, T>::second)->first;
}

}  // namespace floe::config
