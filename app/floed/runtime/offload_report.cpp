#include "app/floed/runtime/offload_report.h"

#include <optional>
#include <string>

namespace floe::daemon {
namespace {

/// Nothing for what is in use. `found` is what the start said against it.
std::optional<std::string> WhyOff(bool wanted, bool used, std::string found,
                                  const char* otherwise) {
  if (used) {
    return std::nullopt;
  }
  if (!wanted) {
    return "the configuration says so";
  }
  return found.empty() ? otherwise : std::move(found);
}

}  // namespace

std::vector<control::OffloadStatus> ReportOffloads(const OffloadFacts& facts) {
  constexpr const char* kNone = "the kernel does not do it";
  const config::OffloadConfig& wanted = facts.wanted;
  return {{"tso", WhyOff(wanted.tso, facts.device.tcp, "", kNone)},
          {"uso", WhyOff(wanted.uso, facts.device.udp, "", kNone)},
          {"coalesce", WhyOff(wanted.coalesce, facts.joinable.tcp && facts.joinable.udp, "",
                              facts.joinable.tcp   ? "of UDP: the kernel does not take it"
                              : facts.joinable.udp ? "of TCP: the kernel does not take it"
                                                   : "the kernel does not take it")},
          {"udp-segment", WhyOff(wanted.udp_segment, facts.udp.segment, facts.udp_check.segment,
                                 "the kernel refused to send so")},
          {"udp-gro",
           WhyOff(wanted.udp_gro, facts.udp.gro, facts.udp_check.gro, "the kernel refuses it")}};
}

}  // namespace floe::daemon
