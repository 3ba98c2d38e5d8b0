// One bare ICE session as floe-ice has it: lines of text in and out, no I/O.
//
// Source: DESIGN.md, "floe-ice"; RFC 8445 section 9 (restart), RFC 8838 (trickle).

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/agent.h"
#include "ice/gatherer.h"
#include "ice/mdns/named_candidates.h"
#include "ice/mdns/resolver.h"
#include "tests/tools/floe_ice/command.h"

namespace floe::tools {

struct SessionConfig {
  ice::Role role = ice::Role::kControlled;
  /// Only relayed addresses are signalled, and what comes by another way is not even looked at.
  bool relay_only = false;
};

/// An agent for each generation of credentials. The latest one looks for a path; those before carry
/// data until it has one, and answer late checks for 30 s more.
///
/// Generations follow each other in any order of events: `restart` here opens one, and the next
/// ufrag of the peer belongs to it; a ufrag of the peer that differs from the one known, once there
/// was a path, opens one too, with credentials of ours that are as fresh.
///
/// One input, then all outputs, then sleep until NextTimeout().
class Session {
 public:
  /// The first lines are there at once. `random` must outlive the session.
  Session(TimePoint now, SessionConfig config, RandomSource& random);

  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Inputs.

  void SetLocalAddresses(TimePoint now, const std::vector<SocketAddress>& addresses);

  /// As for ice::Gatherer. Not to be called if only relays may be signalled.
  void SetTcpAddresses(TimePoint now, const std::vector<SocketAddress>& passive,
                       const std::vector<SocketAddress>& simultaneous);

  /// `more` says that names of servers are still being looked up.
  void SetServers(TimePoint now, const std::vector<SocketAddress>& stun,
                  std::vector<ice::RelayServer> relays, bool more);

  void HandleLine(TimePoint now, std::string_view line);
  void HandleDatagram(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                      Bytes datagram);
  void HandleUnreachable(TimePoint now, const SocketAddress& local, const SocketAddress& remote);
  /// Of the streams to relays that PollStreamAction() asks for.
  void HandleStreamOpened(TimePoint now, ice::StreamId id, const SocketAddress& local);
  void HandleStreamBytes(TimePoint now, ice::StreamId id, Bytes bytes);
  void HandleStreamClosed(TimePoint now, ice::StreamId id, std::string_view reason);
  /// What came from port 5353, RFC 6762.
  void HandleMdns(TimePoint now, Bytes datagram);
  void HandleTimeout(TimePoint now);

  /// Gives the allocations back. What is to be sent then is the last.
  void Close(TimePoint now);

  // Outputs.

  [[nodiscard]] std::optional<ice::Transmit> PollTransmit();
  [[nodiscard]] std::optional<ice::StreamAction> PollStreamAction();
  /// For the multicast groups of RFC 6762 on every network of ours.
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> PollMdnsQuery();
  /// For standard output.
  [[nodiscard]] std::optional<std::string> PollLine();
  /// For standard error: why something was not done.
  [[nodiscard]] std::optional<std::string> PollComplaint();
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const;

  [[nodiscard]] bool is_closed() const { return closed_; }

 private:
  enum class OpenedBy : std::uint8_t { kUs, kPeer };

  struct Generation {
    std::uint32_t number = 0;
    std::unique_ptr<ice::Agent> agent;
    OpenedBy opened_by = OpenedBy::kUs;
    TimePoint opened;
    std::optional<std::string> remote_ufrag;
    std::optional<std::string> remote_password;
    bool had_path = false;
    bool told_completed = false;
    std::optional<TimePoint> ends;  // Set once another carries the data.
  };

  /// A candidate that names the ufrag of a generation we have not heard of.
  struct EarlyCandidate {
    TimePoint came;
    std::string ufrag;
    std::string line;
  };

  // session.cpp
  void OpenGeneration(TimePoint now, OpenedBy by);
  void StartAgent(TimePoint now, Generation& generation, ice::Role role,
                  const ice::Credentials& local);
  void Describe();
  void Drain(TimePoint now);
  bool DrainGatherer(TimePoint now);
  void HandleGathererEvent(TimePoint now, const ice::GathererEvent& event);
  void EndGatheringIfDone(TimePoint now);
  void TellCompleted(Generation& generation);
  void TellSelection(TimePoint now);
  void RetireGenerations(TimePoint now);
  [[nodiscard]] Generation* Carrier();
  [[nodiscard]] bool MaySignal(const ice::Candidate& candidate) const;
  [[nodiscard]] std::vector<ice::Candidate> SignalledCandidates() const;
  void AddLocalCandidate(TimePoint now, const ice::Candidate& candidate);
  [[nodiscard]] std::string LineOf(const ice::Candidate& candidate) const;
  void HandleFromPeer(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                      Bytes payload);

  void Complain(std::string text) { complaints_.push_back(std::move(text)); }

  // session_commands.cpp
  void Handle(TimePoint now, const RemoteUfrag& command);
  void Handle(TimePoint now, const RemotePassword& command);
  void Handle(TimePoint now, const RemoteCandidate& command);
  void Handle(TimePoint now, const RemoteEndOfCandidates& command);
  void Handle(TimePoint now, const SendData& command);
  void Handle(TimePoint now, const Restart& command);
  void Handle(TimePoint now, const CloseSession& command);
  void ApplyRemoteCredentials(TimePoint now);
  void TakeEarlyCandidates(TimePoint now);
  void AddRemoteCandidate(TimePoint now, Generation& generation, std::string_view line);
  void AddRemoteCandidate(TimePoint now, Generation& generation, const ice::Candidate& candidate);
  void TakeResolutions(TimePoint now);
  [[nodiscard]] Generation& GenerationOfUnnamed();

  [[nodiscard]] Generation& current() { return generations_.back(); }

  SessionConfig config_;
  RandomSource& random_;
  ice::Gatherer gatherer_;
  std::deque<Generation> generations_;  // Oldest first; never empty.
  std::uint32_t next_number_ = 0;
  std::deque<EarlyCandidate> early_;
  ice::mdns::Resolver mdns_;
  ice::mdns::NamedCandidates named_{ice::mdns::Resolver::kMaxNames};  // By generation.
  std::optional<std::string> early_password_;
  bool has_addresses_ = false;
  bool has_servers_ = false;
  bool names_pending_ = false;
  bool gathered_ = false;     // end-of-candidates was said.
  TimePoint gathering_ends_;  // It is said by then, whoever has not answered.
  /// The line printed last of the pair that carries the data, and of which generation.
  std::optional<std::pair<const ice::Agent*, std::string>> selection_;
  bool closed_ = false;
  std::deque<ice::Transmit> transmits_;
  std::deque<std::string> lines_;
  std::deque<std::string> complaints_;
};

}  // namespace floe::tools
