// One pair of transport keys in use: counts what it sends, refuses what it has received, and knows
// when it is too old.
//
// Source: the WireGuard paper sections 5.4.6, 6.1 and 6.2.

#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "tunnel/cipher.h"
#include "tunnel/constants.h"
#include "tunnel/index_table.h"
#include "tunnel/messages.h"
#include "tunnel/replay_window.h"
#include "tunnel/symmetric_state.h"
#include "tunnel/transport.h"

namespace floe::tunnel {

/// Sealed and opened on by any thread; all else is for the one that owns it.
class Session {
 public:
  enum class Role : std::uint8_t { kInitiator, kResponder };

  enum class OpenError : std::uint8_t {
    kExpired,  // The session is too old, or the counter too high.
    kReplay,   // The counter has been received, or is out of reach.
    kForged,   // Not authentic.
  };

  /// `first_counter` is 0 except in tests of the limits.
  Session(TimePoint now, Role role, IndexTable::Lease local, std::uint32_t remote_index,
          TransportKeys keys, std::uint64_t first_counter = 0);

  [[nodiscard]] bool CanSend(TimePoint now) const;

  /// A whole transport message. Requires CanSend.
  [[nodiscard]] std::vector<std::uint8_t> Seal(Sealer& sealer, Bytes inner);

  /// As Seal(), without a copy: `padded` into `message`, which has SealedSize(padded.size()) bytes.
  /// Both lie where ciphers have the room that they need (cipher.h).
  void SealTo(const Cipher& cipher, Bytes padded, MutableBytes message);

  /// The inner packet with its padding.
  [[nodiscard]] Result<std::vector<std::uint8_t>, OpenError> Open(TimePoint now, Sealer& sealer,
                                                                  const TransportView& message);

  /// Opens several messages, while no other thread does. The session outlives it.
  class Opener {
   public:
    explicit Opener(Session& session) : session_(session), lock_(session.receiving_) {}

    /// To `plain`, which has as many bytes as there are in front of the tag. As SealTo().
    [[nodiscard]] Result<void, OpenError> Open(TimePoint now, const Cipher& cipher,
                                               const TransportView& message, MutableBytes plain);

   private:
    Session& session_;
    std::unique_lock<std::mutex> lock_;
  };

  /// Whether a handshake is due, to be asked after each Seal and each Open (section 6.2). By time,
  /// only the end that initiated this session asks for the next.
  [[nodiscard]] bool WantsRekeyAfterSend(TimePoint now) const;
  [[nodiscard]] bool WantsRekeyAfterReceive(TimePoint now) const;

  [[nodiscard]] Role role() const { return role_; }

  [[nodiscard]] std::uint32_t local_index() const { return local_.index(); }

  [[nodiscard]] TimePoint created() const { return created_; }

  [[nodiscard]] TimePoint expires() const { return created_ + kRejectAfterTime; }

  /// Whether the other end is known to have the keys: an initiator knows at once, a responder when
  /// it has received.
  [[nodiscard]] bool confirmed() const { return confirmed_; }

  void Confirm() { confirmed_ = true; }

 private:
  [[nodiscard]] std::uint64_t TakeCounter();
  /// Requires receiving_.
  [[nodiscard]] Result<void, OpenError> CheckCounter(TimePoint now, std::uint64_t counter) const;

  Role role_;
  bool confirmed_;
  TimePoint created_;
  IndexTable::Lease local_;
  std::uint32_t remote_index_;
  TransportKeys keys_;
  std::atomic<std::uint64_t> next_counter_;
  std::mutex receiving_;
  ReplayWindow received_;  // Under receiving_.
};

}  // namespace floe::tunnel
