// The WireGuard protocol between this node and its peers, without I/O.
//
// Source: the WireGuard paper (wireguard.com/papers/wireguard.pdf). Departures: tunnel/README.md.
//
// One input, then drain all four outputs, then sleep until NextTimeout(). The tunnel knows nothing
// of paths: it says which peer a datagram is for, and the owner sends it or drops it.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/key.h"
#include "base/random.h"
#include "base/time.h"
#include "tunnel/cipher.h"
#include "tunnel/cookie.h"
#include "tunnel/counters.h"
#include "tunnel/forwarding.h"
#include "tunnel/handshake_limiter.h"
#include "tunnel/identity.h"
#include "tunnel/index_table.h"
#include "tunnel/outbox.h"
#include "tunnel/packet/ecn.h"
#include "tunnel/types.h"

namespace floe::tunnel {

class KeyLog;
class Peer;
struct PeerContext;

class Tunnel {
 public:
  /// `unix_time` counts from 1970 and is that of `now`. The timestamps of initiations run on from
  /// it with the monotonic clock, so they never go back while we run. `random` and `cipher` outlive
  /// the tunnel.
  Tunnel(TimePoint now, PrivateKey key, std::chrono::nanoseconds unix_time, RandomSource& random,
         const Cipher& cipher = ReferenceCipher(), const HandshakeLimits& limits = {});
  ~Tunnel();

  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  /// Null, as at first: none. Else it outlives the tunnel.
  void SetKeyLog(KeyLog* key_log);

  [[nodiscard]] const PublicKey& public_key() const { return local_.public_key(); }

  /// False, and nothing changes, if the id or the key is a peer's already, if the key is our own or
  /// of small order, or if there are kMaxPeers. A prefix that another peer has moves to this one.
  [[nodiscard]] bool AddPeer(TimePoint now, PeerId id, PeerConfig config);

  /// Forgets its keys at once. What is waiting in the outputs stays there.
  void RemovePeer(PeerId id);

  // Changes to a peer that there is. Its sessions go on but where another is said.

  /// Replaces those it had. A prefix that another peer has moves to this one.
  void SetAllowedIps(PeerId id, std::vector<IpPrefix> allowed_ips);
  void SetPersistentKeepalive(TimePoint now, PeerId id, Duration interval);
  /// True if it is another than before: then its sessions are forgotten at once.
  bool SetPresharedKey(PeerId id, std::optional<PresharedKey> key);

  /// Our addresses inside the tunnel: the segment sizes of their TCP connections are the kernel's
  /// matter, those of others are clamped to the room.
  void SetOwnAddresses(std::vector<IpAddress> addresses);

  /// The largest inner packet that the path to the peer carries, in bytes; at first kDefaultRoom.
  /// Larger ones are cut where that is allowed, and else their senders told (see HandlePacket).
  void SetRoom(PeerId id, std::size_t room);

  /// A packet from the TUN device. Goes to the peer that has its destination among its allowed IPs;
  /// waits there for a session if need be. One that is larger than the room of the peer goes in
  /// fragments if it is of IPv4 without DF, or of IPv6 with at most 1280 bytes; else an ICMP
  /// message comes out of PollPacket().
  void HandlePacket(TimePoint now, Bytes inner_packet);

  /// A datagram from the network, the way it came, and its mark. Says who sent it if it is
  /// authentic; what is inside may still be refused. Anything else is dropped and counted, and
  /// answered at most with a cookie.
  [[nodiscard]] std::optional<Accepted> HandleDatagram(TimePoint now, const Way& way,
                                                       Bytes datagram, Ecn mark = Ecn::kNotEct);

  /// A path to the peer has become usable. Without a session to send on, an initiation goes out
  /// now, even if another is in flight on another path; with one, a keepalive.
  void StartHandshake(TimePoint now, PeerId id);

  /// Without a session, asks for a handshake.
  void SendKeepalive(TimePoint now, PeerId id);

  /// What packet threads have done since the last call, for the peers they have done it for.
  std::vector<std::pair<PeerId, Activity>> HandleActivity(TimePoint now);

