// Feeds arbitrary bytes to the reader of HTTP heads and to both ends of the WebSocket handshake.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "signaling/http.h"
#include "signaling/upgrade.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace floe::signaling;  // NOLINT(google-build-using-namespace): one function long.

  HttpHeadReader reader;
  floe::Bytes input(data, size);
  if (reader.Read(input) != HttpHeadReader::State::kComplete) {
    return 0;
  }
  if (const auto response = ParseHttpResponse(reader.head())) {
    static_cast<void>(CheckUpgradeResponse(*response, "dGhlIHNhbXBsZSBub25jZQ=="));
  }
  const auto request = ParseHttpRequest(reader.head());
  if (!request) {
    return 0;
  }
  // Whatever is answered must itself be a response, and one that a client accepts if it says 101.
  const UpgradeAnswer answer = AnswerUpgrade(*request, kDefaultPath);
  const auto response = ParseHttpResponse(answer.response);
  if (!response || response->status != answer.status) {
    std::abort();
  }
  if (answer.status == 101) {
    const auto key = request->headers.Find("sec-websocket-key");
    if (!key || !CheckUpgradeResponse(*response, *key)) {
      std::abort();
    }
  }
  return 0;
}
