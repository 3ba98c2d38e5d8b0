#include "tests/sim/event_queue.h"

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>
#include <vector>

namespace floe::sim {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;

constexpr TimePoint kStart = TimePoint{} + seconds(100);

class Recorder final : public EventSink {
 public:
  std::vector<std::uint64_t> tags;
  std::vector<TimePoint> times;

  void HandleEvent(TimePoint now, std::uint64_t tag) override {
    tags.push_back(tag);
    times.push_back(now);
  }
};

void RunAll(EventQueue& events) {
  while (events.NextTime()) {
    events.RunNext();
  }
}

TEST(EventQueueTest, RunsInOrderOfTimeThenOfPushing) {
  EventQueue events(kStart);
  Recorder recorder;
  events.Push(kStart + seconds(2), recorder, 1);
  events.Push(kStart + seconds(1), recorder, 2);
  events.Push(kStart + seconds(2), recorder, 3);
  events.Push(kStart + seconds(1), recorder, 4);

  RunAll(events);

  EXPECT_THAT(recorder.tags, ElementsAre(2, 4, 1, 3));
  EXPECT_EQ(events.now(), kStart + seconds(2));
}

TEST(EventQueueTest, TheClockNeverGoesBack) {
  EventQueue events(kStart);
  Recorder recorder;
  events.Push(kStart - seconds(5), recorder, 1);

  RunAll(events);
  events.AdvanceTo(kStart - seconds(1));

  EXPECT_THAT(recorder.times, ElementsAre(kStart));
  EXPECT_EQ(events.now(), kStart);
}

TEST(EventQueueTest, AdvancesToATimeWithoutEvents) {
  EventQueue events(kStart);

  events.AdvanceTo(kStart + seconds(7));

  EXPECT_EQ(events.now(), kStart + seconds(7));
  EXPECT_EQ(events.NextTime(), std::nullopt);
}

}  // namespace
}  // namespace floe::sim
