// One ICE session with one peer, as a state machine without I/O.
//
// Source: RFC 8445 (ICE), RFC 8838 (trickle), RFC 7675 (consent), RFC 8863 (patience) and RFC 6544
// (TCP). Departures from them are listed in ice/README.md.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/fifo.h"
#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/candidate.h"
#include "ice/check_budget.h"
#include "ice/checklist.h"
#include "ice/pacer.h"
#include "ice/path_choice.h"
#include "ice/stun/builder.h"
#include "ice/stun/message.h"

namespace floe::ice {

/// How the session is doing. These are all the transitions there are; agent.cpp enforces them.
///
///   kNew -> kChecking              the first check is sent or received
///   kChecking -> kConnected        a pair is valid: data may flow
///   kChecking -> kFailed           none was for 39.5 s (RFC 8863); at the standard pace also not
///                                  before both ends have told all candidates and all have failed
///   kConnected -> kDisconnected    the last valid pair lost consent (RFC 7675) or its address
///   kDisconnected -> kConnected    a pair answers
///   kDisconnected -> kFailed       none did for 39.5 s
///
/// RFC 8445's Completed is kConnected with nominated(). kFailed is final. A restart (RFC 8445
/// section 9) is another Agent with other credentials, beside this one until it has a path of its
/// own; its owner keeps the old one to answer what is late (30 s is enough).
enum class State : std::uint8_t { kNew, kChecking, kConnected, kDisconnected, kFailed };

[[nodiscard]] std::string_view ToString(State state);

struct Credentials {
  std::string ufrag;   // 4 to 256 ice-chars, RFC 8839 section 5.4.
  WipedText password;  // 22 to 256 ice-chars.

  bool operator==(const Credentials&) const = default;
};

/// 8 and 32 random ice-chars: 48 and 192 bits.
[[nodiscard]] Credentials MakeCredentials(RandomSource& random);

/// How fast checks go out and are repeated, and what else follows. Both are understood by any
/// agent.
enum class Pace : std::uint8_t {
  kStandard,  // All as the RFCs say. What has failed, and what lost consent, needs a restart.
  kFast,      // Ta 5 ms, RTO 100 ms, and the departures that ice/README.md lists.
};

struct AgentConfig {
  Role role = Role::kControlled;
  Credentials local;
  Pace pace = Pace::kFast;
  bool renomination =
      true;  // The peer follows NOMINATION, so a better pair may be nominated later.
  std::size_t max_pairs = 100;   // RFC 8445 section 6.1.2.5.
  std::size_t max_remotes = 32;  // A quarter of them may be of TCP.
  std::optional<Duration> ta;    // RFC 8445 section 14.2, if it is not the one of the pace.
  Pacer* pacer = nullptr;        // Shared with other agents, which it outlives; may be null.
};

/// How a datagram is to travel. Over TCP neither means anything.
struct Handling {
  std::uint8_t tos = 0;        // The octet of the IP header with DSCP and ECN.
  bool dont_fragment = false;  // Where it does not fit, it is lost.

  bool operator==(const Handling&) const = default;
};

/// A datagram to send from one of our bases, which may be a relayed address.
///
/// Over TCP the two addresses name a connection, by what the agent knows of it: `local` is the base
/// of one of our candidates. An active one has port 9 (kActivePort), and the first message from it
/// to `remote` asks for a connection from its IP address, whatever the port. A connection that a
/// passive candidate has accepted has the address of that candidate and the one it came from. With
/// the same names its messages are handed to the agent; its end is HandleUnreachable().
struct Transmit {
  SocketAddress local;
  SocketAddress remote;
  std::vector<std::uint8_t> payload;
  Handling handling;
};

/// Where the data goes.
struct Path {
  SocketAddress local;  // Base: a socket of ours or a relayed address.
  SocketAddress remote;
  CandidateType local_type = CandidateType::kHost;
  CandidateType remote_type = CandidateType::kHost;

  bool operator==(const Path&) const = default;

