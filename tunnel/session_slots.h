// The sessions with one peer: the current one, the one before, and the one to come.
//
// Source: the WireGuard paper section 6.2 and its Linux implementation for the rotation. Two rules
// are ours and invisible on the wire; they let initiations that cross each other lose no packet
// (tunnel/README.md).

#pragma once

#include <cstdint>
#include <memory>

#include "base/time.h"
#include "tunnel/session.h"

namespace floe::tunnel {

class SessionSlots {
 public:
  /// Whose session both ends settle on when each has answered the other's initiation: that of the
  /// end with the lower public key.
  enum class CrossingWinner : std::uint8_t { kUs, kPeer };

  explicit SessionSlots(CrossingWinner winner) : winner_(winner) {}

  /// The response to our initiation has come: the session is current at once.
  void AddInitiated(TimePoint now, std::unique_ptr<Session> session);

  /// We have answered an initiation: the session waits until the initiator has used it.
  void AddResponded(std::unique_ptr<Session> session);

  /// Null if there is no session of this local index.
  [[nodiscard]] Session* Find(std::uint32_t local_index) const;

  /// An authentic packet has come on `session`, one of ours. True if it is the first: then both
  /// ends have the session, and current() may have changed.
  [[nodiscard]] bool HandleReceived(Session& session);

  /// The session to send on, which may be too old for it; or null.
  [[nodiscard]] Session* current() const { return current_.get(); }

  void Clear();

 private:
  CrossingWinner winner_;
  std::unique_ptr<Session> previous_;  // Receives only: what was on its way when it was replaced.
  std::unique_ptr<Session> current_;
  std::unique_ptr<Session> next_;  // Of a responder, not confirmed.
};

}  // namespace floe::tunnel
