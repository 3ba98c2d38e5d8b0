#include "app/config/duration.h"

#include <array>
#include <charconv>
#include <chrono>
#include <utility>

namespace floe::config {
namespace {

constexpr std::array<std::pair<std::string_view, Duration>, 5> kUnits = {{
    {"", std::chrono::seconds(1)},
    {"s", std::chrono::seconds(1)},
    {"ms", std::chrono::milliseconds(1)},
    {"m", std::chrono::minutes(1)},
    {"h", std::chrono::hours(1)},
}};
constexpr Duration kLongest = std::chrono::hours(24 * 366);

std::optional<Duration> UnitOf(std::string_view name) {
  for (const auto& [text, unit] : kUnits) {
    if (text == name) {
      return unit;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Duration> ParseDuration(std::string_view text) {
  const std::size_t digits = text.find_first_not_of("0123456789.");
  const std::string_view number = text.substr(0, digits);
  const auto unit = UnitOf(digits == std::string_view::npos ? "" : text.substr(digits));
  double amount = 0;
  const char* const end = number.data() + number.size();
  const auto parsed = std::from_chars(number.data(), end, amount, std::chars_format::fixed);
  if (!unit || parsed.ec != std::errc() || parsed.ptr != end) {
    return std::nullopt;
  }
  const double nanoseconds = amount * static_cast<double>(unit->count());
  if (nanoseconds > static_cast<double>(kLongest.count())) {
    return std::nullopt;
  }
  return Duration(static_cast<Duration::rep>(nanoseconds + 0.5));
}

}  // namespace floe::config