  [[nodiscard]] PathTier tier() const { return TierOf(local_type, remote_type, local.transport); }
};

struct StateChanged {
  State state;
};

/// Comes whenever the data should go another way, and with nothing when there is no way left.
struct PathChanged {
  std::optional<Path> path;
};

/// Both ends know that this is the pair to use, RFC 8445 section 8.1.2.
struct Nominated {
  Path path;
};

/// A probe of ProbeSize() has arrived: the path in use takes datagrams of this size.
struct SizeAnswered {
  std::size_t size = 0;  // As it was asked for.
};

using Event = std::variant<StateChanged, PathChanged, Nominated, SizeAnswered>;

enum class AgentError : std::uint8_t {
  kBadCandidate,    // An address nobody may be asked to send to, or one too many.
  kBadCredentials,  // Shorter or longer than RFC 8839 allows, or not ice-chars.
};

[[nodiscard]] std::string_view ToString(AgentError error);

/// What became of datagrams that changed nothing.
struct AgentCounters {
  std::uint64_t unauthenticated = 0;  // Wrong or missing integrity.
  std::uint64_t malformed = 0;        // Authenticated or not, without what a check must have.
  std::uint64_t unexpected = 0;       // Answers to nothing we asked.
  std::uint64_t withheld = 0;         // Requests not sent to an address that never answers.
};

/// Finds a path to one peer, keeps it open, and finds another when it dies or a better one appears.
///
/// An Agent owns no socket, timer or thread. Its owner calls one of the inputs, then drains the
/// outputs, then sleeps until NextTimeout() or the next datagram. `now` never goes backwards from
/// one call to the next. Not thread-safe.
class Agent {
 public:
  /// `random` must outlive the agent.
  Agent(TimePoint now, const AgentConfig& config, RandomSource& random);

  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // Inputs.

  [[nodiscard]] Result<void, AgentError> SetRemoteCredentials(TimePoint now, Credentials remote);

  /// Whether the peer said it follows NOMINATION; known with its credentials.
  void set_renomination(bool renomination) { config_.renomination = renomination; }

  /// Candidates may come at any time and in any order. One that is known already is ignored; so is
  /// a local reflexive one, which is checked from its base.
  void AddLocalCandidate(TimePoint now, const Candidate& candidate);
  [[nodiscard]] Result<void, AgentError> AddRemoteCandidate(TimePoint now,
                                                            const Candidate& candidate);

  /// There will be no more, RFC 8838 section 13. Those that come all the same are taken.
  void SetLocalEndOfCandidates() { local_ended_ = true; }

  void SetRemoteEndOfCandidates() { remote_ended_ = true; }

  /// The peer is a lite implementation, so we are controlling (RFC 8445 section 6.1.1).
  void SetRemoteLite(TimePoint now);

  /// The address is no longer ours: its pairs go at once.
  void RemoveLocalBase(TimePoint now, const SocketAddress& base);

  /// Takes a STUN message for this session, and says whether it was. What fails its integrity check
  /// is counted and dropped in silence.
  bool HandleMessage(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                     const stun::MessageView& message);

  /// The network refused to send from `local` to `remote`, or said that it did not arrive: that
  /// pair is not worth waiting for. Anybody can say so, hence at the standard pace only the second
  /// time counts, and never for a pair that works (RFC 8445 section 7.2.5.2.2). Over TCP it means
  /// that the connection could not be made or has ended, which counts at once.
  void HandleUnreachable(TimePoint now, const SocketAddress& local, const SocketAddress& remote);

  /// Something about the network changed: doubts every path and tries what had failed. Does nothing
  /// at the standard pace, where only a restart does.
  void HandleNetworkChange(TimePoint now);

  void HandleTimeout(TimePoint now);

  /// Sends a check of this many bytes, or of the least there can be, on the pair in use, which must
  /// arrive whole or not at all. What becomes of it says nothing of the pair. Nothing without one.
  void ProbeSize(TimePoint now, std::size_t size);

  /// Authenticated data went out on the path in use, or came in by this one. Data in spares a path
  /// some suspicion; it does not prove the way out, which only an answered probe does.
  void NoteDataSent(TimePoint now) { last_data_sent_ = now; }

  void NoteDataReceived(TimePoint now, const SocketAddress& local, const SocketAddress& remote);

  // Outputs.

