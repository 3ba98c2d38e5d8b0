// What packet threads know of peers: whose an address is, the session to use, the way to the peer.
//
// Packets of a peer that has a session and a way go past Tunnel, by outbound.h and inbound.h, on
// threads of their own. All others, and all that is no packet, is Tunnel's. It writes here, on its
// one thread, and is told now and then what was sent and received.

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/rw_lock.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "tunnel/allowed_ips.h"
#include "tunnel/constants.h"
#include "tunnel/counters.h"
#include "tunnel/session.h"
#include "tunnel/types.h"

namespace floe::tunnel {

inline constexpr std::size_t kChannelHeaderSize = 4;  // bytes: RFC 8656 section 12.4

/// How transport messages get to a peer and come from it, by UDP.
struct UdpWay {
  SocketAddress local;  // Unspecified: whichever the kernel chooses, and from wherever they come.
  SocketAddress remote;
  /// At a TURN server, which is `remote` then: they are ChannelData (RFC 8656 section 12.4).
  std::optional<std::uint16_t> channel;
  /// The other end joins the congestion marks of outer headers to packets (packet/ecn.h).
  bool carries_ecn = false;

  bool operator==(const UdpWay&) const = default;
};

/// What packet threads have done for a peer since they were last asked.
struct Activity {
  std::optional<TimePoint> sent;      // The latest packet.
  std::optional<TimePoint> received;  // The latest message that is authentic.
  bool data_received = false;         // Some of it was no keepalive.
  std::uint64_t tx_bytes = 0;         // As in PeerStats.
  std::uint64_t rx_bytes = 0;
};

/// One peer as packet threads see it.
class Lane {
 public:
  using Slot = AllowedIps::Owner;

  Lane(Slot slot, PeerId peer) : slot_(slot), peer_(peer) {}

  // For packet threads, under Forwarding::lock().

  [[nodiscard]] Slot slot() const { return slot_; }

  [[nodiscard]] PeerId peer() const { return peer_; }

  /// The session to send and receive on, or null: then Tunnel has to see to it.
  [[nodiscard]] Session* session() const { return session_.get(); }

  /// The way to send and receive by, while it may be used.
  [[nodiscard]] const UdpWay* WayAt(TimePoint now) const {
    return way_ && now < way_until_ ? &*way_ : nullptr;
  }

  /// The largest inner packet that the way carries, in bytes.
  [[nodiscard]] std::size_t room() const { return room_; }

  /// Answers to echo requests may be for us (engine/pinger.h).
  [[nodiscard]] bool wants_echo_replies() const { return wants_echo_replies_; }

 private:
  friend class Forwarding;

  Slot slot_;
  PeerId peer_;
  std::shared_ptr<Session> session_;
  std::optional<UdpWay> way_;
  TimePoint way_until_ = TimePoint::max();
  std::size_t room_ = kDefaultRoom;
  bool wants_echo_replies_ = false;

  // Without the lock.
  std::atomic<bool> active_{false};  // Stands in Forwarding::active_.
  std::atomic<TimePoint> sent_{TimePoint::min()};
  std::atomic<TimePoint> received_{TimePoint::min()};
  std::atomic<bool> data_received_{false};
  std::atomic<std::uint64_t> tx_bytes_{0};
  std::atomic<std::uint64_t> rx_bytes_{0};
};

class Forwarding {
 public:
  using Slot = Lane::Slot;

  Forwarding() = default;
  Forwarding(const Forwarding&) = delete;
  Forwarding& operator=(const Forwarding&) = delete;

  // For the thread of Tunnel. Packet threads wait for as long as a pointer takes to change.

  /// There will be packet threads. Before the first AddLane(), which does nothing else.
  void Enable() { enabled_ = true; }

  void AddLane(Slot slot, PeerId peer);
  /// Once it returns, nobody uses the peer's session.
  void RemoveLane(Slot slot);
  void Insert(const IpPrefix& prefix, Slot slot);
  void Remove(const IpPrefix& prefix, Slot slot);
  /// Once it returns, nobody uses the session before. Null: none.
  void SetSession(Slot slot, const std::shared_ptr<Session>& session);
  /// The way may be used before `until`.
  void SetWay(Slot slot, const std::optional<UdpWay>& way, TimePoint until);
  void SetRoom(Slot slot, std::size_t room);
  /// Of this machine, inside the tunnel.
  void SetOwnAddresses(std::vector<IpAddress> addresses);
  void SetWantsEchoReplies(Slot slot, bool wants);

  [[nodiscard]] const AllowedIps& allowed_ips() const { return allowed_ips_; }

  /// Peers with something for TakeActivity().
  [[nodiscard]] std::vector<Slot> TakeActive();
  [[nodiscard]] Activity TakeActivity(Slot slot);
  /// Adds what packet threads have dropped.
  void TakeDrops(Counters& counters);

  // For packet threads.

  /// To be held for reading while anything below is used.
  [[nodiscard]] RwLock& lock() { return lock_; }

  /// Null if the address is no peer's.
  [[nodiscard]] Lane* FindByDestination(const IpAddress& ip) const;
  /// The peer whose session() has this local index, or null.
  [[nodiscard]] Lane* FindByIndex(std::uint32_t index) const;

  [[nodiscard]] bool MayComeFrom(const IpAddress& source, const Lane& lane) const {
    return allowed_ips_.Find(source) == lane.slot();
  }

  /// Lowers what a SYN asks for to what fits in the room, unless it is of a connection of this
  /// machine: `end` is the end on our side. For the thread of Tunnel as well, without the lock.
  void ClampForwarded(MutableBytes packet, const IpAddress& end, std::size_t room);

  [[nodiscard]] std::uint64_t clamped_mss() const { return clamped_mss_.load(); }

  // True if somebody should ask TakeActive(), and nobody has been told to.

  [[nodiscard]] bool NoteSent(TimePoint now, Lane& lane, std::size_t bytes);
  [[nodiscard]] bool NoteReceived(TimePoint now, Lane& lane, std::size_t bytes, bool data);

  enum class Drop : std::uint8_t {
    kExpired,
    kReplay,
    kForged,
    kMalformed,
    kSpoofed,
    kCongested,
    kCount
  };

  void NoteDrop(Drop drop) {
    drops_[static_cast<std::size_t>(drop)].fetch_add(1, std::memory_order_relaxed);
  }

 private:
  [[nodiscard]] bool NoteActive(Lane& lane);

  [[nodiscard]] Lane* At(Slot slot) const {
    return slot < lanes_.size() ? lanes_[slot].get() : nullptr;
  }

  bool enabled_ = false;
  RwLock lock_;
  // Written under lock_, by one thread, which may thus read without it.
  AllowedIps allowed_ips_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // By slot. Null: free.
  std::unordered_map<std::uint32_t, Lane*> by_index_;
  std::vector<IpAddress> own_addresses_;

  std::mutex active_lock_;
  std::vector<Slot> active_;  // Under active_lock_. Room for all is there beforehand.

  std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(Drop::kCount)> drops_{};
  std::atomic<std::uint64_t> clamped_mss_{0};
};

}  // namespace floe::tunnel
