#include "base/log.h"

#include <gtest/gtest.h>

namespace floe::log {
namespace {

TEST(LogTest, WritesWhatIsOnAndNothingElse) {
  ::testing::internal::CaptureStderr();
  Info("before {}", "Init");
  Init(Level::kInfo);
  Debug("quiet {}", 1);
  Info("loud {} {}", "line", 2);
  Init(Level::kOff);
  const std::string written = ::testing::internal::GetCapturedStderr();

  EXPECT_EQ(written.find("before"), std::string::npos);
  EXPECT_EQ(written.find("quiet"), std::string::npos);
  EXPECT_NE(written.find("info loud line 2\n"), std::string::npos) << written;
}

}  // namespace
}  // namespace floe::log