  [[nodiscard]] std::optional<Transmit> PollTransmit();
  [[nodiscard]] std::optional<Event> PollEvent();
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const;

  [[nodiscard]] State state() const { return state_; }

  [[nodiscard]] Role role() const { return role_; }

  [[nodiscard]] const Credentials& local_credentials() const { return config_.local; }

  /// Nothing before SetRemoteCredentials().
  [[nodiscard]] const std::optional<Credentials>& remote_credentials() const { return remote_; }

  [[nodiscard]] std::uint64_t tie_breaker() const { return tie_breaker_; }

  [[nodiscard]] const std::optional<Path>& path() const { return path_; }

  [[nodiscard]] const std::vector<Pair>& pairs() const { return checklist_.pairs(); }

  /// The way back to where the latest authentic check came from. It is not proven to work, so it is
  /// good for a handshake and for no more.
  [[nodiscard]] const std::optional<Path>& way_back() const { return way_back_; }

  /// The pair that carries the data, or null.
  [[nodiscard]] const Pair* selected() const;
  /// When nothing may be sent on a pair any more if its checks stay unanswered: RFC 7675 section
  /// 5.1.
  [[nodiscard]] static TimePoint ConsentEnds(const Pair& pair);
  /// The pair that both ends know to be nominated, or null.
  [[nodiscard]] const Pair* nominated() const;

  /// Our end of the valid pair that `pair` stands for (RFC 8445 section 7.2.5.3.2): the candidate
  /// with the address that the peer sees, which may be reflexive.
  [[nodiscard]] Candidate LocalCandidateOf(const Pair& pair) const;

  [[nodiscard]] const AgentCounters& counters() const { return counters_; }

  /// The first four bytes of every transaction id of this agent, by which its owner can tell whose
  /// answer has come.
  [[nodiscard]] std::uint32_t transaction_tag() const { return tag_; }

 private:
  /// A request whose answer would still count, RFC 8489 section 6.2.1.
  struct Request {
    stun::TransactionId id;
    PairId pair;
    TimePoint sent;
    TimePoint expires;
    Role role;                          // As the request said, for a 487.
    std::uint32_t nomination;           // The value of nomination_ if it nominated, else 0.
    std::vector<std::uint8_t> message;  // If it is repeated as it is, else empty.
  };

  enum class Repeat : std::uint8_t { kSame, kAnother };

  struct SizeProbe {
    stun::TransactionId id;
    PairId pair;
    std::size_t size;
  };

  [[nodiscard]] bool is_strict() const { return config_.pace == Pace::kStandard; }

  // agent.cpp
  void SetState(State state);
  [[nodiscard]] std::optional<TimePoint> GiveUpAt() const;
  [[nodiscard]] bool HasRoomForRemote();
  [[nodiscard]] CandidateType TypeOfUnsignalled(const SocketAddress& remote) const;
  [[nodiscard]] Path PathOf(const Pair& pair) const;

  // agent_checks.cpp
  void WakeChecks(TimePoint now);
  [[nodiscard]] bool HasLostItsWay() const;
  [[nodiscard]] Checklist::Tcp TcpAt(TimePoint now) const;
  void StartNextCheck(TimePoint now);
  void StartCheck(TimePoint now, Pair& pair);
  void HandlePairTimeout(TimePoint now, Pair& pair);
  void HandleCheckTimeout(TimePoint now, Pair& pair);
  void HandleProbeTimeout(TimePoint now, Pair& pair);
  void ProbeOthers(TimePoint now, const Pair& silent);
  void HandleConsentTimeout(TimePoint now, Pair& pair);
  void FailCheck(TimePoint now, Pair& pair);
  void LoseConsent(TimePoint now, Pair& pair);
  void ScheduleRetry(TimePoint now, Pair& pair);
  void ForgetOldRequests(TimePoint now);
  [[nodiscard]] Duration Ta() const;
  [[nodiscard]] Duration Rto() const;
  [[nodiscard]] Duration CheckGap(const Pair& pair) const;
  [[nodiscard]] std::uint32_t SendLimit(const Pair& pair) const;
  [[nodiscard]] Duration ProbeInterval(TimePoint now, const Pair& pair);
  [[nodiscard]] Duration ConsentInterval();

