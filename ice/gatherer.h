// Finds the addresses at which this machine can be reached, and keeps them working.
//
// One gatherer serves all peers: sockets, reflexive addresses and relay allocations are per
// machine, checks are per peer.  Source: RFC 8445 section 5.1, RFC 8656.

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/agent.h"
#include "ice/candidate.h"
#include "ice/disclosure.h"
#include "ice/nat_discovery.h"
#include "ice/relay.h"
#include "ice/relay_server.h"
#include "ice/relay_way.h"
#include "ice/stun/message.h"

namespace floe::ice {

struct CandidateAdded {
  Candidate candidate;
};

/// The address no longer leads here.
struct CandidateRemoved {
  Candidate candidate;
};

/// Every server has answered or been given up for the time being. Candidates may still come.
struct GatheringDone {};

using GathererEvent =
    std::variant<CandidateAdded, CandidateRemoved, GatheringDone, RelayRefused, RelayedUnreachable>;

/// What the answers of several servers say about the NAT we are behind.
enum class NatKind : std::uint8_t {
  kUnknown,
  kNone,     // The servers see our own address.
  kEasy,     // One outside port, whoever is asked: endpoint-independent mapping.
  kHard,     // Another outside port for each server.
  kBlocked,  // Servers are known and none answers.
};

[[nodiscard]] std::string_view ToString(NatKind kind);

/// Owns no socket and no timer: one input, then all outputs, then sleep until NextTimeout().
class Gatherer {
 public:
  /// `random` must outlive the gatherer.
  explicit Gatherer(RandomSource& random);

  Gatherer(const Gatherer&) = delete;
  Gatherer& operator=(const Gatherer&) = delete;

  // Inputs.

  /// All addresses of ours that datagrams can be sent from, each with the port of our socket, the
  /// preferred ones first. Call again whenever they change.
  void SetLocalAddresses(TimePoint now, const std::vector<SocketAddress>& addresses);

  /// Where connections are accepted, the preferred ones first: passive candidates of RFC 6544, and
  /// for each an active one; and where they are opened from both ends. Again whenever they change.
  void SetTcpAddresses(const std::vector<SocketAddress>& passive,
                       const std::vector<SocketAddress>& simultaneous = {});

  /// At most kMaxServers of each are used: relays of one name count once. Servers that stay the
  /// same keep their state.
  void SetServers(TimePoint now, const std::vector<SocketAddress>& stun,
                  std::vector<RelayServer> relays);

  /// A router forwards what comes to `external` to `base` (see portmap/), or does so no longer.
  void SetPortMapping(const SocketAddress& base, std::optional<SocketAddress> external);

  /// What Tell() keeps back from peers from here on.
  void SetDisclosure(Disclosure disclosure) { disclosure_ = std::move(disclosure); }

  /// Asks every server again, because our addresses may be others from now on.
  void HandleNetworkChange(TimePoint now);

  enum class Verdict : std::uint8_t {
    kNotMine,
    kConsumed,
    kData,  // It came through a relay: `local`, `remote` and `payload` are what was inside.
  };

  struct Inbound {
    Verdict verdict = Verdict::kNotMine;
    SocketAddress local;
    SocketAddress remote;
    Bytes payload;  // Borrows the datagram.
  };

  Inbound HandleDatagram(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                         Bytes datagram);

  /// A stream that PollStreamAction() has asked for: it is open, and leaves from `local`; something
  /// was read from it; it is no more, or could not be opened. False if we have closed it.
  bool HandleStreamOpened(TimePoint now, StreamId id, const SocketAddress& local);
  bool HandleStreamBytes(TimePoint now, StreamId id, Bytes bytes);
  bool HandleStreamClosed(TimePoint now, StreamId id, std::string_view reason);

  /// Sends from a base, which may be a relayed address: then the relay is asked to, and `handling`
  /// is for the way to it.
  void Send(TimePoint now, const SocketAddress& base, const SocketAddress& remote,
            std::vector<std::uint8_t> payload, Handling handling = {});

  /// Data will go this way: over a relay, it gets a channel (RFC 8656 section 12).
  void UseForData(TimePoint now, const SocketAddress& base, const SocketAddress& remote);

  /// How datagrams from this base get to `remote` past Send(): from `local` to `remote`, within
  /// ChannelData if there is a channel.
  struct Underlying {
    SocketAddress local;
    SocketAddress remote;
    std::optional<std::uint16_t> channel;
  };

  /// Nothing if there is no such way: over TCP, or a relay's channel is not bound yet. A way over a
  /// relay is to be asked for again now and then, with UseForData().
  [[nodiscard]] std::optional<Underlying> UnderlyingOf(TimePoint now, const SocketAddress& base,
                                                       const SocketAddress& remote) const;

  /// Gives every allocation back to its server.
  void Close(TimePoint now);

