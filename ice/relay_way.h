// One way to a relay: one address of it, over one transport, and the allocation made that way.

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/agent.h"
#include "ice/relay_server.h"
#include "ice/turn/client.h"
#include "ice/turn/stream_framer.h"

namespace floe::ice {

// What a gatherer learns from its relays.

/// There is an allocation. To be answered by Relay::Refuse() if its addresses cannot be true.
struct RelayFound {
  SocketAddress relayed;
  std::optional<SocketAddress> additional;  // Of the other family.
  SocketAddress local;                      // Where we talk to the relay from.
  SocketAddress server;
  SocketAddress mapped;
  RelayTransport transport = RelayTransport::kUdp;
};

struct RelayGone {
  SocketAddress relayed;
};

/// A relay by UDP sees our socket elsewhere than before, or cares for it no longer.
struct RelayMapping {
  SocketAddress local;
  SocketAddress server;
  std::optional<SocketAddress> before;
  std::optional<SocketAddress> after;
};

/// A server will have nothing of us until something is changed: for people.
struct RelayRefused {
  SocketAddress server;
  int code = 0;
  std::string_view reason;  // Lives for ever.
};

/// What went from the relayed address to this peer came to nothing.
struct RelayedUnreachable {
  SocketAddress relayed;
  SocketAddress peer;
};

using RelayEvent =
    std::variant<RelayFound, RelayGone, RelayMapping, RelayRefused, RelayedUnreachable>;

/// Where relays put what they have to say. What it refers to outlives them.
struct RelayOutbox {
  std::deque<Transmit>& transmits;
  std::deque<StreamAction>& actions;
  std::deque<RelayEvent>& events;
  StreamId& next_stream;
};

/// What a datagram from a relay was. Of kData, what was inside.
struct RelayInbound {
  turn::Client::Verdict verdict = turn::Client::Verdict::kNotMine;
  SocketAddress local;  // The relayed address.
  SocketAddress remote;
  Bytes payload;  // Borrows the datagram.
};

/// The same of a stream, where one read may hold many.
struct Relayed {
  SocketAddress local;  // The relayed address.
  SocketAddress remote;
  std::vector<std::uint8_t> payload;
};

/// kIdle -> kConnecting -> kAllocating -> kReady, and from each of them back to kIdle. Over UDP
/// there is nothing to connect. A stream that breaks below an allocation that can be moved leads
/// from kReady to kReady, until the server has not agreed.
class RelayWay {
 public:
  enum class State : std::uint8_t { kIdle, kConnecting, kAllocating, kReady };

  /// `random` must outlive it.
  RelayWay(RelayServer server, RelayOutbox outbox, RandomSource& random);

  [[nodiscard]] const RelayServer& server() const { return server_; }

  [[nodiscard]] RelayTransport transport() const { return server_.transport; }

  [[nodiscard]] State state() const { return state_; }

  [[nodiscard]] bool ready() const { return state_ == State::kReady; }

  /// Ready, but the server has not answered for so long that others should be tried.
  [[nodiscard]] bool IsDoubtful(TimePoint now) const;

  /// Where we talk to it from; unspecified of a stream that is not open.
  [[nodiscard]] const SocketAddress& local() const { return local_; }

  /// The server, or where it has sent us.
  [[nodiscard]] const SocketAddress& target() const { return target_; }

  [[nodiscard]] bool Has(const SocketAddress& relayed) const;

  [[nodiscard]] std::optional<SocketAddress> mapped() const { return mapped_; }

  /// Newer credentials serve the next allocation: one keeps its own for life (RFC 8656 section 5).
  void SetServer(TimePoint now, RelayServer server);

  /// From kIdle. `local` is where to send from, over UDP.
  void Start(TimePoint now, const SocketAddress& local);

  /// Gives back what there is, and is idle. Nothing starts it again but Start().
  void Stop(TimePoint now);

  /// Its addresses cannot be true: it has failed, and they are not said to be gone.
  void Refuse(TimePoint now);
  /// Its addresses are not true any more: it has failed, and they are gone.
  void Lose(TimePoint now);

