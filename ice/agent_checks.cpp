// The part of Agent that keeps time: checks started, repeated and given up, and consent.
//
// Source: RFC 8445 sections 6.1.4 and 14, RFC 7675 section 5.1.

#include <algorithm>
#include <array>

#include "ice/agent.h"
#include "ice/agent_timing.h"

namespace floe::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kFastRto = milliseconds(100);
constexpr Duration kMaxFastGap = seconds(3);
constexpr std::uint32_t kFastSends = 8;   // Over 9 s
constexpr std::uint32_t kRetrySends = 4;  // Over 1.5 s, for a pair that has failed before
constexpr std::ptrdiff_t kMaxRequests = 1000;
constexpr std::size_t kWarmPerClass = 2;  // Direct paths, and relayed ones, that are kept open.

constexpr Duration kProbeWhileSending = milliseconds(2500);
constexpr Duration kSendingIsRecent = seconds(10);
constexpr Duration kConsentInterval = seconds(5);  // RFC 7675 section 5.1, times U(0.8, 1.2)
constexpr Duration kWarmInterval = seconds(12);    // Shorter than what a NAT forgets in.
constexpr Duration kSlowProbeGap = seconds(1);

// How long a failed pair rests before it is tried again, when it would be worth having.
constexpr std::array<Duration, 6> kRetryDelays{seconds(1), seconds(2),  seconds(4),
                                               seconds(8), seconds(15), seconds(20)};
constexpr Duration kUnwantedDelay = seconds(60);

bool IsTcp(const Pair& pair) {
  return pair.local->base.transport == Transport::kTcp;
}

/// A connection that came from the peer, which alone can make it again.
bool IsPeersToMake(const Pair& pair) {
  return pair.local->tcp_type == TcpType::kPassive;
}

}  // namespace

void Agent::HandleUnreachable(TimePoint now, const SocketAddress& local,
                              const SocketAddress& remote) {
  constexpr std::uint32_t kRefusalsThatCount = 2;
  Pair* pair = checklist_.Find(local, remote);
  if (pair == nullptr) {
    return;
  }
  if (IsTcp(*pair)) {
    if (pair->valid || pair->state == PairState::kInProgress) {
      FailCheck(now, *pair);
      Reselect(now);
    }
  } else if (pair->state == PairState::kInProgress) {
    if (++pair->refusals >= (is_strict() ? kRefusalsThatCount : 1) &&
        !(is_strict() && pair->valid)) {
      FailCheck(now, *pair);
    }
  } else if (pair->valid && !is_strict()) {
    pair->sends = std::max(pair->sends, kSuspectProbes);
    pair->first_send = now - kSuspectAfterWithData;
    pair->wake = now + kMinProbeGap;
    ProbeOthers(now, *pair);
    Reselect(now);
  }
}

void Agent::HandleNetworkChange(TimePoint now) {
  if (is_strict()) {
    return;
  }
  for (Pair& pair : checklist_.pairs()) {
    if (pair.valid) {
      pair.wake = now;
    } else if (pair.state == PairState::kFailed && !IsPeersToMake(pair)) {
      pair.retries = 0;
      pair.wake = now;
    }
  }
}

void Agent::HandleTimeout(TimePoint now) {
  now_ = now;
  if (state_ == State::kFailed) {
    return;
  }
  ForgetOldRequests(now);
  for (Pair& pair : checklist_.pairs()) {
    if (pair.valid && now - pair.last_answer >= kConsentTimeout) {
      LoseConsent(now, pair);
    } else if (pair.wake && *pair.wake <= now) {
      HandlePairTimeout(now, pair);
    }
  }
  if (!is_strict() && checklist_.HasWork() && TcpAt(now) == Checklist::Tcp::kToo) {
    WakeChecks(now);  // What has waited for UDP to fail.
  }
  if (remote_ && next_check_ && *next_check_ <= now) {
    next_check_.reset();
    StartNextCheck(now);
  }
  Reselect(now);
  if (const auto end = GiveUpAt(); end && now >= *end) {
    SetState(State::kFailed);
  }
}

void Agent::WakeChecks(TimePoint now) {
  if (place_ && place_->row == Pacer::Row::kOrdinary && HasLostItsWay()) {
    place_.reset();  // It is in a hurry by now.
    next_check_ = now;
  }
  next_check_ = next_check_.value_or(now);
}