  void HandleTimeout(TimePoint now);

  // Outputs.

  [[nodiscard]] std::optional<Transmit> PollTransmit();
  [[nodiscard]] std::optional<GathererEvent> PollEvent();
  [[nodiscard]] std::optional<StreamAction> PollStreamAction();
  /// What came through a relay by HandleStreamBytes(), which is to be drained after it.
  [[nodiscard]] std::optional<Relayed> PollReceived();
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const;

  [[nodiscard]] const std::vector<Candidate>& candidates() const { return candidates_; }

  /// A candidate of ours as a peer may be told of it, or nothing.
  [[nodiscard]] std::optional<Candidate> Tell(const Candidate& candidate) const {
    return disclosure_.Tell(candidate);
  }

  /// Whether every server has answered or been given up for the time being.
  [[nodiscard]] bool is_settled() const;
  [[nodiscard]] NatKind nat() const;

  /// What a server with a second address has found out, once it has: RFC 5780.
  [[nodiscard]] NatMapping nat_mapping() const {
    return discovery_ ? discovery_->mapping() : NatMapping::kUnknown;
  }

  [[nodiscard]] NatFiltering nat_filtering() const {
    return discovery_ ? discovery_->filtering() : NatFiltering::kUnknown;
  }

  /// A server that has said where it sees this base.
  [[nodiscard]] std::optional<SocketAddress> ServerOf(const SocketAddress& base) const;

  [[nodiscard]] bool IsRelayed(const SocketAddress& base) const;
  /// The relay server behind a relayed base, for the user's eyes.
  [[nodiscard]] std::optional<SocketAddress> RelayOf(const SocketAddress& base) const;
  /// How we talk to that relay.
  [[nodiscard]] std::optional<RelayTransport> RelayTransportOf(const SocketAddress& base) const;

  static constexpr std::size_t kMaxServers = 4;
  static constexpr std::size_t kMaxWays = 12;  // To one relay: addresses times transports.

 private:
  /// What one STUN server says of one base.
  struct Binding {
    SocketAddress base;
    SocketAddress server;
    std::optional<SocketAddress> mapped;
    std::vector<stun::TransactionId> ids;  // Any of them may be answered.
    std::uint32_t sends = 0;
    bool settled = false;  // Answered, or given up once.
    TimePoint wake;
  };

  void MakeBindings(TimePoint now);
  void SendBindingRequest(TimePoint now, Binding& binding);
  bool HandleBindingResponse(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                             Bytes datagram);
  /// Those of one server become ways to one relay.
  void SetRelays(TimePoint now, std::vector<RelayServer> relays);
  /// Takes what the relays have learned. After every input of theirs.
  void DrainRelays(TimePoint now);
  void HandleRelayEvent(TimePoint now, const RelayEvent& event);
  void AddRelayed(const RelayFound& found, const SocketAddress& relayed);
  [[nodiscard]] bool IsTaken(const SocketAddress& relayed) const;
  /// The relay with this relayed address; null if none.
  [[nodiscard]] Relay* FindRelay(const SocketAddress& relayed);
  void AddCandidate(Candidate candidate);
  void RemoveCandidates(const SocketAddress& base);
  /// Unless another server still sees us there.
  void RemoveReflexive(const SocketAddress& base, const SocketAddress& mapped);
  void Discover(TimePoint now, const Binding& binding, const stun::MessageView& message);
  void DrainDiscovery();
  void AddReflexive(const SocketAddress& base, const SocketAddress& mapped,
                    const SocketAddress& server);
  /// A router whose owner forwards the port of our socket to us is reached at that port, whichever
  /// the router shows to servers. One candidate more for each base whose port nobody has seen.
  void GuessForward(const SocketAddress& base);
  void DropGuess(const SocketAddress& base);
  [[nodiscard]] std::uint16_t LocalPreference(const SocketAddress& base) const;
  void ReportIfDone();

  RandomSource& random_;
  std::vector<SocketAddress> addresses_;
  std::vector<SocketAddress> stun_servers_;
  std::vector<Binding> bindings_;
  std::optional<NatDiscovery> discovery_;
  std::map<SocketAddress, SocketAddress> port_mappings_;  // By base.
  std::map<SocketAddress, SocketAddress> guesses_;        // Likewise: what GuessForward() has told.

  struct NamedRelay {
    std::string name;
    std::unique_ptr<Relay> relay;
  };

  std::vector<NamedRelay> relays_;
  std::vector<Candidate> candidates_;
  Disclosure disclosure_;
  bool done_ = false;
  std::deque<Transmit> transmits_;
  std::deque<GathererEvent> events_;
  std::deque<StreamAction> stream_actions_;
  std::deque<RelayEvent> relay_events_;
  std::deque<Relayed> received_;
  StreamId next_stream_ = 1;
};

}  // namespace floe::ice
