// Feeds arbitrary text to the parser of candidate lines. What it accepts must be fit to send to,
// and mean the same when it is written and read again. Seeds: tests/fuzz/corpus/candidate/.

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "ice/candidate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace floe::ice;  // NOLINT(google-build-using-namespace): one function long.

  auto candidate = ParseCandidate(floe::AsText({data, size}));
  if (!candidate) {
    FLOE_CHECK(!ToString(candidate.error()).empty());
    return 0;
  }
  FLOE_CHECK(IsUsableRemote(candidate->address) == candidate->name.empty());
  FLOE_CHECK(candidate->tcp_type.has_value() ==
             (candidate->address.transport == floe::Transport::kTcp));
  FLOE_CHECK(candidate->base == candidate->address);
  FLOE_CHECK(!candidate->foundation.empty() && candidate->foundation.size() <= 32);

  // A zone is not written: it means nothing on another machine.
  candidate->address.ip.scope_id = 0;
  candidate->base.ip.scope_id = 0;
  const auto again = ParseCandidate(ToLine(*candidate));
  FLOE_CHECK(again.has_value());
  FLOE_CHECK(again->type == candidate->type && again->address == candidate->address &&
             again->priority == candidate->priority && again->foundation == candidate->foundation);
  FLOE_CHECK(again->related == candidate->related && again->name == candidate->name &&
             again->tcp_type == candidate->tcp_type);
  return 0;
}
