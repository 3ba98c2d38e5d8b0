#include "base/uv/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>

#include "tests/support/run_loop.h"

namespace floe::uv {
namespace {

using ::testing::Contains;

using Answer = Result<std::vector<SocketAddress>>;

class ResolverTest : public ::testing::Test {
 protected:
  std::unique_ptr<Loop> loop_ = *Loop::Make();
};

TEST_F(ResolverTest, FindsAddressesAndAddsThePort) {
  Resolver resolver(*loop_);
  std::optional<Answer> answer;

  ASSERT_TRUE(resolver.Start("localhost", 443, [&](Answer got) { answer = std::move(got); }));
  test::RunLoop(*loop_);

  ASSERT_TRUE(answer && answer->has_value());
  EXPECT_THAT(**answer, Contains(*ParseSocketAddress("127.0.0.1:443")));
}

TEST_F(ResolverTest, GivesEachAddressOnce) {
  Resolver resolver(*loop_);
  std::optional<Answer> answer;

  ASSERT_TRUE(resolver.Start("2001:db8::1", 1, [&](Answer got) { answer = std::move(got); }));
  test::RunLoop(*loop_);

  ASSERT_TRUE(answer && answer->has_value());
  EXPECT_THAT(**answer, ::testing::ElementsAre(*ParseSocketAddress("[2001:db8::1]:1")));
}

TEST_F(ResolverTest, SaysWhichNameItCouldNotResolve) {
  Resolver resolver(*loop_);
  std::optional<Answer> answer;

  // Not a legal name, so that no server is asked.
  ASSERT_TRUE(resolver.Start("no such name", 443, [&](Answer got) { answer = std::move(got); }));
  test::RunLoop(*loop_);

  ASSERT_TRUE(answer && !answer->has_value());
  EXPECT_EQ(answer->error().context, "resolve no such name");
  EXPECT_THAT(answer->error().code.message(), ::testing::Not(::testing::HasSubstr("nknown error")));
}

TEST_F(ResolverTest, DoesNotCallBackOnceCancelled) {
  Resolver resolver(*loop_);
  ASSERT_TRUE(resolver.Start("localhost", 1, [](const Answer&) { FAIL() << "cancelled"; }));

  resolver.Cancel();
  test::RunLoop(*loop_);
}

TEST_F(ResolverTest, DoesNotCallBackOnceDestroyed) {
  {
    Resolver resolver(*loop_);
    ASSERT_TRUE(resolver.Start("localhost", 1, [](const Answer&) { FAIL() << "destroyed"; }));
  }
  test::RunLoop(*loop_);
}

TEST_F(ResolverTest, ReplacesTheLookupUnderWay) {
  Resolver resolver(*loop_);
  std::vector<SocketAddress> found;
  ASSERT_TRUE(resolver.Start("192.0.2.1", 1, [](const Answer&) { FAIL() << "replaced"; }));

  ASSERT_TRUE(resolver.Start("192.0.2.2", 2, [&](Answer got) { found = *std::move(got); }));
  test::RunLoop(*loop_);

  EXPECT_THAT(found, ::testing::ElementsAre(*ParseSocketAddress("192.0.2.2:2")));
}

TEST_F(ResolverTest, MayBeDestroyedByItsCallback) {
  auto resolver = std::make_unique<Resolver>(*loop_);

  ASSERT_TRUE(resolver->Start("127.0.0.1", 1, [&](const Answer&) { resolver.reset(); }));
  test::RunLoop(*loop_);

  EXPECT_EQ(resolver, nullptr);
}

}  // namespace
}  // namespace floe::uv
