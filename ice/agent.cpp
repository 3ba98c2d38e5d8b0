#include "ice/agent.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace floe::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kPatience = milliseconds(39'500);         // RFC 8863 section 4
constexpr Duration kRequestLifetime = milliseconds(39'500);  // RFC 8489 section 6.2.1
constexpr Duration kConsentTimeout = seconds(30);            // RFC 7675 section 5.1
constexpr Duration kStandardRto = milliseconds(500);         // RFC 8445 section 14.3
constexpr Duration kFastRto = milliseconds(100);
constexpr Duration kMaxFastGap = seconds(3);
constexpr std::uint32_t kStandardSends = 7;  // Rc of RFC 8489 section 6.2.1
constexpr std::uint32_t kFastSends = 8;      // Over 9 s
constexpr std::uint32_t kRetrySends = 4;     // Over 1.5 s, for a pair that has failed before
constexpr std::size_t kMaxRequests = 1000;
constexpr std::size_t kWarmPerClass = 2;  // Direct paths, and relayed ones, that are kept open.

// A path is suspect when this much time and this many probes went by without an answer.
constexpr std::uint32_t kSuspectProbes = 3;
constexpr Duration kSuspectAfter = milliseconds(1500);
constexpr Duration kSuspectAfterWithData = seconds(6);  // Data comes in: it may be only load.
constexpr Duration kDataIsRecent = seconds(1);

constexpr Duration kProbeWhileSending = milliseconds(2500);
constexpr Duration kSendingIsRecent = seconds(10);
constexpr Duration kConsentInterval = seconds(5);  // RFC 7675 section 5.1, times U(0.8, 1.2)
constexpr Duration kWarmInterval = seconds(12);    // Shorter than what a NAT forgets in.
constexpr Duration kMinProbeGap = milliseconds(250);
constexpr Duration kSlowProbeGap = seconds(1);

// How long a failed pair rests before it is tried again, when it would be worth having.
constexpr std::array<Duration, 6> kRetryDelays{seconds(1), seconds(2),  seconds(4),
                                               seconds(8), seconds(15), seconds(20)};
constexpr Duration kUnwantedDelay = seconds(60);
constexpr Duration kNominationPatience = milliseconds(200);

std::string RandomIceChars(RandomSource& random, std::size_t size) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<std::uint8_t> bytes(size);
  random.Fill(bytes);
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kAlphabet[byte % kAlphabet.size()];
  }
  return text;
}

bool AreIceChars(std::string_view text, std::size_t min) {
  return text.size() >= min && text.size() <= 256 && std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '+' || c == '/';
         });
}

bool IsTransition(State from, State to) {
  switch (from) {
    case State::kNew:
      return to == State::kChecking;
    case State::kChecking:
      return to == State::kConnected || to == State::kFailed;
    case State::kConnected:
      return to == State::kDisconnected;
    case State::kDisconnected:
      return to == State::kConnected || to == State::kFailed;
    case State::kFailed:
      return false;
  }
  return false;
}

}  // namespace

std::string_view ToString(State state) {
  switch (state) {
    case State::kNew:
      return "new";
    case State::kChecking:
      return "checking";
    case State::kConnected:
      return "connected";
    case State::kDisconnected:
      return "disconnected";
    case State::kFailed:
      return "failed";
  }
  return "unknown";
}

std::string_view ToString(AgentError error) {
  switch (error) {
    case AgentError::kBadCandidate:
      return "a candidate that cannot be used";
    case AgentError::kBadCredentials:
      return "credentials that RFC 8839 does not allow";
  }
  return "unknown agent error";
}

Credentials MakeCredentials(RandomSource& random) {
  return {.ufrag = RandomIceChars(random, 8), .password = RandomIceChars(random, 32)};
}

Agent::Agent(TimePoint now, const AgentConfig& config, RandomSource& random)
    : config_(config),
      random_(random),
      role_(config.role),
      checklist_(config.max_pairs),
      patience_ends_(now + kPatience),
      now_(now) {
  std::array<std::uint8_t, 12> bytes{};
  random_.Fill(bytes);
  tie_breaker_ = LoadBe<std::uint64_t>(bytes, 0);
  tag_ = LoadBe<std::uint32_t>(bytes, 8);
}

