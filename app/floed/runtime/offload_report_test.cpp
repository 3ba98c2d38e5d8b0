#include "app/floed/runtime/offload_report.h"

#include <gtest/gtest.h>

namespace floe::daemon {
namespace {

OffloadFacts AllInUse() {
  return {.wanted = {},
          .device = {.tcp = true, .udp = true},
          .joinable = {},
          .udp_check = {},
          .udp = {}};
}

std::optional<std::string> WhyOff(const OffloadFacts& facts, const std::string& name) {
  for (const control::OffloadStatus& offload : ReportOffloads(facts)) {
    if (offload.name == name) {
      return offload.off_because;
    }
  }
  return "no such offload";
}

TEST(OffloadReportTest, NamesThemAllAsTheConfigurationDoes) {
  const auto report = ReportOffloads(AllInUse());

  const std::vector<control::OffloadStatus> expected = {{"tso", std::nullopt},
                                                        {"uso", std::nullopt},
                                                        {"coalesce", std::nullopt},
                                                        {"udp-segment", std::nullopt},
                                                        {"udp-gro", std::nullopt}};
  EXPECT_EQ(report, expected);
}

TEST(OffloadReportTest, SaysThatTheConfigurationDoesNotWantIt) {
  OffloadFacts facts = AllInUse();
  facts.wanted.udp_gro = false;
  facts.udp.gro = false;

  EXPECT_EQ(WhyOff(facts, "udp-gro"), "the configuration says so");
}

TEST(OffloadReportTest, SaysWhatTheCheckAtTheStartFound) {
  OffloadFacts facts = AllInUse();
  facts.udp_check.segment = "wrong bytes";
  facts.udp.segment = false;

  EXPECT_EQ(WhyOff(facts, "udp-segment"), "wrong bytes");
}

TEST(OffloadReportTest, SaysWhatTheKernelRefusedLater) {
  OffloadFacts facts = AllInUse();
  facts.udp.segment = false;
  facts.joinable.tcp = false;
  facts.device.udp = false;

  EXPECT_EQ(WhyOff(facts, "udp-segment"), "the kernel refused to send so");
  EXPECT_EQ(WhyOff(facts, "coalesce"), "of TCP: the kernel does not take it");
  EXPECT_EQ(WhyOff(facts, "uso"), "the kernel does not do it");
}

}  // namespace
}  // namespace floe::daemon