  // agent_nomination.cpp
  void Reselect(TimePoint now);
  [[nodiscard]] std::optional<std::size_t> ChoosePairIndex() const;
  [[nodiscard]] bool IsAlive(const Pair& pair) const;
  [[nodiscard]] bool MayNominate(TimePoint now, const Pair& pair) const;
  void NominateIfTime(TimePoint now, Pair& chosen);
  void Nominate(TimePoint now, Pair& pair);
  void FollowNomination(TimePoint now, Pair& pair, const stun::MessageView& message);
  void AcceptNomination(Pair& pair);
  void SetNominated(Pair& pair);
  void SwitchRole(Role role);
  [[nodiscard]] static Duration NominationGap(const Pair& pair);

  // agent_requests.cpp
  bool HandleRequest(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                     const stun::MessageView& message);
  void HandleAuthenticRequest(TimePoint now, const SocketAddress& local,
                              const SocketAddress& remote, const stun::MessageView& message);
  [[nodiscard]] Pair* PairOfRequest(const SocketAddress& local, const SocketAddress& remote,
                                    const stun::MessageView& message);
  [[nodiscard]] bool ResolveRoleConflict(const stun::MessageView& message);
  void Respond(const SocketAddress& local, const SocketAddress& remote,
               const stun::MessageView& request);
  void RespondError(const SocketAddress& local, const SocketAddress& remote,
                    const stun::MessageView& request, int code);

  // agent_sizes.cpp
  bool HandleSizeResponse(const SocketAddress& local, const SocketAddress& remote,
                          const stun::MessageView& message);

  // agent_responses.cpp
  void SendRequest(TimePoint now, Pair& pair, Repeat repeat = Repeat::kAnother);
  [[nodiscard]] stun::TransactionId MakeTransactionId();
  [[nodiscard]] stun::Builder BeginRequest(const Pair& pair, const stun::TransactionId& id) const;
  void RepeatRequest(TimePoint now, Pair& pair);
  void Send(TimePoint now, const Pair& pair, std::vector<std::uint8_t> message);
  bool HandleResponse(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                      const stun::MessageView& message);
  void HandleError(TimePoint now, Pair& pair, const Request& request,
                   const stun::MessageView& message, bool under_way);
  void HandleSuccess(TimePoint now, Pair& pair, const Request& request,
                     const SocketAddress& mapped);
  void SetValid(Pair& pair, const SocketAddress& mapped);
  void HandleRoleConflictError(TimePoint now, const Request& request);

  AgentConfig config_;
  RandomSource& random_;
  Role role_;
  State state_ = State::kNew;
  bool local_ended_ = false;  // End of candidates.
  bool remote_ended_ = false;
  std::uint32_t tag_ = 0;
  std::uint64_t tie_breaker_ = 0;
  std::optional<Credentials> remote_;
  Checklist checklist_;
  CheckBudget budget_;
  std::vector<Candidate> reflexive_;     // Addresses of ours that a STUN server has told us.
  TimePoint patience_ends_;              // RFC 8863: no failure before. Set when checks can begin.
  TimePoint now_;                        // As the latest input said.
  std::optional<TimePoint> next_check_;  // Ta pacing.
  std::optional<Pacer::Place> place_;    // Of the next check, among those of other agents.
  std::optional<TimePoint> tcp_from_;    // Before, no connection is made for a check.
  std::vector<Request> requests_;        // Oldest first.
  std::vector<SizeProbe> sizes_;         // Likewise, and few.
  std::optional<PairId> selected_;       // Carries the data.
  std::optional<PairId> nominated_;      // What the controlling side chose, once both know.
  std::uint32_t nomination_ = 0;         // The last value of NOMINATION sent or followed.
  bool nominated_once_ = false;  // At the standard pace no ordinary check starts from then on.
  std::optional<TimePoint> first_valid_;
  std::optional<TimePoint> last_data_sent_;
  std::optional<Path> path_;
  std::optional<Path> way_back_;
  std::uint32_t learned_ = 0;  // Candidates of the peer, for their foundations.
  AgentCounters counters_;
  Fifo<Transmit> transmits_;
  Fifo<Event> events_;
};

}  // namespace floe::ice
