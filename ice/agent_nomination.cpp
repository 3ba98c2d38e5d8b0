// The part of Agent that decides: which pair carries the data, and on which both ends agree.
//
// Source: RFC 8445 sections 7.2.5.3.4, 7.3.1.5 and 8.1, draft-thatcher-ice-renomination.

#include <algorithm>
#include <utility>

#include "ice/agent.h"
#include "ice/agent_timing.h"
#include "ice/stun/attributes.h"

namespace floe::ice {
namespace {

constexpr Duration kDataIsRecent = std::chrono::seconds(1);

}  // namespace

bool Agent::IsAlive(const Pair& pair) const {
  if (!pair.valid || pair.sends < kSuspectProbes || is_strict()) {
    return pair.valid;
  }
  const bool with_data = pair.last_data && now_ - *pair.last_data < kDataIsRecent;
  return now_ - pair.first_send < (with_data ? kSuspectAfterWithData : kSuspectAfter);
}

std::optional<std::size_t> Agent::ChoosePairIndex() const {
  const std::vector<Pair>& pairs = checklist_.pairs();
  std::vector<PathSample> samples;
  std::optional<std::size_t> current;
  for (const Pair& pair : pairs) {
    if (selected_ == pair.id) {
      current = samples.size();
    }
    samples.push_back({.tier = pair.tier(), .rtt = pair.rtt, .alive = IsAlive(pair)});
  }
  if (nominated_ && (is_strict() || role_ == Role::kControlled)) {
    const auto it = std::ranges::find(pairs, *nominated_, &Pair::id);
    if (it != pairs.end() && IsAlive(*it)) {
      return static_cast<std::size_t>(it - pairs.begin());
    }
  }
  if (const auto chosen = ChoosePath(samples, current)) {
    return chosen;
  }
  // Nothing answers. What still has consent is better than nothing, first of all where we are.
  if (current && pairs[*current].valid) {
    return current;
  }
  const auto valid = std::ranges::find(pairs, true, &Pair::valid);
  return valid == pairs.end() ? std::nullopt
                              : std::optional(static_cast<std::size_t>(valid - pairs.begin()));
}

void Agent::Reselect(TimePoint now) {
  now_ = now;
  const auto index = ChoosePairIndex();
  const std::optional<Path> before = path_;
  if (!index) {
    selected_.reset();
    path_.reset();
    if (before) {
      events_.Push(PathChanged{std::nullopt});
      patience_ends_ = now + kPatience;
      SetState(State::kDisconnected);
      HandleNetworkChange(now);  // Nothing left to lose: try all there is.
    }
    return;
  }
  Pair& pair = checklist_.pairs()[*index];
  selected_ = pair.id;
  path_ = PathOf(pair);
  if (!before || before->local != path_->local || before->remote != path_->remote) {
    events_.Push(PathChanged{path_});
    if (!is_strict()) {
      pair.wake = std::min(pair.wake.value_or(TimePoint::max()), now + kMinProbeGap);
    }
    if (before && pair.tier() > before->tier()) {
      HandleNetworkChange(now);  // A step down: look for the way up.
    }
  }
  if (role_ == Role::kControlling) {
    NominateIfTime(now, pair);
  }
}

/// `chosen` carries the data.
void Agent::NominateIfTime(TimePoint now, Pair& chosen) {
  if (!is_strict()) {
    if (nominated_ != chosen.id && !chosen.nominating && MayNominate(now, chosen)) {
      Nominate(now, chosen);
    }
    return;
  }
  if (nominated_once_ || std::ranges::any_of(checklist_.pairs(), &Pair::nominating)) {
    return;  // RFC 8445 section 8.1.1: one pair is nominated, and it stays that pair.
  }
  const auto rank = [](const Pair& pair) { return pair.valid ? pair.valid_priority : 0; };
  Pair& best = *std::ranges::max_element(checklist_.pairs(), {}, rank);
  if (MayNominate(now, best)) {
    best.nominating = true;
    ++nomination_;
    checklist_.Trigger(best);  // It is checked again, in its turn, with USE-CANDIDATE.
    WakeChecks(now);
  }
}

bool Agent::MayNominate(TimePoint now, const Pair& pair) const {
  if (config_.renomination && !is_strict()) {
    return true;
  }
  if (nominated_once_) {
    return false;
  }
  const bool settled = std::ranges::none_of(checklist_.pairs(), [&](const Pair& other) {
    return other.priority > pair.priority && !other.valid && other.state != PairState::kFailed;
  });
  return settled || pair.tier() == PathTier::kLan ||
         (first_valid_ && now - *first_valid_ >= NominationPatience(config_.pace));
}

void Agent::Nominate(TimePoint now, Pair& pair) {
  for (Pair& other : checklist_.pairs()) {
    other.nominating = false;
  }
  pair.nominating = true;
  ++nomination_;
  if (pair.sends == 0) {
    pair.first_send = now;
  }
  SendRequest(now, pair);
  pair.wake = now + NominationGap(pair);
}

Duration Agent::NominationGap(const Pair& pair) {
  return std::max(2 * pair.rtt, kMinProbeGap);
}

void Agent::FollowNomination(TimePoint now, Pair& pair, const stun::MessageView& message) {
  const auto value = stun::FindU32(message, stun::AttributeType::kNomination);
  if (role_ != Role::kControlled || (!message.Find(stun::AttributeType::kUseCandidate) && !value)) {
    return;
  }
  if (value) {
    const bool another =
        !pair.peer_nominated && std::ranges::any_of(checklist_.pairs(), &Pair::peer_nominated);
    if (*value < nomination_ || (*value == nomination_ && another)) {
      return;  // Overtaken by a later one, or replayed.
    }
    nomination_ = *value;
    for (Pair& other : checklist_.pairs()) {
      other.peer_nominated = false;
    }
  }
  pair.peer_nominated = true;
  if (pair.valid) {
    AcceptNomination(pair);
    Reselect(now);
  }
}

/// An aggressive peer (RFC 5245) nominates one pair after the other, and the highest priority wins;
/// but if that does not answer, the peer has its reasons.
void Agent::AcceptNomination(Pair& pair) {
  const Pair* before = nominated_ ? checklist_.Find(*nominated_) : nullptr;
  const bool aggressive = nomination_ == 0;
  constexpr std::uint32_t kUnanswered = 2;  // One may be on its way.
  if (aggressive && before != nullptr && before->valid && before->sends < kUnanswered &&
      before->valid_priority > pair.valid_priority) {
    return;
  }
  SetNominated(pair);
}

void Agent::SetNominated(Pair& pair) {
  pair.nominating = false;
  if (nominated_ == pair.id) {
    return;
  }
  nominated_ = pair.id;
  nominated_once_ = true;
  events_.Push(Nominated{PathOf(pair)});
  if (is_strict()) {
    checklist_.CancelAllBut(pair);
  }
}

void Agent::SwitchRole(Role role) {
  role_ = role;
  nominated_.reset();
  nominated_once_ = false;
  if (role == Role::kControlled) {
    nomination_ = 0;  // The peer counts for itself.
  }
  for (Pair& pair : checklist_.pairs()) {
    pair.nominating = false;
    pair.peer_nominated = false;
  }
  checklist_.Reprioritize(role);
}

}  // namespace floe::ice