  /// The peer's packets may go this way before `until`, and come by it, past this object. Nothing:
  /// all of them are for HandlePacket and HandleDatagram.
  void SetWay(PeerId id, const std::optional<UdpWay>& way, TimePoint until);

  /// Answers to echo requests are to be handed over.
  void SetWantsEchoReplies(PeerId id, bool wants);

  /// For packet threads.
  [[nodiscard]] Forwarding& forwarding() { return forwarding_; }

  void HandleTimeout(TimePoint now);

  /// When to call HandleTimeout. It may find nothing to do then: what was due has been put off.
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const;

  [[nodiscard]] std::optional<Datagram> PollDatagram();
  [[nodiscard]] std::optional<Reply> PollReply();
  [[nodiscard]] std::optional<InnerPacket> PollPacket();
  [[nodiscard]] std::optional<Event> PollEvent();

  /// All zero for a peer that there is not.
  [[nodiscard]] PeerStats Stats(PeerId id) const;

  [[nodiscard]] const Counters& counters() const { return counters_; }

  /// Whether initiations need a cookie. Ends with a timeout.
  [[nodiscard]] bool IsFlooded() const { return flooded_until_.has_value(); }

  [[nodiscard]] RoomCounters room_counters() const {
    return {.fragmented = fragmented_, .clamped_mss = forwarding_.clamped_mss()};
  }

  /// First byte 1 to 4, next three 0. For telling protocols apart on one socket.
  [[nodiscard]] static bool LooksLikeWireGuard(Bytes datagram);
  /// Whether a datagram of ours is an initiation or a response.
  [[nodiscard]] static bool IsHandshake(Bytes datagram);
  [[nodiscard]] static bool IsInitiation(Bytes datagram);

 private:
  /// A place in slots_, and the peer's number in the allowed IPs.
  using Slot = Forwarding::Slot;

  struct Entry {
    std::unique_ptr<Peer> peer;  // Null in a free slot.
    std::vector<IpPrefix> allowed_ips;
    std::optional<TimePoint> wake;  // As in wakes_; never later than the peer's next timeout.
  };

  [[nodiscard]] Entry* Find(PeerId id);
  void HandleTooBig(TimePoint now, Peer& peer, Bytes packet);
  void TellTooBig(TimePoint now, const Peer& peer, Bytes packet, std::size_t room);
  [[nodiscard]] Slot TakeSlot();
  /// After every input of the peer's.
  void Update(Entry& entry);

  [[nodiscard]] Peer* HandleInitiation(TimePoint now, const Way& way, Bytes datagram);
  [[nodiscard]] Peer* HandleResponse(TimePoint now, const Way& way, Bytes datagram);
  void HandleCookieReply(TimePoint now, Bytes datagram);
  /// Whether key agreements may be spent on a handshake message in which mac1 is right.
  [[nodiscard]] bool IsWorthTheWork(TimePoint now, const Way& way, Bytes message,
                                    HandshakeLimiter& limiter);
  [[nodiscard]] Peer* HandleTransport(TimePoint now, Bytes datagram, Ecn mark);

  LocalIdentity local_;
  CookieChecker cookies_;
  // Apart, so that strangers' initiations, which anybody can send, do not hold up the responses,
  // which only those can send who have seen the index of ours.
  HandshakeLimiter initiations_;
  std::optional<TimePoint> flooded_until_;
  HandshakeLimiter responses_;
  Forwarding forwarding_;
  IndexTable indices_;
  Outbox outbox_;
  Counters counters_;
  std::uint64_t fragmented_ = 0;
  TimePoint told_until_;  // Limits the messages of TellTooBig().
  std::uint32_t fragment_id_ = 0;
  std::unique_ptr<PeerContext> context_;

  std::vector<Entry> slots_;
  std::vector<Slot> free_slots_;
  std::unordered_map<PeerId, Slot> by_id_;
  std::unordered_map<PublicKey, Slot, PublicKeyHash> by_key_;
  std::set<std::pair<TimePoint, Slot>> wakes_;
};

}  // namespace floe::tunnel
