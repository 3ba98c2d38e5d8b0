// Logging. Cores log at trace and debug; info and above come from app/ and drivers.
//
// Addresses and names of peers at debug or below; keys, passwords and tokens at no level.

#pragma once

#include <cstdint>
#include <fmt/core.h>
#include <utility>

namespace floe::log {

enum class Level : std::uint8_t { kTrace, kDebug, kInfo, kWarn, kError, kOff };

/// Sends everything at `level` and above to standard error, one line each. Under systemd (where
/// JOURNAL_STREAM is set) lines carry a priority instead of a time. Before it is called, and in
/// unit tests, nothing is written.
void Init(Level level);
void SetLevel(Level level);

/// Whether a line at `level` would be written: for what is costly to put into words.
[[nodiscard]] bool IsOn(Level level);

/// Formats and writes one line. Called through the five functions below.
void Write(Level level, fmt::string_view format, fmt::format_args arguments);

template <typename... Args>
void Trace(fmt::string_view format, const Args&... args) {
  if (IsOn(Level::kTrace)) {
    Write(Level::kTrace, format, fmt::make_format_args(args...));
  }
}

template <typename... Args>
void Debug(fmt::string_view format, const Args&... args) {
  if (IsOn(Level::kDebug)) {
    Write(Level::kDebug, format, fmt::make_format_args(args...));
  }
}

template <typename... Args>
void Info(fmt::string_view format, const Args&... args) {
  Write(Level::kInfo, format, fmt::make_format_args(args...));
}

template <typename... Args>
void Warn(fmt::string_view format, const Args&... args) {
  Write(Level::kWarn, format, fmt::make_format_args(args...));
}

template <typename... Args>
void Error(fmt::string_view format, const Args&... args) {
  Write(Level::kError, format, fmt::make_format_args(args...));
}

}  // namespace floe::log