Result<void, AgentError> Agent::SetRemoteCredentials(TimePoint now, Credentials remote) {
  if (!AreIceChars(remote.ufrag, 4) || !AreIceChars(remote.password, 22)) {
    return Fail(AgentError::kBadCredentials);
  }
  remote_ = std::move(remote);
  next_check_ = now;
  if (state_ == State::kNew || state_ == State::kChecking) {
    patience_ends_ = now + kPatience;  // RFC 8863 section 4: from when checks can be sent.
    SetState(State::kChecking);
  }
  return {};
}

void Agent::AddLocalCandidate(TimePoint now, const Candidate& candidate) {
  if (candidate.type == CandidateType::kHost || candidate.type == CandidateType::kRelayed) {
    checklist_.AddLocal(candidate, role_);
    next_check_ = next_check_.value_or(now);
  } else if (std::ranges::find(reflexive_, candidate.address) == reflexive_.end()) {
    if (reflexive_.size() >= config_.max_remotes) {
      reflexive_.erase(reflexive_.begin());
    }
    reflexive_.push_back(candidate.address);
  }
}

/// The address of a relay serves many, so one that is known tells those that come from it: in time
/// the peer says so itself, but until then the path must not pass for a direct one.
CandidateType Agent::TypeOfUnsignalled(const SocketAddress& remote) const {
  const bool relayed = checklist_.AnyCandidate([&](const Candidate& candidate) {
    return candidate.type == CandidateType::kRelayed && candidate.address.ip == remote.ip;
  });
  return relayed ? CandidateType::kRelayed : CandidateType::kPeerReflexive;
}

/// A session outlives many addresses of its peer: those that have failed make room for others.
bool Agent::HasRoomForRemote() {
  return checklist_.remote_count() < config_.max_remotes || checklist_.ForgetFailedRemote();
}

Result<void, AgentError> Agent::AddRemoteCandidate(TimePoint now, const Candidate& candidate) {
  if (!IsUsableRemote(candidate.address)) {
    return Fail(AgentError::kBadCandidate);
  }
  if (const Candidate* known = checklist_.FindRemote(candidate.address)) {
    if (!known->signalled) {  // RFC 8838 section 11.4
      checklist_.ReplaceRemote(candidate);
      Reselect(now);
    }
    return {};
  }
  if (!HasRoomForRemote()) {
    return Fail(AgentError::kBadCandidate);
  }
  checklist_.AddRemote(candidate, role_);
  next_check_ = next_check_.value_or(now);
  return {};
}

void Agent::RemoveLocalBase(TimePoint now, const SocketAddress& base) {
  checklist_.RemoveLocal(base);
  Reselect(now);
}

void Agent::HandleUnreachable(TimePoint now, const SocketAddress& local,
                              const SocketAddress& remote) {
  Pair* pair = checklist_.Find(local, remote);
  if (pair == nullptr) {
    return;
  }
  if (pair->state == PairState::kInProgress) {
    pair->state = PairState::kFailed;
    ScheduleRetry(now, *pair);
    checklist_.Unfreeze();
    next_check_ = next_check_.value_or(now);
  } else if (pair->valid) {
    pair->sends = std::max(pair->sends, kSuspectProbes);
    pair->first_send = now - kSuspectAfterWithData;
    pair->wake = now + kMinProbeGap;
    Reselect(now);
  }
}

void Agent::HandleNetworkChange(TimePoint now) {
  for (Pair& pair : checklist_.pairs()) {
    if (pair.valid) {
      pair.wake = now;
    } else if (pair.state == PairState::kFailed) {
      pair.retries = 0;
      pair.wake = now;
    }
  }
}

void Agent::NoteDataReceived(TimePoint now, const SocketAddress& local,
                             const SocketAddress& remote) {
  if (Pair* pair = checklist_.Find(local, remote)) {
    pair->last_data = now;
  }
}

