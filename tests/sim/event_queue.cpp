#include "tests/sim/event_queue.h"

#include <algorithm>

#include "base/check.h"

namespace floe::sim {

bool EventQueue::Later(const Event& a, const Event& b) {
  return a.at != b.at ? a.at > b.at : a.order > b.order;
}

void EventQueue::Push(TimePoint at, EventSink& sink, std::uint64_t tag) {
  heap_.push_back({std::max(at, now_), pushed_++, &sink, tag});
  std::ranges::push_heap(heap_, Later);
}

std::optional<TimePoint> EventQueue::NextTime() const {
  if (heap_.empty()) {
    return std::nullopt;
  }
  return heap_.front().at;
}

void EventQueue::RunNext() {
  FLOE_CHECK(!heap_.empty());
  std::ranges::pop_heap(heap_, Later);
  const Event event = heap_.back();
  heap_.pop_back();
  now_ = event.at;
  event.sink->HandleEvent(now_, event.tag);
}

void EventQueue::AdvanceTo(TimePoint at) {
  FLOE_CHECK(heap_.empty() || heap_.front().at >= at);
  now_ = std::max(now_, at);
}

}  // namespace floe::sim
