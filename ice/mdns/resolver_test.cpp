#include "ice/mdns/resolver.h"

#include <gtest/gtest.h>

#include "ice/mdns/message.h"
#include "tests/support/fake_random.h"

namespace floe::ice::mdns {
namespace {

using std::chrono::seconds;

constexpr TimePoint kStart{seconds(100)};

/// An answer to a query for "peer.local": the question's name and id with an A record behind it.
std::vector<std::uint8_t> AnswerTo(std::vector<std::uint8_t> query) {
  query[2] = 0x84;  // A response,
  query[7] = 1;     // with one answer to both questions.
  const std::vector<std::uint8_t> record{0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 120, 0, 4, 192, 0, 2, 5};
  query.insert(query.end(), record.begin(), record.end());
  return query;
}

class MdnsResolverTest : public ::testing::Test {
 protected:
  test::FakeRandom random_;
  Resolver resolver_{random_};
};

TEST_F(MdnsResolverTest, AsksAndIsAnsweredOnce) {
  ASSERT_TRUE(resolver_.Resolve(kStart, "peer.local"));
  ASSERT_TRUE(resolver_.Resolve(kStart, "peer.local"));
  const auto query = resolver_.PollQuery();
  ASSERT_TRUE(query);
  EXPECT_FALSE(resolver_.PollQuery());

  resolver_.HandleDatagram(AnswerTo(*query));
  resolver_.HandleDatagram(AnswerTo(*query));

  const auto resolution = resolver_.PollResolution();
  ASSERT_TRUE(resolution);
  EXPECT_EQ(resolution->name, "peer.local");
  EXPECT_EQ(resolution->address, ParseIpAddress("192.0.2.5"));
  EXPECT_FALSE(resolver_.PollResolution());
  EXPECT_FALSE(resolver_.NextTimeout());
}

TEST_F(MdnsResolverTest, GivesUpAfterThreeSeconds) {
  ASSERT_TRUE(resolver_.Resolve(kStart, "peer.local"));
  int queries = 0;
  TimePoint now = kStart;
  while (const auto next = resolver_.NextTimeout()) {
    now = *next;
    resolver_.HandleTimeout(now);
  }
  while (resolver_.PollQuery()) {
    ++queries;
  }

  EXPECT_EQ(now, kStart + seconds(3));
  EXPECT_EQ(queries, 3);
  const auto resolution = resolver_.PollResolution();
  ASSERT_TRUE(resolution);
  EXPECT_FALSE(resolution->address);
}

TEST_F(MdnsResolverTest, RefusesOtherNamesAndTooMany) {
  EXPECT_FALSE(resolver_.Resolve(kStart, "host.example"));
  for (std::size_t i = 0; i < Resolver::kMaxNames; ++i) {
    EXPECT_TRUE(resolver_.Resolve(kStart, std::to_string(i) + ".local"));
  }
  EXPECT_FALSE(resolver_.Resolve(kStart, "one-more.local"));
}

}  // namespace
}  // namespace floe::ice::mdns