void Agent::HandleTimeout(TimePoint now) {
  now_ = now;
  if (state_ == State::kFailed) {
    return;
  }
  ForgetOldRequests(now);
  for (Pair& pair : checklist_.pairs()) {
    if (pair.wake && *pair.wake <= now) {
      HandlePairTimeout(now, pair);
    }
  }
  if (remote_ && next_check_ && *next_check_ <= now) {
    next_check_.reset();
    if (!checklist_.HasWork()) {
      config_.pace == Pace::kFast ? checklist_.UnfreezeAll() : checklist_.Unfreeze();
    }
    if (Pair* pair = checklist_.TakeNext()) {
      StartCheck(now, *pair);
      next_check_ = now + (config_.pace == Pace::kFast ? milliseconds(5) : milliseconds(50));
    }
  }
  Reselect(now);
  if ((state_ == State::kChecking || state_ == State::kDisconnected) && now >= patience_ends_) {
    SetState(State::kFailed);
  }
}

void Agent::HandlePairTimeout(TimePoint now, Pair& pair) {
  pair.wake.reset();
  switch (pair.state) {
    case PairState::kInProgress:
      HandleCheckTimeout(now, pair);
      return;
    case PairState::kSucceeded:
      HandleProbeTimeout(now, pair);
      return;
    case PairState::kFailed: {
      const Pair* current = selected();
      if (current == nullptr || !IsAlive(*current) ||
          TierOf(pair.local.type, pair.remote.type) < current->tier()) {
        checklist_.Trigger(pair);
        next_check_ = next_check_.value_or(now);
      } else {
        pair.wake = now + kUnwantedDelay;
      }
      return;
    }
    case PairState::kFrozen:
    case PairState::kWaiting:
      return;
  }
}

void Agent::HandleCheckTimeout(TimePoint now, Pair& pair) {
  const std::uint32_t limit = config_.pace == Pace::kStandard ? kStandardSends
                              : pair.retries > 0              ? kRetrySends
                                                              : kFastSends;
  if (pair.sends < limit) {
    SendRequest(now, pair);
    pair.wake = now + CheckGap(pair.sends);
    return;
  }
  pair.state = PairState::kFailed;
  ScheduleRetry(now, pair);
  checklist_.Unfreeze();
  next_check_ = next_check_.value_or(now);
}

void Agent::HandleProbeTimeout(TimePoint now, Pair& pair) {
  if (now - pair.last_answer >= kConsentTimeout) {
    LoseConsent(now, pair);
    return;
  }
  if (pair.sends == 0) {
    pair.first_send = now;
  }
  SendRequest(now, pair);
  const Duration gap = std::max(2 * pair.rtt, kMinProbeGap);
  pair.wake = now + (pair.sends > 4 ? std::max(gap, kSlowProbeGap) : gap);
}

void Agent::LoseConsent(TimePoint now, Pair& pair) {
  pair.valid = false;
  pair.nominating = false;
  pair.sends = 0;
  pair.state = PairState::kFailed;
  if (nominated_ == pair.id) {
    nominated_.reset();
  }
  ScheduleRetry(now, pair);
}

void Agent::ScheduleRetry(TimePoint now, Pair& pair) {
  pair.wake = now + kRetryDelays[std::min<std::size_t>(pair.retries, kRetryDelays.size() - 1)];
  ++pair.retries;
}

void Agent::StartCheck(TimePoint now, Pair& pair) {
  pair.state = PairState::kInProgress;
  pair.sends = 0;
  pair.first_send = now;
  SendRequest(now, pair);
  pair.wake = now + CheckGap(pair.sends);
}

Duration Agent::CheckGap(std::uint32_t sends) const {
  if (config_.pace == Pace::kStandard) {
    // The last wait is Rm x RTO, RFC 8489 section 6.2.1.
    return sends >= kStandardSends ? 16 * kStandardRto : kStandardRto * (1U << (sends - 1));
  }
  return std::min(kFastRto * (1U << std::min(sends - 1, 8U)), kMaxFastGap);
}

Duration Agent::ProbeInterval(TimePoint now, const Pair& pair) {
  if (selected_ == pair.id) {
    if (last_data_sent_ && now - *last_data_sent_ < kSendingIsRecent) {
      return kProbeWhileSending;
    }
    std::array<std::uint8_t, 2> byte{};
    random_.Fill(byte);
    return kConsentInterval * (800 + LoadBe<std::uint16_t>(byte, 0) % 401) / 1000;
  }
  const auto better = std::ranges::count_if(checklist_.pairs(), [&](const Pair& other) {
    return other.valid && other.id != pair.id && IsDirect(other.tier()) == IsDirect(pair.tier()) &&
           std::pair(other.tier(), other.rtt) < std::pair(pair.tier(), pair.rtt);
  });
  // One too many is left alone, and goes when its consent does.
  return static_cast<std::size_t>(better) < kWarmPerClass ? kWarmInterval : kConsentTimeout;
}