/// There was a path, and none answers.
bool Agent::HasLostItsWay() const {
  const Pair* pair = selected();
  return first_valid_ && (pair == nullptr || !IsAlive(*pair));
}

/// A connection costs both ends more than a datagram, so at the fast pace none is made for a check
/// while there is a direct path, or UDP may still find one.
Checklist::Tcp Agent::TcpAt(TimePoint now) const {
  const Pair* pair = selected();
  const bool direct = pair != nullptr && pair->tier() <= PathTier::kDirectTcp && IsAlive(*pair);
  const bool not_yet = !is_strict() && (direct || !tcp_from_ || now < *tcp_from_);
  return not_yet ? Checklist::Tcp::kNotYet : Checklist::Tcp::kToo;
}

/// RFC 8445 section 6.1.4.2. Once a pair is nominated, only what the peer asks for is checked
/// (section 8.1.2).
void Agent::StartNextCheck(TimePoint now) {
  const bool ordinary = !(is_strict() && nominated_once_);
  const Checklist::Tcp tcp = TcpAt(now);
  if (ordinary && !checklist_.HasWork(tcp)) {
    is_strict() ? checklist_.Unfreeze() : checklist_.UnfreezeAll();
  }
  if (!checklist_.HasWork(tcp)) {
    place_.reset();
    return;
  }
  if (config_.pacer != nullptr) {
    using Row = Pacer::Row;
    place_ = place_ ? *place_
                    : config_.pacer->Reserve(now, HasLostItsWay() ? Row::kUrgent : Row::kOrdinary);
    if (const TimePoint time = config_.pacer->TimeOf(*place_); time > now) {
      next_check_ = time;
      return;
    }
    place_.reset();
  }
  if (Pair* pair = ordinary ? checklist_.TakeNext(tcp) : checklist_.TakeTriggered()) {
    StartCheck(now, *pair);
    next_check_ = now + Ta();
  }
}

Duration Agent::Ta() const {
  return config_.ta.value_or(is_strict() ? milliseconds(50) : milliseconds(5));
}

/// RFC 8445 section 14.3, whose N is taken to be the number of check lists, as in RFC 5245: one.
Duration Agent::Rto() const {
  return is_strict() ? std::max(kStandardRto, Ta() * static_cast<int>(checklist_.CountUnderWay()))
                     : kFastRto;
}

void Agent::StartCheck(TimePoint now, Pair& pair) {
  pair.state = PairState::kInProgress;
  pair.sends = 0;
  pair.refusals = 0;
  pair.first_send = now;
  pair.first_check = pair.first_check.value_or(now);
  pair.rto = Rto();
  SendRequest(now, pair, is_strict() ? Repeat::kSame : Repeat::kAnother);
  pair.wake = now + CheckGap(pair);
}

