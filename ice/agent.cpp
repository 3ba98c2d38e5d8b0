#include "ice/agent.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "ice/agent_timing.h"

namespace floe::ice {
namespace {

WipedText RandomIceChars(RandomSource& random, std::size_t size) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  WipedText text(size, ' ');
  for (char& letter : text) {
    std::array<std::uint8_t, 1> byte{};
    random.Fill(byte);
    letter = kAlphabet[byte[0] % kAlphabet.size()];
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
  return {.ufrag = std::string(RandomIceChars(random, 8)), .password = RandomIceChars(random, 32)};
}

Agent::Agent(TimePoint now, const AgentConfig& config, RandomSource& random)
    : config_(config),
      random_(random),
      role_(config.role),
      checklist_(config.max_pairs, config.pace == Pace::kStandard ? LearnedPairs::kWhereItCame
                                                                  : LearnedPairs::kWithAll),
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
  tcp_from_ = tcp_from_.value_or(now + (is_strict() ? Duration{0} : kTcpHeadStart));
  WakeChecks(now);
  if (state_ == State::kNew || state_ == State::kChecking) {
    patience_ends_ = now + kPatience;  // RFC 8863 section 4: from when checks can be sent.
    SetState(State::kChecking);
  }
  return {};
}

void Agent::AddLocalCandidate(TimePoint now, const Candidate& candidate) {
  if (candidate.type == CandidateType::kHost || candidate.type == CandidateType::kRelayed) {
    checklist_.AddLocal(candidate, role_);
    WakeChecks(now);
  } else if (std::ranges::find(reflexive_, candidate.address, &Candidate::address) ==
             reflexive_.end()) {
    if (reflexive_.size() >= config_.max_remotes) {
      reflexive_.erase(reflexive_.begin());
    }
    reflexive_.push_back(candidate);
  }
}

/// The address of a relay serves many, so one that is known tells those that come from it: in time
/// the peer says so itself, but until then the path must not pass for a direct one. RFC 8445
/// section 7.3.1.3 has it peer-reflexive whatever it is.
CandidateType Agent::TypeOfUnsignalled(const SocketAddress& remote) const {
  const bool relayed = checklist_.AnyCandidate([&](const Candidate& candidate) {
    return candidate.type == CandidateType::kRelayed && candidate.address.ip == remote.ip;
  });
  return relayed && !is_strict() ? CandidateType::kRelayed : CandidateType::kPeerReflexive;
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
      checklist_.ReplaceRemote(candidate, role_);
      WakeChecks(now);
      Reselect(now);
    }
    return {};
  }
  const bool tcp = candidate.address.transport == Transport::kTcp;
  if (tcp && candidate.tcp_type == TcpType::kActive) {
    return {};  // It forms no pair (RFC 6544 section 6.2): it connects to us from another port.
  }
  const bool too_many = tcp &&
                        checklist_.CountTold(Transport::kTcp) >= config_.max_remotes / kTcpShare &&
                        !checklist_.ForgetFailedRemote(Transport::kTcp);
  if (too_many || !HasRoomForRemote()) {
    return Fail(AgentError::kBadCandidate);
  }
  checklist_.AddRemote(candidate, role_);
  WakeChecks(now);
  return {};
}

void Agent::SetRemoteLite(TimePoint now) {
  if (role_ != Role::kControlling) {
    SwitchRole(Role::kControlling);
    Reselect(now);
  }
}

void Agent::RemoveLocalBase(TimePoint now, const SocketAddress& base) {
  checklist_.RemoveLocal(base);
  std::erase_if(reflexive_, [&](const Candidate& candidate) { return candidate.base == base; });
  Reselect(now);
}

void Agent::NoteDataReceived(TimePoint now, const SocketAddress& local,
                             const SocketAddress& remote) {
  if (Pair* pair = checklist_.Find(local, remote)) {
    pair->last_data = now;
  }
}

const Pair* Agent::selected() const {
  const auto it = selected_ ? std::ranges::find(checklist_.pairs(), *selected_, &Pair::id)
                            : checklist_.pairs().end();
  return it == checklist_.pairs().end() ? nullptr : &*it;
}

TimePoint Agent::ConsentEnds(const Pair& pair) {
  return pair.last_answer + kConsentTimeout;
}

const Pair* Agent::nominated() const {
  const auto it = nominated_ ? std::ranges::find(checklist_.pairs(), *nominated_, &Pair::id)
                             : checklist_.pairs().end();
  return it == checklist_.pairs().end() ? nullptr : &*it;
}

Path Agent::PathOf(const Pair& pair) const {
  return {.local = pair.local->base,
          .remote = pair.remote->address,
          .local_type = pair.local_type,
          .remote_type = pair.remote->type};
}

Candidate Agent::LocalCandidateOf(const Pair& pair) const {
  if (!pair.valid || pair.local_type == pair.local->type) {
    return *pair.local;
  }
  const auto known = std::ranges::find(reflexive_, pair.mapped, &Candidate::address);
  if (known != reflexive_.end()) {
    return *known;
  }
  return {.type = CandidateType::kPeerReflexive,
          .address = pair.mapped,
          .base = pair.local->base,
          .priority = pair.valid_local_priority,
          .foundation = ComputeFoundation(CandidateType::kPeerReflexive, pair.local->base.ip,
                                          pair.remote->address.ip, pair.mapped.transport),
          .related = pair.local->base,
          .tcp_type = pair.local->tcp_type,
          .signalled = false};
}

/// When the session has failed if nothing answers until then; nothing while that cannot be said.
std::optional<TimePoint> Agent::GiveUpAt() const {
  if (state_ != State::kChecking && state_ != State::kDisconnected) {
    return std::nullopt;
  }
  TimePoint at = patience_ends_;
  if (!is_strict() || state_ == State::kDisconnected) {
    return at;
  }
  if (!local_ended_ || !remote_ended_) {
    return std::nullopt;  // RFC 8838 section 8: there may be better candidates to come.
  }
  for (const Pair& pair : checklist_.pairs()) {
    if (pair.state == PairState::kFailed) {
      continue;
    }
    if (!pair.first_check) {
      return std::nullopt;
    }
    // What the peer goes on asking for is checked again and again, but it has had its time.
    at = std::max(at, *pair.first_check + kPatience);
  }
  return at;
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
  events_.Push(StateChanged{state});
}

std::optional<Transmit> Agent::PollTransmit() {
  return transmits_.Poll();
}

std::optional<Event> Agent::PollEvent() {
  return events_.Poll();
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
  consider(GiveUpAt());
  if (tcp_from_ && *tcp_from_ > now_ && checklist_.HasWork()) {
    consider(tcp_from_);
  }
  if (role_ == Role::kControlling && first_valid_ && !nominated_once_ &&
      *first_valid_ + NominationPatience(config_.pace) > now_) {
    consider(*first_valid_ + NominationPatience(config_.pace));
  }
  for (const Pair& pair : checklist_.pairs()) {
    consider(pair.wake);
    if (pair.valid) {
      consider(pair.last_answer + kConsentTimeout);
    }
  }
  return next;
}

}  // namespace floe::ice
