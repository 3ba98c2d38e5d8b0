// One peer: its handshakes, sessions, timers, and the packets that wait for a session.
//
// Source: the WireGuard paper sections 5.4 and 6. Conducts noise.h, session_slots.h and timers.h.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/fifo.h"
#include "base/random.h"
#include "base/time.h"
#include "tunnel/allowed_ips.h"
#include "tunnel/constants.h"
#include "tunnel/cookie.h"
#include "tunnel/counters.h"
#include "tunnel/forwarding.h"
#include "tunnel/identity.h"
#include "tunnel/index_table.h"
#include "tunnel/key_log.h"
#include "tunnel/messages.h"
#include "tunnel/noise.h"
#include "tunnel/outbox.h"
#include "tunnel/packet/ecn.h"
#include "tunnel/session_slots.h"
#include "tunnel/tai64n.h"
#include "tunnel/timers.h"
#include "tunnel/transport.h"
#include "tunnel/types.h"

namespace floe::tunnel {

class Forwarding;

/// What the peers of a tunnel share. All of it outlives them.
struct PeerContext {
  const LocalIdentity& local;
  Forwarding& forwarding;
  RandomSource& random;
  IndexTable& indices;
  Outbox& outbox;
  Counters& counters;
  Sealer sealer;
  TimePoint start;
  std::chrono::nanoseconds unix_start;  // Unix time at `start`.
  KeyLog* key_log = nullptr;            // Null: nobody asks.
};

class Peer {
 public:
  /// `owner` is the peer's number in the allowed IPs. `context` outlives the peer.
  Peer(TimePoint now, PeerId id, AllowedIps::Owner owner, RemoteIdentity remote,
       Duration persistent_keepalive, PeerContext& context);

  /// An inner packet for this peer: sends it, or keeps it until there is a session.
  void HandlePacket(TimePoint now, Bytes inner);

  // Messages that name this peer. False: not authentic or not wanted, and counted.
  [[nodiscard]] bool HandleInitiation(TimePoint now, Responder& responder,
                                      const InitiationView& message);
  [[nodiscard]] bool HandleResponse(TimePoint now, const ResponseView& message);
  [[nodiscard]] bool HandleTransport(TimePoint now, const TransportView& message, Ecn mark);
  /// What it brings is used in the next handshake message, which goes out at its own time.
  void HandleCookieReply(TimePoint now, const CookieReplyView& message);

  /// A path has become usable: an initiation goes out now, or a keepalive if there is a session.
  void StartHandshake(TimePoint now);
  /// Without a session, asks for a handshake.
  void SendKeepalive(TimePoint now);

  /// False if it is the one there is. Else all that was made with the other one is forgotten:
  /// sessions, and initiations that wait for an answer.
  bool SetPresharedKey(PresharedKey key);

  void SetPersistentKeepalive(TimePoint now, Duration interval) {
    timers_.SetPersistentKeepalive(now, interval);
  }

  /// What packet threads have sent and received on current_session().
  void HandleActivity(TimePoint now, const Activity& activity);

  void HandleTimeout(TimePoint now);

  /// The session to send on, or null.
  [[nodiscard]] const std::shared_ptr<Session>& current_session() const {
    return slots_.shared_current();
  }

  [[nodiscard]] std::optional<TimePoint> NextTimeout() const { return timers_.NextTimeout(); }

  /// As Tunnel::SetRoom().
  void SetRoom(std::size_t room) {
    room_ = static_cast<std::uint16_t>(std::min<std::size_t>(room, UINT16_MAX));
  }

  [[nodiscard]] std::size_t room() const { return room_; }

  [[nodiscard]] PeerId id() const { return id_; }

  [[nodiscard]] AllowedIps::Owner owner() const { return owner_; }

  [[nodiscard]] const RemoteIdentity& remote() const { return remote_; }

  [[nodiscard]] const PeerStats& stats() const { return stats_; }

 private:
  /// An initiation whose response may still come.
  struct PendingInitiation {
    IndexTable::Lease index;
    Initiator noise;
    TimePoint sent;
  };

  /// Sends an initiation unless one is pending or was sent within Rekey-Timeout.
  void RequestHandshake(TimePoint now);
  void SendInitiation(TimePoint now);
  void RespondTo(TimePoint now, const InitiationView& message,
                 const std::array<std::uint8_t, response::kSize>& bytes, IndexTable::Lease index,
                 TransportKeys keys);
  void CompleteHandshake(TimePoint now);
  void TellKeyLog(const PrivateKey& ephemeral) const;
  void GiveUp();
  void Handle(TimePoint now, Timers::Expiry expiry);

  [[nodiscard]] Session* UsableSession(TimePoint now) const;
  void SendTransport(TimePoint now, Session& session, Bytes inner);
  void SendQueue(TimePoint now);
  void Enqueue(Bytes inner);
  void Emit(TimePoint now, std::vector<std::uint8_t> bytes, std::uint8_t tos);
  void NoteReceived(TimePoint now, Bytes datagram);
  void Deliver(std::vector<std::uint8_t> padded, Ecn mark);
  void Count(Session::OpenError error);

  [[nodiscard]] Tai64n NextTimestamp(TimePoint now);
  [[nodiscard]] Duration Jitter();

  PeerId id_;
  AllowedIps::Owner owner_;
  RemoteIdentity remote_;
  PeerContext& context_;

  SessionSlots::CrossingWinner winner_;
  std::uint16_t room_ = kDefaultRoom;
  SessionSlots slots_;
  Timers timers_;
  std::vector<PendingInitiation> pending_;  // Oldest first.
  CookieKeeper cookie_;
  Fifo<std::vector<std::uint8_t>> queue_;

  std::optional<TimePoint> initiation_sent_;
  std::chrono::nanoseconds timestamp_sent_{0};  // Unix time in our last initiation.
  std::optional<TimePoint> initiation_accepted_;
  Tai64n timestamp_accepted_{};
  PeerStats stats_;
};

}  // namespace floe::tunnel
