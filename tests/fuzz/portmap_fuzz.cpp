// Feeds arbitrary answers to a client of PCP and NAT-PMP, with time passing in between. It must not
// spin, nor send more than its pace allows. Seeds: tests/fuzz/corpus/portmap/.
//
// Input: steps of one byte, how many seconds pass, and one, how many bytes of the rest are an
// answer.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "ice/portmap/client.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace floe::ice::portmap;  // NOLINT(google-build-using-namespace): one function long.
  using std::chrono::seconds;

  floe::Bytes rest(data, size);
  floe::TimePoint now = floe::TimePoint{} + seconds(1'000'000);
  Client client(now, {.internal = {floe::IpAddress::V4(192, 0, 2, 2), 41820},
                      .router = floe::IpAddress::V4(192, 0, 2, 1),
                      .nonce = {}});
  while (rest.size() >= 2) {
    const floe::TimePoint until = now + seconds(rest[0]);
    for (int steps = 0; client.NextTimeout() && *client.NextTimeout() <= until; ++steps) {
      FLOE_CHECK(steps < 1000);
      now = std::max(now, *client.NextTimeout());
      client.HandleTimeout(now);
    }
    now = until;
    const std::size_t length = std::min<std::size_t>(rest[1], rest.size() - 2);
    client.HandleDatagram(now, rest.subspan(2, length));
    rest = rest.subspan(2 + length);
    std::size_t sent = 0;
    while (client.PollTransmit()) {
      ++sent;
    }
    FLOE_CHECK(sent <= 700);  // 255 s at the pace of a router that forgets all the time.
    while (client.PollEvent()) {
    }
    FLOE_CHECK(!client.mapped() || client.mapped()->external.port != 0);
  }
  client.Close(now);
  FLOE_CHECK(!client.NextTimeout());
  return 0;
}
