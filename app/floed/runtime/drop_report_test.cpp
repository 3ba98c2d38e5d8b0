#include "app/floed/runtime/drop_report.h"

#include <gtest/gtest.h>

namespace floe::daemon {
namespace {

TEST(DropReportTest, NamesWhatWasCounted) {
  tunnel::Counters tunnel;
  tunnel.replayed_transport = 3;
  tunnel.unroutable_packet = 1;
  engine::EngineCounters engine;
  engine.no_path = 7;
  PathCounters path;
  path.full_read_queue = 2;

  const std::vector<control::DropStatus> expected = {
      {"replayed_transport", 3}, {"unroutable_packet", 1}, {"no_path", 7}, {"full_read_queue", 2}};
  EXPECT_EQ(ReportDrops(tunnel, engine, path), expected);
}

TEST(DropReportTest, IsEmptyWhereNothingWasDropped) {
  EXPECT_TRUE(ReportDrops({}, {}, {}).empty());
}

}  // namespace
}  // namespace floe::daemon
