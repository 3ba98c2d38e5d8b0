// The frames between a node and its rendezvous server: one JSON object in each WebSocket text
// message. README.md lists them with their members.
//
// Boxes are opaque here: base64 that only the two nodes can open.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/key.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/socket_address.h"
#include "signaling/box.h"

namespace floe::signaling {

inline constexpr std::size_t kNonceSize = 32;  // bytes
inline constexpr std::size_t kProofSize = 32;  // bytes
inline constexpr std::size_t kMaxUrls =
    16;  // In a welcome: of STUN, of TURN entries, and in each of them.
inline constexpr std::size_t kMaxReasonSize = 120;  // bytes

using Nonce = std::array<std::uint8_t, kNonceSize>;
using Proof = std::array<std::uint8_t, kProofSize>;
/// "tls-exporter" of RFC 9266: the same at both ends of one TLS connection, and of no other.
using ChannelBinding = std::array<std::uint8_t, 32>;

/// One TURN server and what opens it for a while.
struct TurnCredentials {
  std::vector<std::string> urls;  // RFC 7065
  std::string username;
  SecretString password;
  std::chrono::seconds ttl{};  // How long they are good for.
};

// From the server.

/// The first frame: what the hello must prove it has seen.
struct Challenge {
  PublicKey key;  // Of the server, for this connection alone.
  Nonce nonce{};
  /// The proof has to hold the channel binding: it is to be good for this TLS connection alone.
  bool bound = false;
};

/// The hello was right. Sent again when the credentials are renewed.
struct Welcome {
  SocketAddress you;              // Where the server sees the connection come from.
  std::vector<std::string> stun;  // RFC 7064 URIs
  std::vector<TurnCredentials> turn;
  std::chrono::seconds ping{};  // How often the client is asked to ping.
};

/// What became of a SendRequest. A value this side does not know is an error of the frame.
enum class Delivery : std::uint8_t {
  kDelivered,  // Written to the connection of the node it was for.
  kOffline,    // No node with this key is there.
  kLimited,    // Too many in too short a time: not sent on.
};

[[nodiscard]] std::string_view ToString(Delivery delivery);

struct SendAnswer {
  std::uint64_t id = 0;  // Of the SendRequest.
  Delivery result = Delivery::kDelivered;
};

struct ReceivedBox {
  PublicKey from;  // Proven to the server; the box proves it to the node.
  std::string box;
};

/// The last frame before the server closes.
struct Refusal {
  std::string reason;  // For a person. Printable ASCII, kMaxReasonSize at most.
};

// From the client.

struct Hello {
  PublicKey key;
  Proof proof{};
};

struct SendRequest {
  PublicKey to;
  std::uint64_t id = 0;  // The client's choice; the answer carries it.
  std::string box;
};

using ServerFrame = std::variant<Challenge, Welcome, SendAnswer, ReceivedBox, Refusal>;
using ClientFrame = std::variant<Hello, SendRequest>;

enum class ProtocolError : std::uint8_t {
  kNotJson,      // Not one JSON object.
  kUnknownType,  // A frame of a kind this side does not know: to be skipped.
  kBadMember,    // A member is missing, of the wrong type, or out of its bounds.
};

[[nodiscard]] std::string_view ToString(ProtocolError error);

/// Members that are not known are skipped. `text` is bounded by the WebSocket below.
[[nodiscard]] Result<ServerFrame, ProtocolError> ParseServerFrame(std::string_view text);
[[nodiscard]] Result<ClientFrame, ProtocolError> ParseClientFrame(std::string_view text);

[[nodiscard]] std::string Serialize(const Challenge& frame);
[[nodiscard]] std::string Serialize(const Welcome& frame);  // Holds passwords: never to be logged.
[[nodiscard]] std::string Serialize(const SendAnswer& frame);
[[nodiscard]] std::string Serialize(const ReceivedBox& frame);
[[nodiscard]] std::string Serialize(const Refusal& frame);
[[nodiscard]] std::string Serialize(const Hello& frame);
[[nodiscard]] std::string Serialize(const SendRequest& frame);

/// Whether `text` may travel as a box: base64 by its characters, not empty, kMaxBoxSize at most.
[[nodiscard]] bool IsBox(std::string_view text);

}  // namespace floe::signaling