const Pair* Agent::selected() const {
  const auto it = selected_ ? std::ranges::find(checklist_.pairs(), *selected_, &Pair::id)
                            : checklist_.pairs().end();
  return it == checklist_.pairs().end() ? nullptr : &*it;
}

bool Agent::IsAlive(const Pair& pair) const {
  if (!pair.valid || pair.sends < kSuspectProbes) {
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
  if (role_ == Role::kControlled && nominated_) {
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
      events_.emplace_back(PathChanged{std::nullopt});
      patience_ends_ = now + kPatience;
      SetState(State::kDisconnected);
      HandleNetworkChange(now);  // Nothing left to lose: try all there is.
    }
    return;
  }
  Pair& pair = checklist_.pairs()[*index];
  selected_ = pair.id;
  path_ = Path{.local = pair.local.base,
               .remote = pair.remote.address,
               .local_type = pair.local_type,
               .remote_type = pair.remote.type};
  if (!before || before->local != path_->local || before->remote != path_->remote) {
    events_.emplace_back(PathChanged{path_});
    pair.wake = std::min(pair.wake.value_or(TimePoint::max()), now + kMinProbeGap);
    if (before && pair.tier() > before->tier()) {
      HandleNetworkChange(now);  // A step down: look for the way up.
    }
  }
  if (role_ == Role::kControlling && nominated_ != pair.id && !pair.nominating &&
      MayNominate(now, pair)) {
    Nominate(now, pair);
  }
}

bool Agent::MayNominate(TimePoint now, const Pair& pair) const {
  if (config_.renomination) {
    return true;
  }
  if (nominated_once_) {
    return false;  // RFC 8445 section 8.1.1: one pair is nominated, and it stays that pair.
  }
  const bool settled = std::ranges::none_of(checklist_.pairs(), [&](const Pair& other) {
    return other.priority > pair.priority && !other.valid && other.state != PairState::kFailed;
  });
  return settled || pair.tier() == PathTier::kLan ||
         (first_valid_ && now - *first_valid_ >= kNominationPatience);
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

void Agent::SetState(State state) {
  if (state_ == state) {
    return;
  }
  if (state_ == State::kNew && state != State::kChecking) {
    SetState(State::kChecking);
  }
  FLOE_CHECK(IsTransition(state_, state));
  state_ = state;
  events_.emplace_back(StateChanged{state});
}

void Agent::ForgetOldRequests(TimePoint now) {
  while (!request_order_.empty() && (now - request_order_.front().first >= kRequestLifetime ||
                                     requests_.size() > kMaxRequests)) {
    requests_.erase(request_order_.front().second);
    request_order_.pop_front();
  }
}

std::optional<Transmit> Agent::PollTransmit() {
  if (transmits_.empty()) {
    return std::nullopt;
  }
  Transmit transmit = std::move(transmits_.front());
  transmits_.pop_front();
  return transmit;
}

std::optional<Event> Agent::PollEvent() {
  if (events_.empty()) {
    return std::nullopt;
  }
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::optional<TimePoint> Agent::NextTimeout() const {
  if (state_ == State::kFailed) {
    return std::nullopt;
  }
  std::optional<TimePoint> next;
  const auto consider = [&next](std::optional<TimePoint> time) {
    if (time && (!next || *time < *next)) {
      next = time;
    }
  };
  if (remote_) {
    consider(next_check_);
  }
  if (state_ == State::kChecking || state_ == State::kDisconnected) {
    consider(patience_ends_);
  }
  if (role_ == Role::kControlling && first_valid_ && !nominated_once_ &&
      *first_valid_ + kNominationPatience > now_) {
    consider(*first_valid_ + kNominationPatience);
  }
  for (const Pair& pair : checklist_.pairs()) {
    consider(pair.wake);
  }
  return next;
}

}  // namespace floe::ice