void Agent::HandlePairTimeout(TimePoint now, Pair& pair) {
  pair.wake.reset();
  switch (pair.state) {
    case PairState::kInProgress:
      HandleCheckTimeout(now, pair);
      return;
    case PairState::kSucceeded:
      is_strict() ? HandleConsentTimeout(now, pair) : HandleProbeTimeout(now, pair);
      return;
    case PairState::kFailed: {
      const Pair* current = selected();
      if (current == nullptr || !IsAlive(*current) ||
          TierOf(pair.local->type, pair.remote->type, pair.local->base.transport,
                 pair.local->relay_transport) < current->tier()) {
        checklist_.Trigger(pair);
        WakeChecks(now);
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
  if (pair.sends >= SendLimit(pair)) {
    FailCheck(now, pair);
    return;
  }
  is_strict() ? RepeatRequest(now, pair) : SendRequest(now, pair);
  pair.wake = now + CheckGap(pair);
}

std::uint32_t Agent::SendLimit(const Pair& pair) const {
  if (IsTcp(pair)) {
    return 1;  // RFC 8489 section 6.2.2: TCP repeats by itself.
  }
  if (is_strict()) {
    return kStandardSends;
  }
  return pair.retries > 0 ? kRetrySends : kFastSends;
}

/// How long to wait after what was sent last.
Duration Agent::CheckGap(const Pair& pair) const {
  if (IsTcp(pair)) {
    return kRequestLifetime;
  }
  if (is_strict()) {
    // The last wait is Rm x RTO, RFC 8489 section 6.2.1.
    return pair.sends >= kStandardSends ? kFinalWait * pair.rto
                                        : pair.rto * (1U << (pair.sends - 1));
  }
  return std::min(kFastRto * (1U << std::min(pair.sends - 1, 8U)), kMaxFastGap);
}

void Agent::FailCheck(TimePoint now, Pair& pair) {
  pair.state = PairState::kFailed;
  pair.valid = false;
  pair.nominating = false;
  if (nominated_ == pair.id) {
    nominated_.reset();
  }
  ScheduleRetry(now, pair);
  WakeChecks(now);
}

void Agent::HandleProbeTimeout(TimePoint now, Pair& pair) {
  if (pair.sends == 0) {
    pair.first_send = now;
  }
  SendRequest(now, pair);
  const Duration gap = std::max(2 * pair.rtt, kMinProbeGap);
  pair.wake = now + (pair.sends > 4 ? std::max(gap, kSlowProbeGap) : gap);
  constexpr std::uint32_t kOneIsLost = 2;
  if (selected_ == pair.id && pair.sends == kOneIsLost) {
    ProbeOthers(now, pair);
  }
}

/// What the path in use suffers from may have hit the others as well: those that stand by are asked
/// at once, so that by the time it is given up the data goes where an answer has just come from,
/// and not to one dead path after the other.
void Agent::ProbeOthers(TimePoint now, const Pair& silent) {
  for (Pair& other : checklist_.pairs()) {
    if (other.id != silent.id && other.valid && other.sends == 0) {
      other.wake = now;
    }
  }
}

/// RFC 7675 section 5.1: each check is a transaction of its own and is not repeated. Until a pair
/// is nominated all that work are checked, which keeps them open (RFC 8445 section 11).
void Agent::HandleConsentTimeout(TimePoint now, Pair& pair) {
  if (!nominated_once_ || nominated_ == pair.id || selected_ == pair.id) {
    SendRequest(now, pair);
  }
  pair.wake = now + ConsentInterval();
}

void Agent::LoseConsent(TimePoint now, Pair& pair) {
  pair.sends = 0;
  pair.revoked = is_strict() && (nominated_ == pair.id || selected_ == pair.id);
  FailCheck(now, pair);
}

void Agent::ScheduleRetry(TimePoint now, Pair& pair) {
  pair.wake.reset();
  if (is_strict() || IsPeersToMake(pair)) {
    return;
  }
  const Pair* current = selected();
  const bool spare =
      IsTcp(pair) && current != nullptr && current->id != pair.id && IsAlive(*current);
  pair.wake =
      now + (spare ? kUnwantedDelay
                   : kRetryDelays[std::min<std::size_t>(pair.retries, kRetryDelays.size() - 1)]);
  ++pair.retries;
}

Duration Agent::ConsentInterval() {
  std::array<std::uint8_t, 2> byte{};
  random_.Fill(byte);
  return kConsentInterval * (800 + LoadBe<std::uint16_t>(byte, 0) % 401) / 1000;
}

Duration Agent::ProbeInterval(TimePoint now, const Pair& pair) {
  if (is_strict()) {
    return ConsentInterval();
  }
  if (selected_ == pair.id) {
    const bool sending = last_data_sent_ && now - *last_data_sent_ < kSendingIsRecent;
    return sending ? kProbeWhileSending : ConsentInterval();
  }
  const auto better = std::ranges::count_if(checklist_.pairs(), [&](const Pair& other) {
    return other.valid && other.id != pair.id && IsDirect(other.tier()) == IsDirect(pair.tier()) &&
           std::pair(other.tier(), other.rtt) < std::pair(pair.tier(), pair.rtt);
  });
  // One too many is left alone, and goes when its consent does.
  return static_cast<std::size_t>(better) < kWarmPerClass ? kWarmInterval : kConsentTimeout;
}

void Agent::ForgetOldRequests(TimePoint now) {
  std::erase_if(requests_, [now](const Request& request) { return now >= request.expires; });
  if (std::ssize(requests_) > kMaxRequests) {
    requests_.erase(requests_.begin(), requests_.end() - kMaxRequests);
  }
  if (requests_.capacity() > 2 * requests_.size()) {
    requests_.shrink_to_fit();  // There were many once, and there may be a thousand agents.
  }
}

}  // namespace floe::ice
