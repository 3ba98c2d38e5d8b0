// The sessions with one peer: the one to send on, the one to come, and those being replaced.
//
// Source: the WireGuard paper section 6.2 and its Linux implementation for the rotation. What goes
// beyond them is invisible on the wire: several initiations may be in flight at once, in both
// directions, and none of their sessions may lose a packet (tunnel/README.md).

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tunnel/session.h"

namespace floe::tunnel {

class SessionSlots {
 public:
  /// Whose session both ends settle on when each has answered the other's initiation: that of the
  /// end with the lower public key.
  enum class CrossingWinner : std::uint8_t { kUs, kPeer };

  explicit SessionSlots(CrossingWinner winner) : winner_(winner) {}

  /// The response to our initiation has come: the session is current at once. It is as young as
  /// can be: its created() serves as the time.
  void AddInitiated(std::unique_ptr<Session> session);

  /// We have answered an initiation: the session waits until the initiator has used it. Its
  /// created() serves as the time.
  void AddResponded(std::unique_ptr<Session> session);

  /// Null if there is no session of this local index.
  [[nodiscard]] Session* Find(std::uint32_t local_index) const;

  /// An authentic packet has come on `session`, one of ours. True if it is the first: then both
  /// ends have the session, and current(), which is not null, may have changed.
  [[nodiscard]] bool HandleReceived(TimePoint now, Session& session);

  /// The session to send on, which may be too old for it; or null.
  [[nodiscard]] Session* current() const { return current_.get(); }

  /// The same, for packet threads to hold until they are told that there is another (forwarding.h).
  [[nodiscard]] const std::shared_ptr<Session>& shared_current() const { return current_; }

  /// Forgets the sessions that are too old to send or receive on.
  void DropExpired(TimePoint now);

  void Clear();

 private:
  // The paper has one: the previous session. Here there can be every initiation in flight besides,
  // of both ends.
  static constexpr std::size_t kMaxRetired = 2 * kMaxInitiationsInFlight;

  [[nodiscard]] bool IsBetterThanCurrent(const Session& session) const;
  [[nodiscard]] bool IsPreferredByPeer(TimePoint now, const Session& session) const;
  void TakeFromRetired(const Session& session);
  void Retire(std::shared_ptr<Session> session);

  CrossingWinner winner_;
  std::shared_ptr<Session> current_;
  std::shared_ptr<Session> next_;                  // Of a responder, not confirmed.
  std::vector<std::shared_ptr<Session>> retired_;  // Receive only. The last to come is the last.
};

}  // namespace floe::tunnel
