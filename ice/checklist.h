// The pairs of local and remote candidates of one session, and the order in which they are checked.
//
// Source: RFC 8445 sections 6.1.2 (forming) and 6.1.4.2 (ordering), RFC 8838 section 10 (trickle).

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "ice/candidate.h"
#include "ice/path_choice.h"

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
///   kFailed -> kSucceeded        answered late
///   kSucceeded -> kFailed        consent expired (RFC 7675)
///   any -> kWaiting              a triggered check (RFC 8445 section 7.3.1.4)
enum class PairState : std::uint8_t { kFrozen, kWaiting, kInProgress, kSucceeded, kFailed };

using PairId = std::uint32_t;

struct Pair {
  PairId id = 0;
  Candidate local;  // Its base is what checks are sent from.
  Candidate remote;
  CandidateType local_type = CandidateType::kHost;  // As the peer sees us; known once answered.
  std::uint64_t priority = 0;                       // RFC 8445 section 6.1.2.3
  PairState state = PairState::kFrozen;

  // The check or probe under way: requests sent since the last answer, and when the next is due.
  std::uint32_t sends = 0;
  TimePoint first_send;
  std::optional<TimePoint> wake;
  std::uint32_t retries = 0;  // Checks that failed in a row.

  bool valid = false;           // Answered, and not longer ago than consent lasts: may carry data.
  bool nominating = false;      // The check under way says that this pair is to be used.
  bool peer_nominated = false;  // The peer said so (we are controlled), before the pair was valid.
  TimePoint last_answer;
  std::optional<TimePoint> last_data;  // Authenticated tunnel data came this way.
  Duration rtt{0};                     // Smoothed, RFC 6298 section 2.
  double loss = 0;                     // Share of probes that went unanswered, smoothed.

  [[nodiscard]] PathTier tier() const { return TierOf(local_type, remote.type); }
};

class Checklist {
 public:
  explicit Checklist(std::size_t max_pairs) : max_pairs_(max_pairs) {}

  /// Pairs `local` with every remote candidate. Reflexive candidates are not to be given here: they
  /// are checked from their base, which a host candidate stands for already.
  void AddLocal(const Candidate& local, Role role);
  void AddRemote(const Candidate& remote, Role role);

  /// Forgets the remote candidate that came first of those whose checks have all failed, with its
  /// pairs. False if there is none.
  bool ForgetFailedRemote();

  /// Takes a local base away, with its pairs. Returns the ids of the pairs that went.
  std::vector<PairId> RemoveLocal(const SocketAddress& base);

  /// RFC 8445 section 7.2.5.1: after a role switch every priority is another.
  void Reprioritize(Role role);

  [[nodiscard]] Pair* Find(const SocketAddress& base, const SocketAddress& remote);
  [[nodiscard]] Pair* Find(PairId id);

  /// The known remote candidate with this address, or null.
  [[nodiscard]] Candidate* FindRemote(const SocketAddress& address);
  /// Learns a better description of a peer-reflexive candidate, RFC 8838 section 11.4: its pairs
  /// keep their state and priority.
  void ReplaceRemote(const Candidate& remote);

  [[nodiscard]] const Candidate* FindLocal(const SocketAddress& base) const;

  /// Whether a local or a remote candidate is such.
  template <typename Predicate>
  [[nodiscard]] bool AnyCandidate(Predicate is_such) const {
    return std::ranges::any_of(locals_, is_such) || std::ranges::any_of(remotes_, is_such);
  }

  /// Puts a pair into the triggered-check queue, RFC 8445 section 6.1.4.1.
  void Trigger(Pair& pair);

  /// The pair to check next: triggered ones first, then the waiting one of the highest priority.
  [[nodiscard]] Pair* TakeNext();
  [[nodiscard]] bool HasWork() const;

  /// RFC 8445 section 7.2.5.3.3 and 6.1.4.2: lets frozen pairs go whose foundation is free.
  void Unfreeze();

  /// Lets all go. Against RFC 8445, for agents that can take many checks at once: a new address
  /// would else wait for the failure of the one it replaces, which has the same foundation.
  void UnfreezeAll();

  [[nodiscard]] std::vector<Pair>& pairs() { return pairs_; }

  [[nodiscard]] const std::vector<Pair>& pairs() const { return pairs_; }

  [[nodiscard]] std::size_t remote_count() const { return remotes_.size(); }

 private:
  void AddPair(const Candidate& local, const Candidate& remote, Role role);
  void DropWorst();

  std::size_t max_pairs_;
  PairId next_id_ = 1;
  std::vector<Candidate> locals_;
  std::vector<Candidate> remotes_;
  std::vector<Pair> pairs_;  // Highest priority first.
  std::deque<PairId> triggered_;
};

}  // namespace floe::ice
