// The pairs of local and remote candidates of one session, and the order in which they are checked.
//
// Source: RFC 8445 sections 6.1.2 (forming) and 6.1.4.2 (ordering), RFC 8838 section 10 (trickle).

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <vector>

#include "base/fifo.h"
#include "base/time.h"
#include "ice/candidate.h"
#include "ice/path_choice.h"
#include "ice/stun/message.h"

namespace floe::ice {

enum class Role : std::uint8_t { kControlling, kControlled };

/// RFC 8445 section 6.1.2.6. agent.cpp and checklist.cpp make these transitions and no others:
///
///   kFrozen -> kWaiting          no other pair of its foundation is being checked, or one
///   succeeded kFrozen|kWaiting|kFailed|kSucceeded -> kInProgress   a check is sent (kSucceeded
///   only anew,
///                                after its consent had expired)
///   kInProgress -> kSucceeded    answered
///   kInProgress -> kFailed       never answered, or answered wrongly
///   any but kSucceeded -> kFrozen  another pair is nominated (RFC 8445 section 8.1.2)
///   kFailed -> kSucceeded        answered late
///   kSucceeded -> kFailed        consent expired (RFC 7675)
///   any -> kWaiting              a triggered check (RFC 8445 section 7.3.1.4)
enum class PairState : std::uint8_t { kFrozen, kWaiting, kInProgress, kSucceeded, kFailed };

using PairId = std::uint32_t;

/// RFC 8445 section 6.1.2.3, of the priorities of our candidate and the peer's.
[[nodiscard]] std::uint64_t ComputePairPriority(std::uint32_t local, std::uint32_t remote,
                                                Role role);

struct Pair {
  PairId id = 0;
  const Candidate* local = nullptr;                 // Its base is what checks are sent from.
  const Candidate* remote = nullptr;                // Both are the list's, and outlive the pair.
  CandidateType local_type = CandidateType::kHost;  // As the peer sees us; known once answered.
  std::uint64_t priority = 0;                       // RFC 8445 section 6.1.2.3
  PairState state = PairState::kFrozen;

  // The check or probe under way: requests sent since the last answer, and when the next is due.
  std::uint32_t sends = 0;
  TimePoint first_send;
  std::optional<TimePoint> first_check;  // Of all.
  std::optional<TimePoint> wake;
  std::uint32_t retries = 0;                       // Checks that failed in a row.
  std::uint32_t refusals = 0;                      // By the network, of the check under way.
  Duration rto{0};                                 // Of the check under way.
  std::optional<stun::TransactionId> transaction;  // Likewise, where it repeats one request.

  bool valid = false;           // Answered, and not longer ago than consent lasts: may carry data.
  bool revoked = false;         // Consent is over for good: only other credentials bring it back.
  bool nominating = false;      // The check under way says that this pair is to be used.
  bool peer_nominated = false;  // The peer said so (we are controlled).
  TimePoint last_answer;
  // The valid pair of RFC 8445 section 7.2.5.3.2, which is sent from the same base as this one:
  SocketAddress mapped;                    // our address as the peer sees it,
  std::uint32_t valid_local_priority = 0;  // the priority of our candidate with that address,
  std::uint64_t valid_priority = 0;        // and that of the pair.
  std::optional<TimePoint> last_data;      // Authenticated tunnel data came this way.
  Duration rtt{0};                         // Smoothed, RFC 6298 section 2.
  double loss = 0;                         // Share of probes that went unanswered, smoothed.

  [[nodiscard]] PathTier tier() const {
    return TierOf(local_type, remote->type, local->base.transport, local->relay_transport);
  }
};

/// With which of our candidates a remote one is paired that was learned from a check.
enum class LearnedPairs : std::uint8_t {
  kWithAll,      // Against RFC 8445: an address that reaches one of ours may reach others.
  kWhereItCame,  // RFC 8445 section 7.3.1.3, and always so over TCP, where it is a connection.
};

class Checklist {
 public:
  Checklist(const Checklist&) = delete;
  Checklist& operator=(const Checklist&) = delete;

  /// Those beside `max_pairs`, so that they never take the place of one over UDP.
  static constexpr std::size_t kMaxTcpPairs = 20;

  /// Whether a pair over TCP may be checked that nothing has triggered: that may be a connection.
  enum class Tcp : std::uint8_t { kToo, kNotYet };

  explicit Checklist(std::size_t max_pairs, LearnedPairs learned = LearnedPairs::kWithAll)
      : max_pairs_(max_pairs), learned_(learned) {}

