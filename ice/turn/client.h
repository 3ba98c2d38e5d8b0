// A TURN client: one allocation on one server, over UDP, from one local address.
//
// Source: RFC 8656 sections 7 to 12 and RFC 8489 section 9.2. What is left out is in
// ice/turn/README.md.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/stun/message.h"
#include "ice/turn/channels.h"
#include "ice/turn/permissions.h"
#include "ice/turn/requests.h"

namespace floe::ice::turn {

struct ClientConfig {
  SocketAddress local;   // Where our datagrams leave from.
  SocketAddress server;  // Where they go to.
  std::string username;
  SecretString password;
  IpFamily family = IpFamily::kIpv4;  // Of the relayed address, whatever that of the server.
};

/// The relay is there.
struct Allocated {
  SocketAddress relayed;
  SocketAddress mapped;  // Where the server sees us: a server-reflexive candidate.
};

/// A later answer shows another mapping: the NAT has changed its mind. The allocation belongs to
/// the old one, so Lost is likely to follow.
struct MappedChanged {
  SocketAddress mapped;
};

/// There is no allocation, and this client is done. Whether and when to make another client is the
/// owner's to decide; RFC 8656 section 7.4 asks for a minute after 486 and 508, for another local
/// port after 437, and for nothing more after 401, 403, 441 and 442.
struct Lost {
  int code = 0;                            // The server's error code; 0 when it said nothing.
  std::string_view reason;                 // For people. Lives for ever.
  std::optional<SocketAddress> alternate;  // With 300: the server to try instead.
};

using ClientEvent = std::variant<Allocated, MappedChanged, Lost>;

/// Transitions, enforced in client.cpp:
///
///   kAllocating -> kReady    the server has allocated
///   kAllocating -> kLost     it refused, or did not answer for 39.5 seconds
///   kReady -> kLost          a refresh failed, the allocation is gone, or its time is up
///   kAllocating, kReady -> kClosed    Close()
enum class ClientState : std::uint8_t { kAllocating, kReady, kLost, kClosed };

/// Owns no socket and no timer: after each input, drain PollTransmit() and PollEvent(), then sleep
/// until NextTimeout(). Everything polled from PollTransmit() goes from config.local to
/// config.server. `now` never goes backwards. Not thread-safe.
class Client {
 public:
  /// What to do with a datagram that came from the server to our local address.
  enum class Verdict : std::uint8_t {
    kNotMine,   // Not TURN for this allocation; may be STUN of somebody else on the same socket.
    kConsumed,  // Dealt with, or dropped.
    kData,      // A peer's: treat `payload` as if it had come from `peer` to relayed().
  };

  struct Inbound {
    Verdict verdict = Verdict::kNotMine;
    SocketAddress peer;
    Bytes payload;  // Borrows the datagram.
  };

  /// The largest payload Send() takes, in bytes.
  static constexpr std::size_t kMaxPayload = 65'000;

  /// Begins to allocate at once. `random` must outlive the client.
  Client(TimePoint now, ClientConfig config, RandomSource& random);

  // Inputs.

  /// The caller has seen to it that the datagram came from server() to local().
  [[nodiscard]] Inbound HandleDatagram(TimePoint now, Bytes datagram);
  void HandleTimeout(TimePoint now);

  /// Asks the server to let this peer's datagrams in and ours out, and keeps asking until Revoke().
  /// May be called before the allocation is there. What is permitted in the same round goes out in
  /// one request. A peer that was refused before is tried again.
  void Permit(TimePoint now, const IpAddress& peer);
  void Revoke(const IpAddress& peer);

  /// Binds a channel to this peer and keeps it bound until Unbind(). The peer keeps its number if
  /// it is bound again. Data flows in indications until the server has agreed.
  void BindChannel(TimePoint now, const SocketAddress& peer);
  void Unbind(TimePoint now, const SocketAddress& peer);

  /// Sends to a peer. Without a permission, asks for one and holds the data back until it is there:
  /// at most Permissions::kMaxHeld datagrams for each address, of which the oldest goes first.
  /// False if it cannot be: no allocation and none to come, refused peer, other address family, too
  /// large a payload.
  bool Send(TimePoint now, const SocketAddress& peer, Bytes payload);

