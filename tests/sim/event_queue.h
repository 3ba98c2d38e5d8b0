// Virtual time: a clock that jumps from one event to the next.

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"

namespace floe::sim {

/// What an event is for. Must outlive every event pushed for it.
class EventSink {
 public:
  EventSink() = default;
  virtual ~EventSink() = default;
  EventSink(const EventSink&) = delete;
  EventSink& operator=(const EventSink&) = delete;

  /// `tag` is what was pushed with the event.
  virtual void HandleEvent(TimePoint now, std::uint64_t tag) = 0;
};

/// Events in the order of their time; those of one instant in the order they were pushed.
class EventQueue {
 public:
  explicit EventQueue(TimePoint start) : now_(start) {}

  [[nodiscard]] TimePoint now() const { return now_; }

  /// A time that has passed means now, behind what is already due.
  void Push(TimePoint at, EventSink& sink, std::uint64_t tag);

  [[nodiscard]] std::optional<TimePoint> NextTime() const;

  /// Moves the clock to the next event and runs it. Requires NextTime().
  void RunNext();

  /// Moves the clock to `at` if that is later. Requires that no event is due before.
  void AdvanceTo(TimePoint at);

 private:
  struct Event {
    TimePoint at;
    std::uint64_t order;
    EventSink* sink;
    std::uint64_t tag;
  };

  /// True when `a` runs after `b`: the heap keeps the first event on top.
  [[nodiscard]] static bool Later(const Event& a, const Event& b);

  TimePoint now_;
  std::uint64_t pushed_ = 0;
  std::vector<Event> heap_;
};

}  // namespace floe::sim
