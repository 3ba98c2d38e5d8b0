// Feeds arbitrary text to the parser of what is inside a sealed box, and what it understands to
// Negotiation. Seeds: tests/fuzz/corpus/signaling_message/, one of each kind.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/bytes.h"
#include "base/key.h"
#include "signaling/message.h"
#include "signaling/negotiation.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace floe::signaling;  // NOLINT(google-build-using-namespace): one function long.

  const auto message = ParseMessage(floe::AsText({data, size}));
  if (!message) {
    static_cast<void>(ToString(message.error()));
    return 0;
  }

  // What is understood can be said again, and means the same.
  if (ParseMessage(Serialize(*message)) != *message) {
    std::abort();
  }

  Negotiation negotiation(floe::PublicKey{{1}}, floe::PublicKey{{2}});
  static_cast<void>(negotiation.StartOffer(1000));
  static_cast<void>(negotiation.Judge(*message));
  // No message counts twice.
  switch (negotiation.Judge(*message)) {
    case Negotiation::Verdict::kAnswerOffer:
    case Negotiation::Verdict::kTakeAnswer:
    case Negotiation::Verdict::kTakeCandidates:
      std::abort();
    case Negotiation::Verdict::kIgnore:
    case Negotiation::Verdict::kEarly:
    case Negotiation::Verdict::kKeepOffer:
    case Negotiation::Verdict::kReplyStale:
    case Negotiation::Verdict::kOfferAgain:
      break;
  }
  return 0;
}
