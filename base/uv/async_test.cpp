#include "base/uv/async.h"

#include <gtest/gtest.h>
#include <memory>
#include <thread>

#include "tests/support/run_loop.h"

namespace floe::uv {
namespace {

TEST(AsyncTest, CallsBackOnTheLoopsThread) {
  const auto loop = *Loop::Make();
  std::thread::id called_on;
  std::unique_ptr<Async> async;
  async = std::make_unique<Async>(*loop, [&] {
    called_on = std::this_thread::get_id();
    async.reset();
  });
  std::thread other([&] { async->Send(); });

  other.join();
  test::RunLoop(*loop);

  EXPECT_EQ(called_on, std::this_thread::get_id());
}

}  // namespace
}  // namespace floe::uv
