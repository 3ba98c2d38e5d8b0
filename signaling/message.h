// What one node tells another through the rendezvous, inside a sealed box: offers, answers,
// candidates.
//
// The text is JSON:
//   {"kind":"offer","session":1732354997000,"generation":0,"seq":0,
//    "ufrag":"...","pwd":"...","options":["trickle"],"candidates":["candidate:1 1 UDP ..."]}
// Source: RFC 8839 sections 5.1 (candidate), 5.4 (ufrag, pwd) and 5.6 (options) for the values.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace floe::signaling {

/// On the wire "offer" (or "restart" when its generation is not 0), "answer", "candidate",
/// "end-of-candidates" and "stale".
enum class MessageKind : std::uint8_t { kOffer, kAnswer, kCandidate, kEndOfCandidates, kStale };

[[nodiscard]] std::string_view ToString(MessageKind kind);

inline constexpr std::uint64_t kMaxSession = (std::uint64_t{1} << 53U) - 1;  // What JSON can hold.
inline constexpr std::size_t kMaxMessageSize = 5720;  // bytes of JSON; see kMaxBoxSize.
inline constexpr std::size_t kMaxCandidates = 64;
inline constexpr std::size_t kMaxCandidateSize = 512;  // bytes
inline constexpr std::size_t kMaxOptions = 16;
inline constexpr std::size_t kMaxOptionSize = 64;  // bytes

struct Message {
  MessageKind kind = MessageKind::kOffer;
  std::uint64_t session = 0;         // 1 to kMaxSession. In kStale: the newest its sender knows of.
  std::uint32_t generation = 0;      // Grows with each ICE restart of the session.
  std::uint32_t seq = 0;             // Grows with each message within (session, generation).
  std::string ufrag;                 // 4 to 256 ice-chars. Offers and answers have it.
  WipedText password;                // 22 to 256 ice-chars. Offers and answers have it.
  std::vector<std::string> options;  // Visible ASCII without spaces.
  std::vector<std::string> candidates;  // candidate-attribute values: printable ASCII, unparsed.

  bool operator==(const Message&) const = default;
};

enum class MessageError : std::uint8_t {
  kTooLong,      // More than kMaxMessageSize.
  kSyntax,       // Not JSON, or not an object.
  kKind,         // Missing, not a text, or none that is known.
  kNumber,       // A missing, negative, fractional or too large session, generation or seq.
  kCredentials,  // ufrag or pwd missing where required, or not as RFC 8839 wants them.
  kOptions,      // Not an array of texts, too many, or one too long or not visible ASCII.
  kCandidates,   // The same of candidates, or a "candidate" message without any.
};

[[nodiscard]] std::string_view ToString(MessageError error);

/// The JSON text of `message`, whose fields keep to the limits above. Its length is not checked.
[[nodiscard]] std::string Serialize(const Message& message);

/// Unknown keys are ignored; everything else must be as said above.
[[nodiscard]] Result<Message, MessageError> ParseMessage(std::string_view text);

}  // namespace floe::signaling
