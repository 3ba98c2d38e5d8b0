#include "base/uv/signals.h"

#include <csignal>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <vector>

#include "tests/support/run_loop.h"

namespace floe::uv {
namespace {

TEST(SignalsTest, TurnsEachSignalIntoAnEvent) {
  const auto loop = *Loop::Make();
  std::vector<int> arrived;
  const auto signals = Signals::Make(*loop, [&](int signal) {
    arrived.push_back(signal);
    if (arrived.size() == 3) {
      loop->Stop();
    }
  });
  ASSERT_TRUE(signals) << signals.error().context;

  raise(SIGHUP);
  raise(SIGINT);
  raise(SIGTERM);
  test::RunLoop(*loop);

  EXPECT_THAT(arrived, ::testing::UnorderedElementsAre(SIGHUP, SIGINT, SIGTERM));
}

TEST(SignalsTest, MayBeDestroyedByItsCallback) {
  const auto loop = *Loop::Make();
  Result<std::unique_ptr<Signals>> signals;
  signals = Signals::Make(*loop, [&](int) { signals->reset(); });
  ASSERT_TRUE(signals);

  raise(SIGTERM);
  test::RunLoop(*loop);

  EXPECT_EQ(*signals, nullptr);
}

}  // namespace
}  // namespace floe::uv
