// Feeds arbitrary text to the parsers of server addresses: a rendezvous hands them out. Seeds:
// tests/fuzz/corpus/server_url/.

#include <cstddef>
#include <cstdint>

#include "app/config/url.h"
#include "base/bytes.h"
#include "base/check.h"
#include "signaling/url.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = floe::AsText({data, size});
  if (const auto stun = floe::config::ParseStunUrl(text)) {
    FLOE_CHECK(!stun->server.host.empty() && stun->server.port != 0);
    FLOE_CHECK(floe::config::ParseHostPort(ToString(stun->server)) == stun->server);
  }
  if (const auto relay = floe::config::ParseRelayUrl(text)) {
    FLOE_CHECK(!relay->server.host.empty() && relay->server.port != 0);
    FLOE_CHECK(floe::config::ParseHostPort(ToString(relay->server)) == relay->server);
  }
  if (const auto url = floe::signaling::ParseUrl(text)) {
    FLOE_CHECK(floe::signaling::ParseUrl(ToString(*url)) == *url);
  }
  return 0;
}
