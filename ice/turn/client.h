// A TURN client: one allocation on one server, over UDP, TCP or TLS.
//
// Source: RFC 8656 sections 7 to 12, RFC 8489 section 9.2, RFC 8016 (mobility). What is left out is
// in ice/turn/README.md.

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
  SocketAddress local;  // Where our datagrams leave from; of no meaning over TCP.
  /// Where they go to. Its transport says whether that is a stream; TLS is one like TCP.
  SocketAddress server;
  std::string username;
  SecretString password;
  IpFamily family = IpFamily::kIpv4;  // Of the relayed address, whatever that of the server.
  bool both_families = false;         // With kIpv4: an IPv6 address as well, if the server has one.
  bool mobile = false;                // Asks for a ticket to take the allocation elsewhere with.
};

/// The relay is there.
struct Allocated {
  SocketAddress relayed;
  SocketAddress mapped;  // Where the server sees us: server-reflexive, if by UDP.
  std::optional<SocketAddress> additional;  // The IPv6 address beside an IPv4 one.
};

/// The network has said no to what we sent a peer (RFC 8656 section 11.5). Nobody vouches for it.
struct PeerUnreachable {
  SocketAddress peer;
  std::uint8_t type = 0;   // Of ICMP or ICMPv6, as the peer's family says.
  std::uint8_t code = 0;   // Likewise.
  std::uint32_t data = 0;  // The MTU, where it was a matter of size.
};

/// A later answer shows another mapping: the NAT has changed its mind. The allocation belongs to
/// the old one, so Lost is likely to follow.
struct MappedChanged {
  SocketAddress mapped;
};

/// There is no allocation, and this client is done. Whether and when to make another client is the
/// owner's to decide; RFC 8656 section 7.4 asks for a minute after 486 and 508, for another local
/// port after 437, and for nothing more after 400, 401, 403, 441 and 442.
struct Lost {
  int code = 0;                            // The server's error code; 0 when it said nothing.
  std::string_view reason;                 // For people. Lives for ever.
  std::optional<SocketAddress> alternate;  // With 300: the server to try instead,
  std::string alternate_name;              // and the name in its certificate, if it is another.
};

using ClientEvent = std::variant<Allocated, MappedChanged, PeerUnreachable, Lost>;

/// Transitions, enforced in client.cpp:
///
///   kAllocating -> kReady    the server has allocated
///   kAllocating -> kLost     it refused, or did not answer for 39.5 seconds
///   kReady -> kLost          a refresh failed, the allocation is gone, or its time is up
///   kAllocating, kReady -> kClosed    Close()
enum class ClientState : std::uint8_t { kAllocating, kReady, kLost, kClosed };

/// Owns no socket and no timer: after each input, drain PollTransmit() and PollEvent(), then sleep
/// until NextTimeout(). Everything polled from PollTransmit() goes from local() to server(); over a
/// stream it is padded, and what is read there is to be framed (stream_framer.h). `now` never goes
/// backwards. Not thread-safe.
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

  /// Sends Refresh at once, also if one is under way: for an owner whose path through this relay
  /// has gone quiet. Lost follows within a round trip if the server has restarted, within 39.5
  /// seconds if it is gone.
  void CheckNow(TimePoint now);

  /// We are at `local` from now on, or on another connection. Takes the allocation along (RFC 8016)
  /// and returns true if the server has given us a ticket for that; Lost follows if it will not let
  /// us after all. Without a ticket or an allocation: false, and nothing done.
  bool Move(TimePoint now, const SocketAddress& local);

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

  /// The relayed address of this family.
  [[nodiscard]] std::optional<SocketAddress> relayed(IpFamily family) const {
    return family == family_ ? std::optional(relayed_) : additional_;
  }

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

  /// True if the server has given us a ticket, so that Move() will do.
  [[nodiscard]] bool is_mobile() const { return !ticket_.empty(); }

  /// When its silence will have lasted, or has lasted, so long that it may be gone: 1.5 s after a
  /// Refresh that is not answered. One of NextTimeout()'s.
  [[nodiscard]] std::optional<TimePoint> silent_at() const {
    return refreshing_ ? std::optional(refresh_sent_at_ + kSilence) : std::nullopt;
  }

  /// Datagrams that were dropped: malformed, from nobody we asked for, or without an allocation.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  [[nodiscard]] bool usable() const {
    return state_ == ClientState::kReady || state_ == ClientState::kAllocating;
  }

  /// Whether the allocation has, or may yet have, an address of this family.
  [[nodiscard]] bool Serves(IpFamily family) const {
    return family == family_ || (ready() ? additional_.has_value() : both_families_);
  }

  [[nodiscard]] AllocateIntent MakeAllocate() const {
    return {.family = family_, .both_families = both_families_, .mobile = mobile_};
  }

  Inbound Drop();
  Inbound HandleChannelData(TimePoint now, Bytes datagram);
  Inbound HandleDataIndication(const stun::MessageView& message);

  // NATs forget a UDP mapping after 30 seconds at the earliest.
  static constexpr Duration kKeepaliveInterval = std::chrono::seconds(25);
  static constexpr Duration kSilence = std::chrono::milliseconds(1500);

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
  void KeepTicket(const stun::MessageView& response);
  void NoteMapped(TimePoint now, const stun::MessageView& response);
  /// Where the server does not know us any more, shows it the ticket. False if there is none.
  bool Rescue(TimePoint now, const Outcome& outcome);
  void SendHeld(TimePoint now, std::vector<HeldData> held);
  void SendIndication(const SocketAddress& peer, Bytes payload);
  /// Sends the requests for permissions and channels that are due.
  void Flush(TimePoint now);
  void Start(TimePoint now, Intent intent);
  void Lose(int code, std::string_view reason,
            std::optional<SocketAddress> alternate = std::nullopt, std::string alternate_name = {});
  void Lose(const Outcome& outcome);

  SocketAddress local_;
  const SocketAddress server_;
  IpFamily family_;
  bool both_families_;
  bool ipv6_is_left_ = false;  // Asking for both was refused, and for IPv6 alone is untried.
  bool mobile_;
  RandomSource& random_;
  ClientState state_ = ClientState::kAllocating;
  Requests requests_;
  Permissions permissions_;
  Channels channels_;
  SocketAddress relayed_;
  std::optional<SocketAddress> additional_;
  SocketAddress mapped_;
  std::vector<std::uint8_t> ticket_;  // The last the server gave; empty if it gives none.
  TimePoint now_;                     // Of the last input.
  TimePoint expires_at_;              // When the server forgets the allocation.
  TimePoint refresh_at_;
  TimePoint refresh_sent_at_;  // The one that is under way, if one is.
  TimePoint keepalive_at_;
  bool reclaimed_ = false;  // An allocation that somebody left on our five-tuple was asked to end.
  bool refreshing_ = false;
  bool moving_ = false;  // Until the server agrees, nothing else is asked for.
  bool probing_ = false;
  std::deque<std::vector<std::uint8_t>> outbox_;
  std::deque<ClientEvent> events_;
  std::uint64_t dropped_ = 0;
};

}  // namespace floe::ice::turn
