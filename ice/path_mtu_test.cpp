#include "ice/path_mtu.h"

#include <chrono>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <vector>

namespace floe::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = PathMtu::State;

constexpr PathMtu::Sizes kSizes{.least = 528, .base = 1216, .start = 1440, .most = 1440};
constexpr PathMtu::Sizes kJumbo{.least = 528, .base = 1216, .start = 1440, .most = 8960};

class PathMtuTest : public testing::Test {
 protected:
  void Begin(const PathMtu::Sizes& sizes) {
    mtu_.Begin(now_, sizes, kRtt);
    Drain();
  }

  /// Sends what is to be sent; what gets through is answered a round trip later.
  void Drain() {
    while (const auto size = mtu_.PollProbe()) {
      sent_.push_back(*size);
      if (passes_(*size)) {
        answers_.emplace(now_ + kRtt, *size);
      }
    }
  }

  void Run(Duration time) {
    const TimePoint end = now_ + time;
    while (true) {
      const auto wake = mtu_.NextTimeout();
      TimePoint next = wake.value_or(end + seconds(1));
      next = answers_.empty() ? next : std::min(next, answers_.begin()->first);
      if (next > end) {
        break;
      }
      now_ = std::max(now_, next);
      if (!answers_.empty() && answers_.begin()->first <= now_) {
        const std::size_t size = answers_.begin()->second;
        answers_.erase(answers_.begin());
        mtu_.HandleAnswer(now_, size);
      } else {
        mtu_.HandleTimeout(now_);
      }
      Drain();
    }
    now_ = end;
  }

  void Limit(std::size_t largest) {
    passes_ = [largest](std::size_t size) { return size <= largest; };
  }

  static constexpr Duration kRtt = milliseconds(20);

  TimePoint now_ = TimePoint{} + seconds(1000);
  PathMtu mtu_;
  std::function<bool(std::size_t)> passes_ = [](std::size_t) { return true; };
  std::multimap<TimePoint, std::size_t> answers_;
  std::vector<std::size_t> sent_;
};

TEST_F(PathMtuTest, OneAnswerConfirmsAnOrdinaryPath) {
  Begin(kSizes);
  EXPECT_EQ(mtu_.size(), 1440U) << "used from the first packet";
  EXPECT_EQ(mtu_.state(), State::kConfirming);

  Run(seconds(1));

  EXPECT_EQ(mtu_.size(), 1440U);
  EXPECT_EQ(mtu_.state(), State::kComplete);
  EXPECT_EQ(sent_, (std::vector<std::size_t>{0, 1440}));
}

TEST_F(PathMtuTest, FindsEverySizeToTheStep) {
  for (std::size_t largest = 528; largest <= 1500; largest += 4) {
    Limit(largest);
    Begin(kSizes);

    Run(seconds(60));

    ASSERT_EQ(mtu_.state(), State::kComplete) << largest;
    ASSERT_EQ(mtu_.size(), std::min<std::size_t>(largest / 16 * 16, 1440)) << largest;
  }
}

TEST_F(PathMtuTest, JumboFramesAreFoundWithOneProbeMore) {
  Begin(kJumbo);

  Run(seconds(1));

  EXPECT_EQ(mtu_.size(), 8960U);
  EXPECT_EQ(sent_, (std::vector<std::size_t>{0, 1440, 0, 8960}));
}

TEST_F(PathMtuTest, FindsWhatLiesBetween) {
  Limit(4000);
  Begin(kJumbo);

  Run(seconds(30));

  EXPECT_EQ(mtu_.size(), 4000U);
}

TEST_F(PathMtuTest, FallsToTheBaseWithinTwoSecondsWhenTheStartDoesNotPass) {
  Limit(1300);
  Begin(kSizes);

  Run(seconds(2));

  EXPECT_GE(mtu_.size(), 1216U);
  EXPECT_LE(mtu_.size(), 1300U);
  EXPECT_EQ(mtu_.counters().black_holes, 1U);
}

TEST_F(PathMtuTest, APathThatIsDownIsNotNarrow) {
  Begin(kSizes);
  Run(seconds(5));
  passes_ = [](std::size_t) { return false; };
  mtu_.NoteDataSent();

  Run(seconds(120));
  EXPECT_EQ(mtu_.size(), 1440U);

  Limit(1500);
  Run(seconds(20));
  EXPECT_EQ(mtu_.size(), 1440U);
  EXPECT_EQ(mtu_.state(), State::kComplete);
  EXPECT_EQ(mtu_.counters().black_holes, 0U);
}

TEST_F(PathMtuTest, APathThatBecomesNarrowIsNoticedWhileDataGoesOut) {
  Begin(kSizes);
  Run(seconds(5));
  Limit(1280);

  Run(seconds(300));
  EXPECT_EQ(mtu_.size(), 1440U) << "nobody sends, so nobody is hurt";

  mtu_.NoteDataSent();
  Run(seconds(40));
  EXPECT_EQ(mtu_.size(), 1280U);
}

