#include "base/uv/loop.h"

#include <chrono>
#include <csignal>
#include <gtest/gtest.h>
#include <memory>

#include "base/uv/timer.h"
#include "tests/support/run_loop.h"

namespace floe::uv {
namespace {

TEST(LoopTest, ReturnsAtOnceWhenNothingIsLeftToWaitFor) {
  auto loop = Loop::Make();
  ASSERT_TRUE(loop) << loop.error().context;

  (*loop)->Run();

  EXPECT_EQ(uv_loop_alive((*loop)->raw()), 0);
}

TEST(LoopTest, StopsThoughSomethingIsLeftAndRunsAgain) {
  auto loop = Loop::Make();
  ASSERT_TRUE(loop);
  Timer late(**loop, [] { FAIL() << "not due for a year"; });
  late.ArmAt(Loop::Now() + std::chrono::hours(24 * 365));
  int fired = 0;
  Timer soon(**loop, [&] {
    ++fired;
    (*loop)->Stop();
  });

  soon.ArmAt(Loop::Now());
  test::RunLoop(**loop);
  soon.ArmAt(Loop::Now());
  test::RunLoop(**loop);

  EXPECT_EQ(fired, 2);
}

TEST(LoopTest, DrainsWhatIsBeingClosedEvenAfterAStopWhileNotRunning) {
  auto loop = Loop::Make();
  ASSERT_TRUE(loop);
  auto timer = std::make_unique<Timer>(**loop, [] {});
  timer.reset();
  (*loop)->Stop();

  loop->reset();  // The leak checker, and a check inside, would tell.
}

TEST(LoopTest, IgnoresTheSignalOfABrokenPipe) {
  const auto loop = Loop::Make();
  ASSERT_TRUE(loop);

  EXPECT_EQ(raise(SIGPIPE), 0);
}

TEST(LoopDeathTest, RefusesToGoBeforeItsHandles) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto loop = Loop::Make();
        Timer timer(**loop, [] {});
        loop->reset();
      },
      "broken invariant");
}

}  // namespace
}  // namespace floe::uv