  /// Pairs `local` with every remote candidate. Reflexive candidates are not to be given here: they
  /// are checked from their base, which a host candidate stands for already.
  void AddLocal(const Candidate& local, Role role);
  void AddRemote(const Candidate& remote, Role role);

  /// A check came from `remote`, which nobody has told of, to `local`: RFC 8445 section 7.3.1.3.
  void AddLearned(const Candidate& local, const Candidate& remote, Role role);

  /// Forgets the remote candidate that came first of those whose checks have all failed, with its
  /// pairs. False if there is none.
  bool ForgetFailedRemote(std::optional<Transport> transport = std::nullopt);

  /// Takes a local base away, with its pairs. Returns the ids of the pairs that went.
  std::vector<PairId> RemoveLocal(const SocketAddress& base);

  /// RFC 8445 section 7.2.5.1: after a role switch every priority is another.
  void Reprioritize(Role role);

  [[nodiscard]] Pair* Find(const SocketAddress& base, const SocketAddress& remote);
  [[nodiscard]] Pair* Find(PairId id);

  /// The known remote candidate with this address, or null.
  [[nodiscard]] Candidate* FindRemote(const SocketAddress& address);
  /// Learns a better description of a peer-reflexive candidate, RFC 8838 section 11.4: its pairs
  /// keep their state and priority. It gets those that a learned one had not.
  void ReplaceRemote(const Candidate& remote, Role role);

  /// The pair of these, which is made if need be (RFC 8445 section 7.3.1.4). Null if there is no
  /// room for it or either is unknown.
  [[nodiscard]] Pair* FindOrAdd(const SocketAddress& base, const SocketAddress& remote, Role role);

  [[nodiscard]] const Candidate* FindLocal(const SocketAddress& base) const;

  /// Whether a local or a remote candidate is such.
  template <typename Predicate>
  [[nodiscard]] bool AnyCandidate(Predicate is_such) const {
    return std::ranges::any_of(locals_, is_such) || std::ranges::any_of(remotes_, is_such);
  }

  /// Puts a pair into the triggered-check queue, RFC 8445 section 6.1.4.1.
  void Trigger(Pair& pair);

  /// The pair to check next: triggered ones first, then one to each type of remote candidate, then
  /// the rest, of each the waiting one of the highest priority. RFC 8445 section 6.1.4.2 goes by
  /// priority alone, so that each address more, of a broken family too, would hold up what works.
  [[nodiscard]] Pair* TakeNext(Tcp tcp = Tcp::kToo);
  /// The same of the triggered ones alone.
  [[nodiscard]] Pair* TakeTriggered();
  [[nodiscard]] bool HasWork(Tcp tcp = Tcp::kToo) const;

  /// How many pairs are waiting for a check or for its answer.
  [[nodiscard]] std::size_t CountUnderWay() const;

  /// RFC 8445 section 6.1.4.2: lets the first of each foundation go that is free.
  void Unfreeze();

  /// RFC 8445 section 7.2.5.3.3: lets all of the foundation of `succeeded` go.
  void UnfreezeFoundation(const Pair& succeeded);

  /// RFC 8445 section 8.1.2: no check but of the nominated pair goes on; nor of another that an
  /// aggressive peer (RFC 5245) has nominated, which may yet be the better one.
  void CancelAllBut(const Pair& nominated);

  /// Lets all go. Against RFC 8445, for agents that can take many checks at once: a new address
  /// would else wait for the failure of the one it replaces, which has the same foundation.
  void UnfreezeAll();

  [[nodiscard]] std::vector<Pair>& pairs() { return pairs_; }

  [[nodiscard]] const std::vector<Pair>& pairs() const { return pairs_; }

  [[nodiscard]] std::size_t remote_count() const { return remotes_.size(); }

  /// Remote candidates that were signalled.
  [[nodiscard]] std::size_t CountTold(Transport transport) const;

 private:
  [[nodiscard]] bool MayPair(const Candidate& local, const Candidate& remote) const;
  /// Both are in locals_ and remotes_.
  void AddPair(const Candidate& local, const Candidate& remote, Role role);
  void DropWorst(Transport transport);

  std::size_t max_pairs_;
  LearnedPairs learned_;
  PairId next_id_ = 1;
  std::list<Candidate> locals_;  // Pairs point into these.
  std::list<Candidate> remotes_;
  std::vector<Pair> pairs_;  // Highest priority first.
  Fifo<PairId> triggered_;
};

}  // namespace floe::ice