TEST_F(PathMtuTest, TriesLargerOnesAgainAfterTenMinutes) {
  Limit(1300);
  Begin(kSizes);
  Run(seconds(60));
  Limit(1500);

  Run(seconds(500));
  EXPECT_EQ(mtu_.size(), 1296U);
  Run(seconds(110));
  EXPECT_EQ(mtu_.size(), 1440U);
}

TEST_F(PathMtuTest, LossesAreNotTakenForSize) {
  std::uint32_t count = 0;
  passes_ = [&count](std::size_t size) { return size == 0 || ++count % 4 == 0; };
  Begin(kSizes);

  Run(seconds(10));

  EXPECT_EQ(mtu_.size(), 1440U);
  EXPECT_EQ(mtu_.counters().black_holes, 0U);
}

TEST_F(PathMtuTest, ALateAnswerCounts) {
  Limit(1300);
  Begin(kSizes);
  Run(seconds(60));

  mtu_.HandleAnswer(now_, 1440);

  EXPECT_EQ(mtu_.size(), 1440U);
}

TEST_F(PathMtuTest, AnotherPathBeginsAnew) {
  Limit(1300);
  Begin(kSizes);
  Run(seconds(60));
  Limit(1500);

  Begin(kSizes);

  EXPECT_EQ(mtu_.size(), 1440U);
  Run(seconds(1));
  EXPECT_EQ(mtu_.state(), State::kComplete);
}

// RFC 8899 section 4.6.2.
TEST_F(PathMtuTest, WhatTheNetworkSaysIsUsedAtOnceAndConfirmed) {
  Begin(kSizes);
  Run(seconds(60));
  Limit(1310);

  mtu_.HandleTooBig(now_, 1310);
  EXPECT_EQ(mtu_.size(), 1296U);
  EXPECT_EQ(mtu_.state(), State::kSearching);
  Drain();
  Run(milliseconds(100));
  mtu_.HandleTooBig(now_, 1310);  // It says so again of what is tried above.
  Run(seconds(1));

  EXPECT_EQ(mtu_.size(), 1296U);
  EXPECT_EQ(mtu_.state(), State::kComplete);
  EXPECT_EQ(mtu_.counters().black_holes, 0U);
}

TEST_F(PathMtuTest, WhatTheNetworkSaysWronglyIsRefutedAndIgnoredForAWhile) {
  Begin(kSizes);
  Run(seconds(60));

  mtu_.HandleTooBig(now_, 600);
  EXPECT_EQ(mtu_.size(), 592U);
  Drain();
  Run(milliseconds(10));
  mtu_.HandleTooBig(now_, 600);
  Run(seconds(1));
  EXPECT_EQ(mtu_.size(), 1440U);
  mtu_.HandleTooBig(now_, 600);
  EXPECT_EQ(mtu_.size(), 1440U);

  Run(seconds(601));
  mtu_.HandleTooBig(now_, 600);
  EXPECT_EQ(mtu_.size(), 592U);
}

// As it does for ten minutes after the path was smaller.
TEST_F(PathMtuTest, WhatTheNetworkSaysTooLowIsRefutedAlsoWhereNotAllPasses) {
  Begin(kSizes);
  Run(seconds(60));
  Limit(1400);

  mtu_.HandleTooBig(now_, 1250);
  Drain();
  for (int i = 0; i < 100; ++i) {
    Run(milliseconds(100));
    mtu_.HandleTooBig(now_, 1250);
  }

  EXPECT_EQ(mtu_.size(), 1392U);
  EXPECT_EQ(mtu_.state(), State::kComplete);
}

TEST_F(PathMtuTest, TheNetworkIsNotBelievedBelowTheLeastNorAboveWhatIsUsed) {
  Begin(kSizes);
  Run(seconds(1));

  mtu_.HandleTooBig(now_, 1440);
  mtu_.HandleTooBig(now_, 9000);
  EXPECT_EQ(mtu_.state(), State::kComplete);
  mtu_.HandleTooBig(now_, 0);

  EXPECT_EQ(mtu_.size(), 528U);
}

// Section 4.6.2: it may be the next size to be tried.
TEST_F(PathMtuTest, WhatTheNetworkSaysOfALargerSizeShortensTheSearch) {
  Limit(4000);
  Begin(kJumbo);
  Run(milliseconds(400));

  for (int i = 0; i < 10; ++i) {  // With each probe that is larger.
    mtu_.HandleTooBig(now_, 4000);
    Run(milliseconds(100));
  }

  EXPECT_EQ(mtu_.size(), 4000U);
  EXPECT_EQ(mtu_.state(), State::kComplete);
  EXPECT_EQ(sent_, (std::vector<std::size_t>{0, 1440, 0, 8960, 0, 4000, 0, 4016}));
}

TEST_F(PathMtuTest, IsSilentWhenStopped) {
  Begin(kSizes);

  mtu_.Stop();
  mtu_.HandleAnswer(now_, 1440);
  mtu_.HandleTimeout(now_ + seconds(100));

  EXPECT_EQ(mtu_.state(), State::kOff);
  EXPECT_EQ(mtu_.size(), 0U);
  EXPECT_FALSE(mtu_.PollProbe());
  EXPECT_FALSE(mtu_.NextTimeout());
}

}  // namespace
}  // namespace floe::ice
