#include "base/log.h"

#include <cstdlib>
#include <iterator>
#include <memory>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace floe::log {
namespace {

spdlog::level::level_enum ToSpdlog(Level level) {
  switch (level) {
    case Level::kTrace:
      return spdlog::level::trace;
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
    case Level::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

/// The one process-wide thing of floe: where lines go. Empty until Init().
std::unique_ptr<spdlog::logger>& Logger() {
  static std::unique_ptr<spdlog::logger> logger;
  return logger;
}

}  // namespace

void Init(Level level) {
  auto logger =
      std::make_unique<spdlog::logger>("floe", std::make_shared<spdlog::sinks::stderr_sink_st>());
  const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  logger->set_pattern(journal ? "%l: %v" : "%Y-%m-%dT%H:%M:%S.%e %l %v");
  logger->flush_on(spdlog::level::trace);
  Logger() = std::move(logger);
  SetLevel(level);
}

void SetLevel(Level level) {
  if (Logger()) {
    Logger()->set_level(ToSpdlog(level));
  }
}

bool IsOn(Level level) {
  return Logger() && Logger()->should_log(ToSpdlog(level));
}

void Write(Level level, fmt::string_view format, fmt::format_args arguments) {
  if (IsOn(level)) {
    fmt::memory_buffer line;
    fmt::vformat_to(std::back_inserter(line), format, arguments);
    Logger()->log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
  }
}

}  // namespace floe::log