  /// `local()` is an address of ours no more; over UDP there may be another one. Takes the
  /// allocation along or gives it up. One that could be taken along and has nowhere to go waits.
  void HandleAddressGone(TimePoint now, const std::optional<SocketAddress>& other);

  /// Waits for an address to go on from: none is good for it.
  [[nodiscard]] bool is_stranded() const { return stranded_until_.has_value(); }

  /// Asks the server whether all is well; begins again what may have been lost.
  void HandleNetworkChange(TimePoint now);

  RelayInbound HandleDatagram(TimePoint now, const SocketAddress& local,
                              const SocketAddress& remote, Bytes datagram);

  [[nodiscard]] std::optional<StreamId> stream() const { return stream_; }

  void HandleStreamOpened(TimePoint now, const SocketAddress& local);
  void HandleStreamBytes(TimePoint now, Bytes bytes, std::deque<Relayed>& received);
  void HandleStreamClosed(TimePoint now, std::string_view reason);

  void HandleTimeout(TimePoint now);

  void Send(TimePoint now, const SocketAddress& remote, Bytes payload);
  void UseForData(TimePoint now, const SocketAddress& remote);

  /// The channel that data to this peer goes by, over UDP, once it is bound.
  [[nodiscard]] std::optional<std::uint16_t> ChannelTo(TimePoint now,
                                                       const SocketAddress& remote) const;

  /// When it may be started: at once if nothing, and before the first time.
  [[nodiscard]] std::optional<TimePoint> not_before() const { return not_before_; }

  /// How often it has failed, counted from the end of the last allocation.
  [[nodiscard]] std::uint32_t failures() const { return failures_; }

  /// How many times another of our addresses should have its turn.
  [[nodiscard]] std::size_t turn() const { return turn_; }

  /// When it became ready.
  [[nodiscard]] TimePoint since() const { return since_; }

  /// Since when a better way makes this one superfluous. The owner's.
  std::optional<TimePoint> retire_at;
  /// When it is to be started. The owner's.
  std::optional<TimePoint> start_at;

  [[nodiscard]] std::optional<TimePoint> NextTimeout() const;

 private:
  [[nodiscard]] bool is_stream() const { return server_.transport != RelayTransport::kUdp; }

  void MakeClient(TimePoint now);
  void OpenStream(TimePoint now);
  void DropStream();
  void Drain(TimePoint now);
  void DrainTransmits();
  void HandleEvent(TimePoint now, const turn::ClientEvent& event);
  void HandleLost(TimePoint now, const turn::Lost& lost);
  /// Follows a 300. False if it leads nowhere, or in a circle.
  bool Redirect(TimePoint now, const turn::Lost& lost);
  void SetMapped(std::optional<SocketAddress> mapped);
  /// Forgets the allocation and says so; what had to be sent was sent.
  void Forget();
  /// Stops, and says when to try again.
  void Fail(TimePoint now, int code, std::string_view reason);
  void ForgetIdle(TimePoint now);

  RelayServer server_;
  RelayOutbox outbox_;
  RandomSource& random_;
  State state_ = State::kIdle;
  SocketAddress target_;                      // The server, or the one it has sent us to.
  std::string target_name_;                   // Whose certificate it must be.
  std::map<SocketAddress, TimePoint> tried_;  // Where it has sent us, and when.
  std::optional<TimePoint> stranded_until_;
  std::unique_ptr<turn::Client> client_;
  std::optional<StreamId> stream_;
  turn::StreamFramer framer_;
  SocketAddress local_;
  std::vector<SocketAddress> relayed_;   // While the allocation stands: one or two.
  std::optional<SocketAddress> mapped_;  // Where the server sees us, by UDP.
  TimePoint started_;
  TimePoint since_;
  std::optional<TimePoint> give_up_at_;  // On connecting.
  std::optional<TimePoint> moved_at_;    // When it was last taken to another address of ours.
  std::optional<TimePoint> not_before_;
  std::uint32_t failures_ = 0;
  std::size_t turn_ = 0;
  bool other_credentials_ = false;               // They came after those in use.
  std::map<IpAddress, TimePoint> permitted_;     // When something was last sent there.
  std::map<SocketAddress, TimePoint> channels_;  // Likewise, where data goes or went.
};

}  // namespace floe::ice
