#include "app/control/wall_time.h"

#include <charconv>
#include <cstdint>
#include <fmt/format.h>

namespace floe::control {
namespace {

constexpr std::size_t kWholeSeconds = 19;  // characters of "2026-11-23T07:20:17"

/// The number that fills all of `digits`; nothing where there is anything else.
std::optional<int> Number(std::string_view digits) {
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  int number = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return parsed.ec == std::errc() ? std::optional(number) : std::nullopt;
}

/// ".123Z" or "Z". Digits behind the milliseconds are dropped.
std::optional<std::chrono::milliseconds> ParseFraction(std::string_view text) {
  if (text == "Z") {
    return std::chrono::milliseconds(0);
  }
  if (!text.starts_with('.') || !text.ends_with('Z') || text.size() > 11) {
    return std::nullopt;
  }
  const std::string_view digits = text.substr(1, text.size() - 2);
  const std::string padded = std::string(digits) + "00";
  if (!Number(digits)) {
    return std::nullopt;
  }
  return std::chrono::milliseconds(Number(std::string_view(padded).substr(0, 3)).value_or(0));
}

}  // namespace

std::string FormatRfc3339(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::optional<WallTime> ParseRfc3339(std::string_view text) {
  if (text.size() <= kWholeSeconds || text[4] != '-' || text[7] != '-' || text[10] != 'T' ||
      text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  const auto year = Number(text.substr(0, 4));
  const auto month = Number(text.substr(5, 2));
  const auto day = Number(text.substr(8, 2));
  const auto hour = Number(text.substr(11, 2));
  const auto minute = Number(text.substr(14, 2));
  const auto second = Number(text.substr(17, 2));
  const auto fraction = ParseFraction(text.substr(kWholeSeconds));
  if (!year || !month || !day || !hour || !minute || !second || !fraction) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  // 60 is a leap second (RFC 3339 section 5.7), which this clock takes as the next one.
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) {
    return std::nullopt;
  }
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second) + *fraction;
}

}  // namespace floe::control
