// How often checks may start, of all agents of a machine together.
//
// Source: RFC 8445 section 14.2.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/time.h"

namespace floe::ice {

/// Hands out places in a row, so that a thousand agents wait for one another without asking again.
/// There are two rows: who has had a path and has lost it does not stand behind those that are only
/// beginning. Each of the urgent ones makes the others wait for one place more.
class Pacer {
 public:
  static constexpr Duration kGap = std::chrono::milliseconds(5);
  static constexpr int kBurst = 4;  // What may start at once after a pause.

  enum class Row : std::uint8_t { kOrdinary, kUrgent };

  struct Place {
    Row row = Row::kOrdinary;
    TimePoint at;  // Of an ordinary one: before what was urgent since the beginning.
  };

  /// Takes a place for a check that is ready at `now`.
  [[nodiscard]] Place Reserve(TimePoint now, Row row = Row::kOrdinary) {
    const TimePoint earliest = now - (kBurst - 1) * kGap;
    ordinary_ = std::max(ordinary_, earliest - urgent_time_);
    if (row == Row::kOrdinary) {
      const Place place{.row = row, .at = ordinary_};
      ordinary_ += kGap;
      return place;
    }
    const Place place{.row = row, .at = std::max(urgent_, earliest)};
    urgent_ = place.at + kGap;
    urgent_time_ += kGap;
    return place;
  }

  /// When the check with this place may start; perhaps later than it was before.
  [[nodiscard]] TimePoint TimeOf(const Place& place) const {
    return place.row == Row::kUrgent ? place.at : place.at + urgent_time_;
  }

 private:
  TimePoint ordinary_{};     // The next place, without urgent_time_.
  TimePoint urgent_{};       // Likewise.
  Duration urgent_time_{0};  // That all urgent ones together have taken.
};

}  // namespace floe::ice
