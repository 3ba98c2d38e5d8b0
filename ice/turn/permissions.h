// The permissions a client wants on its relay: asked for, kept, and the data that waits for them.
//
// Source: RFC 8656 sections 9 and 10. A permission is for an address, whatever the port, and lasts
// 300 seconds.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/socket_address.h"
#include "base/time.h"

namespace floe::ice::turn {

/// Data for a peer, held back until the relay would let it through.
struct HeldData {
  SocketAddress peer;
  std::vector<std::uint8_t> payload;
};

class Permissions {
 public:
  static constexpr std::size_t kMaxPeers = 4096;
  static constexpr std::size_t kMaxPerRequest = 32;  // A request stays below 800 bytes.
  static constexpr std::size_t kMaxHeld = 16;        // datagrams a peer

  /// Wants a permission from now on. One that was refused before is tried again. False if there
  /// are kMaxPeers already.
  bool Want(TimePoint now, const IpAddress& peer);

  /// Wants it no longer. The server's ends by itself.
  void Forget(const IpAddress& peer);

  /// Forgets all.
  void Clear();

  [[nodiscard]] bool IsWanted(const IpAddress& peer) const { return entries_.contains(peer); }

  /// True if the server has agreed, and not too long ago.
  [[nodiscard]] bool IsInstalled(TimePoint now, const IpAddress& peer) const;

  /// True if the server has said no, for good.
  [[nodiscard]] bool IsRefused(const IpAddress& peer) const;

  /// Keeps a copy until the permission is there; the oldest goes when there are too many.
  /// The peer must be wanted.
  void Hold(const SocketAddress& peer, Bytes payload);

  /// The addresses to ask for in one request, which the caller sends; empty if none is due. What
  /// would be due soon comes along, so that refreshes gather in one request.
  [[nodiscard]] std::vector<IpAddress> TakeDue(TimePoint now);

  /// The server agreed. Returns what was held back, in order, to be sent at once.
  [[nodiscard]] std::vector<HeldData> HandleInstalled(TimePoint now,
                                                      std::span<const IpAddress> peers);

  /// The server refused all of `peers` because of one of them: each is asked for alone, and one
  /// that was alone is refused for good.
  void HandleRefused(TimePoint now, std::span<const IpAddress> peers);

  /// There was no answer, or no capacity: asks again after `pause`.
  void HandleFailed(TimePoint now, std::span<const IpAddress> peers, Duration pause);

  [[nodiscard]] std::optional<TimePoint> NextTimeout() const { return next_due_; }

 private:
  struct Entry {
    std::optional<TimePoint> due;      // When to ask; nothing while asking or refused.
    std::optional<TimePoint> expires;  // Nothing until installed.
    bool refused = false;
    bool alone = false;  // Is asked for in a request of its own.
    std::vector<HeldData> held;
  };

  /// After `due` of any entry has changed.
  void UpdateNextDue();

  std::map<IpAddress, Entry> entries_;
  std::optional<TimePoint> next_due_;  // The earliest of all, which each datagram asks for.
};

}  // namespace floe::ice::turn
