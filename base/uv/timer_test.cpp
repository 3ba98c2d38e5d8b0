#include "base/uv/timer.h"

#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <vector>

#include "tests/support/run_loop.h"

namespace floe::uv {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;

class TimerTest : public ::testing::Test {
 protected:
  std::unique_ptr<Loop> loop_ = *Loop::Make();
};

TEST_F(TimerTest, NeverFiresBeforeItsDeadline) {
  TimePoint deadline;
  int left = 20;
  Timer timer(*loop_, [&] {
    EXPECT_GE(Loop::Now(), deadline);
    if (--left > 0) {
      deadline = Loop::Now() + microseconds(100 + 237 * left);
      timer.ArmAt(deadline);
    }
  });
  deadline = Loop::Now() + microseconds(1);

  timer.ArmAt(deadline);
  test::RunLoop(*loop_);

  EXPECT_EQ(left, 0);
}

TEST_F(TimerTest, FiresForADeadlineInThePastButNotInsideTheCall) {
  int fired = 0;
  Timer timer(*loop_, [&] { ++fired; });

  timer.ArmAt(Loop::Now() - hours(1));
  EXPECT_EQ(fired, 0);
  test::RunLoop(*loop_);

  EXPECT_EQ(fired, 1);
}

TEST_F(TimerTest, FiresForTheBeginningOfTime) {
  int fired = 0;
  Timer timer(*loop_, [&] { ++fired; });

  timer.ArmAt(TimePoint::min());
  test::RunLoop(*loop_);

  EXPECT_EQ(fired, 1);
}

TEST_F(TimerTest, IsDisarmedByNothing) {
  Timer timer(*loop_, [] { FAIL() << "was disarmed"; });

  timer.ArmAt(Loop::Now());
  timer.ArmAt(std::nullopt);
  test::RunLoop(*loop_);
}

TEST_F(TimerTest, FiresAgainForADeadlineItHadBeforeItWasDisarmed) {
  int fired = 0;
  Timer timer(*loop_, [&] { ++fired; });
  const TimePoint deadline = Loop::Now();

  timer.ArmAt(deadline);
  timer.ArmAt(std::nullopt);
  timer.ArmAt(deadline);
  test::RunLoop(*loop_);

  EXPECT_EQ(fired, 1);
}

TEST_F(TimerTest, KeepsOnlyTheLastDeadline) {
  std::vector<char> order;
  Timer moved(*loop_, [&] { order.push_back('m'); });
  Timer fixed(*loop_, [&] { order.push_back('f'); });
  const TimePoint now = Loop::Now();

  moved.ArmAt(now + hours(1));
  fixed.ArmAt(now + milliseconds(10));
  moved.ArmAt(now + milliseconds(2));
  test::RunLoop(*loop_);

  EXPECT_EQ(order, (std::vector<char>{'m', 'f'}));
}

TEST_F(TimerTest, LetsOthersRunThoughItIsAlwaysDue) {
  int fired = 0;
  Timer always(*loop_, [&] {
    ++fired;
    always.ArmAt(Loop::Now() - hours(1));
  });
  Timer other(*loop_, [&] { loop_->Stop(); });

  always.ArmAt(Loop::Now());
  other.ArmAt(Loop::Now() + milliseconds(20));
  test::RunLoop(*loop_);

  EXPECT_GT(fired, 0);
  EXPECT_LE(fired, 30) << "it spins";
}

TEST_F(TimerTest, MayBeDestroyedByItsOwnCallback) {
  const auto token = std::make_shared<int>(7);
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(*loop_, [&timer, token] {
    timer.reset();
    EXPECT_EQ(*token, 7) << "what the callback holds must live while it runs";
  });

  timer->ArmAt(Loop::Now());
  test::RunLoop(*loop_);

  EXPECT_EQ(timer, nullptr);
  EXPECT_EQ(token.use_count(), 1);
}

}  // namespace
}  // namespace floe::uv
