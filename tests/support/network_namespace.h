// A network of a test's own, which needs root.

#pragma once

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace floe::test {

/// Puts the thread of each test into an empty network namespace and back. The namespace goes with
/// the last descriptor that was opened in it. Skips the test where that is not permitted.
class NetworkNamespaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    home_ = UniqueFd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!home_ || unshare(CLONE_NEWNET) != 0) {
      home_ = UniqueFd();
      GTEST_SKIP() << "needs root to make a network namespace: " << std::strerror(errno);
    }
  }

  void TearDown() override {
    if (home_) {
      ASSERT_EQ(setns(home_.get(), CLONE_NEWNET), 0) << std::strerror(errno);
    }
  }

 private:
  UniqueFd home_;
};

}  // namespace floe::test
