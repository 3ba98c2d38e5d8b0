// The channels a client has bound, or is about to, on its relay.
//
// Source: RFC 8656 section 12. A binding lasts 600 seconds. Its number must not go to another peer
// for another 300, nor its peer to another number; the same two may be bound again at any time.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>

#include "base/socket_address.h"
#include "base/time.h"
#include "ice/turn/requests.h"

namespace floe::ice::turn {

class Channels {
 public:
  /// Wants a channel to this peer from now on. False if every number is taken or cooling down.
  bool Want(TimePoint now, const SocketAddress& peer);

  /// Wants it no longer. The binding ends by itself; until then what comes through it is taken.
  void Forget(const SocketAddress& peer);

  void Clear();

  /// The number to send to this peer with; nothing until the server has agreed.
  [[nodiscard]] std::optional<std::uint16_t> NumberOf(TimePoint now,
                                                      const SocketAddress& peer) const;

  /// Who is behind a number: also before the server's answer, which its data may overtake, and
  /// after Forget() while the server still has the binding.
  [[nodiscard]] std::optional<SocketAddress> PeerOf(TimePoint now, std::uint16_t number) const;

  /// A request that is due and that the caller sends; nothing if there is none.
  [[nodiscard]] std::optional<BindIntent> TakeDue(TimePoint now);

  void HandleBound(TimePoint now, const BindIntent& bind);
  /// The server refused, for good.
  void HandleRefused(const BindIntent& bind);
  /// There was no answer, or no capacity: asks again after `pause`.
  void HandleFailed(TimePoint now, const BindIntent& bind, Duration pause);

  [[nodiscard]] std::optional<TimePoint> NextTimeout() const { return next_due_; }

 private:
  struct Entry {
    SocketAddress peer;
    bool wanted = true;
    bool asking = false;
    std::optional<TimePoint> due;          // When to ask; nothing while asking.
    std::optional<TimePoint> bound_until;  // Nothing until the server has agreed.
    // When the server's binding ends at the latest, counted from the last request: it may have
    // arrived although no answer came back. Nothing if none was ever sent.
    std::optional<TimePoint> may_last_until;
  };

  [[nodiscard]] Entry* Find(std::uint16_t number);
  [[nodiscard]] std::optional<std::uint16_t> FreeNumber() const;
  void Purge(TimePoint now);
  /// After `due` of any entry has changed.
  void UpdateNextDue();

  std::map<std::uint16_t, Entry> entries_;
  std::unordered_map<SocketAddress, std::uint16_t, SocketAddressHash> numbers_;
  std::uint16_t next_number_ = 0;      // offset from kFirstChannel
  std::optional<TimePoint> next_due_;  // The earliest of all, which each datagram asks for.
};

}  // namespace floe::ice::turn
