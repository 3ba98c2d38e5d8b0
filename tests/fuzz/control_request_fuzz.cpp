// A request that is accepted reads the same when it is written and read again.

#include "app/control/request.h"
#include "base/bytes.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using floe::control::ParseRequest;
  const auto request = ParseRequest(floe::AsText({data, size}));
  if (request) {
    FLOE_CHECK(ParseRequest(Serialize(*request)) == *request);
  }
  return 0;
}