  /// Sends Refresh at once: for an owner whose path through this relay has gone quiet. Lost follows
  /// within a round trip if the server has restarted, within 39.5 seconds if it is gone.
  void CheckNow(TimePoint now);

  /// Gives the allocation back. The request is sent twice, in case one is lost.
  void Close(TimePoint now);

  // Outputs.

  [[nodiscard]] std::optional<std::vector<std::uint8_t>> PollTransmit();
  [[nodiscard]] std::optional<ClientEvent> PollEvent();
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const;

  [[nodiscard]] ClientState state() const { return state_; }

  [[nodiscard]] bool ready() const { return state_ == ClientState::kReady; }

  /// The relayed address and where the server sees us; unspecified until ready().
  [[nodiscard]] const SocketAddress& relayed() const { return relayed_; }

  [[nodiscard]] const SocketAddress& mapped() const { return mapped_; }

  [[nodiscard]] const SocketAddress& local() const { return local_; }

  [[nodiscard]] const SocketAddress& server() const { return server_; }

  /// The channel to send to this peer with, once bound: for a packet path that writes the header
  /// itself (StoreChannelDataHeader).
  [[nodiscard]] std::optional<std::uint16_t> ChannelOf(TimePoint now,
                                                       const SocketAddress& peer) const {
    return channels_.NumberOf(now, peer);
  }

  [[nodiscard]] bool IsPermitted(TimePoint now, const IpAddress& peer) const {
    return permissions_.IsInstalled(now, peer);
  }

  /// Datagrams that were dropped: malformed, from nobody we asked for, or without an allocation.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  [[nodiscard]] bool usable() const {
    return state_ == ClientState::kReady || state_ == ClientState::kAllocating;
  }

  Inbound Drop();
  Inbound HandleChannelData(TimePoint now, Bytes datagram);
  Inbound HandleDataIndication(const stun::MessageView& message);

  // NATs forget a UDP mapping after 30 seconds at the earliest.
  static constexpr Duration kKeepaliveInterval = std::chrono::seconds(25);

  /// `response` is nothing when the request has timed out.
  void HandleOutcome(TimePoint now, const Outcome& outcome, const stun::MessageView* response);
  void Finish(TimePoint now, const AllocateIntent& intent, const Outcome& outcome,
              const stun::MessageView* response);
  void Finish(TimePoint now, const RefreshIntent& intent, const Outcome& outcome,
              const stun::MessageView* response);
  void Finish(TimePoint now, const PermitIntent& intent, const Outcome& outcome,
              const stun::MessageView* response);
  void Finish(TimePoint now, const BindIntent& intent, const Outcome& outcome,
              const stun::MessageView* response);
  void Finish(TimePoint now, const ProbeIntent& intent, const Outcome& outcome,
              const stun::MessageView* response);

  /// Takes LIFETIME from a success response. False if it leaves us nothing.
  [[nodiscard]] bool ScheduleRefresh(TimePoint now, const stun::MessageView& response);
  void NoteMapped(TimePoint now, const stun::MessageView& response);
  void SendHeld(TimePoint now, std::vector<HeldData> held);
  void SendIndication(const SocketAddress& peer, Bytes payload);
  /// Sends the requests for permissions and channels that are due.
  void Flush(TimePoint now);
  void Start(TimePoint now, Intent intent);
  void Lose(int code, std::string_view reason,
            std::optional<SocketAddress> alternate = std::nullopt);
  void Lose(const Outcome& outcome);

  const SocketAddress local_;
  const SocketAddress server_;
  const IpFamily family_;
  RandomSource& random_;
  ClientState state_ = ClientState::kAllocating;
  Requests requests_;
  Permissions permissions_;
  Channels channels_;
  SocketAddress relayed_;
  SocketAddress mapped_;
  TimePoint now_;         // Of the last input.
  TimePoint expires_at_;  // When the server forgets the allocation.
  TimePoint refresh_at_;
  TimePoint keepalive_at_;
  bool reclaimed_ = false;  // An allocation that somebody left on our five-tuple was asked to end.
  bool refreshing_ = false;
  bool probing_ = false;
  std::deque<std::vector<std::uint8_t>> outbox_;
  std::deque<ClientEvent> events_;
  std::uint64_t dropped_ = 0;
};

}  // namespace floe::ice::turn
