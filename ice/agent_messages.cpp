// The part of Agent that speaks: connectivity checks sent, received and answered.
//
// Source: RFC 8445 section 7.

#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"
#include "ice/agent.h"
#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "ice/stun/integrity.h"

namespace floe::ice {
namespace {

using stun::AttributeType;

// What a check may carry that must be understood.
constexpr std::array kKnownAttributes{AttributeType::kUsername, AttributeType::kMessageIntegrity,
                                      AttributeType::kMessageIntegritySha256,
                                      AttributeType::kPriority, AttributeType::kUseCandidate};

stun::TransactionId MakeTransactionId(std::uint32_t tag, RandomSource& random) {
  stun::TransactionId id{};
  random.Fill(id);
  StoreBe(id, 0, tag);
  return id;
}

AttributeType RoleAttribute(Role role) {
  return role == Role::kControlling ? AttributeType::kIceControlling
                                    : AttributeType::kIceControlled;
}

void UpdateRtt(Pair& pair, Duration sample) {
  pair.rtt = pair.rtt == Duration{0} ? sample : (7 * pair.rtt + sample) / 8;  // RFC 6298: 1/8
}

}  // namespace

void Agent::SendRequest(TimePoint now, Pair& pair) {
  if (!remote_) {
    return;
  }
  const stun::TransactionId id = MakeTransactionId(tag_, random_);
  // RFC 8445 section 7.1.1: the priority a peer-reflexive candidate from here would have.
  const std::uint32_t priority =
      (ComputePriority(CandidateType::kPeerReflexive, 0) & 0xFF00'0000U) |
      (pair.local.priority & 0x00FF'FFFFU);
  stun::Builder builder(stun::Class::kRequest, stun::Method::kBinding, id);
  builder.AddText(AttributeType::kUsername, remote_->ufrag + ':' + config_.local.ufrag)
      .AddU32(AttributeType::kPriority, priority)
      .AddU64(RoleAttribute(role_), tie_breaker_);
  const bool nominating = role_ == Role::kControlling && pair.nominating;
  if (nominating) {
    builder.AddFlag(AttributeType::kUseCandidate);
    if (config_.renomination) {
      builder.AddU32(AttributeType::kNomination, nomination_);
    }
  }
  builder.AddIntegrity(AsBytes(remote_->password)).AddFingerprint();

  requests_.emplace(
      id,
      Request{
          .pair = pair.id, .sent = now, .role = role_, .nomination = nominating ? nomination_ : 0});
  request_order_.emplace_back(now, id);
  transmits_.push_back({pair.local.base, pair.remote.address, builder.Take()});
  ++pair.sends;
}

bool Agent::HandleMessage(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                          const stun::MessageView& message) {
  now_ = now;
  if (message.method() != stun::Method::kBinding || state_ == State::kFailed) {
    return false;
  }
  switch (message.message_class()) {
    case stun::Class::kRequest:
      return HandleRequest(now, local, remote, message);
    case stun::Class::kIndication:
      return true;  // A keepalive, RFC 8445 section 11: nothing to do and nothing to answer.
    case stun::Class::kSuccess:
    case stun::Class::kError:
      return HandleResponse(now, local, remote, message);
  }
  return false;
}

bool Agent::HandleRequest(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                          const stun::MessageView& message) {
  const auto username = stun::FindText(message, AttributeType::kUsername);
  if (!username || !username->starts_with(config_.local.ufrag + ':')) {
    return false;
  }
  // A request that is not authentic is not answered at all: an answer would help only a prober.
  if (!stun::VerifyIntegrity(message, AsBytes(config_.local.password)) ||
      !stun::VerifyFingerprint(message)) {
    ++counters_.unauthenticated;
    return true;
  }
  if (!stun::UnknownRequired(message, kKnownAttributes).empty()) {
    RespondError(local, remote, message, 420);
    return true;
  }
  if (!stun::FindU32(message, AttributeType::kPriority) ||
      (!stun::FindU64(message, AttributeType::kIceControlling) &&
       !stun::FindU64(message, AttributeType::kIceControlled))) {
    ++counters_.malformed;
    RespondError(local, remote, message, 400);
    return true;
  }
  if (ResolveRoleConflict(message)) {
    RespondError(local, remote, message, 487);
    return true;
  }
  HandleAuthenticRequest(now, local, remote, message);
  return true;
}

void Agent::HandleAuthenticRequest(TimePoint now, const SocketAddress& local,
                                   const SocketAddress& remote, const stun::MessageView& message) {
  // RFC 8445 section 7.3: at once, even before the peer's candidates or credentials are known.
  Respond(local, remote, message);
  if (state_ == State::kNew) {
    SetState(State::kChecking);
  }
  if (checklist_.FindLocal(local) == nullptr || !IsUsableRemote(remote)) {
    return;
  }
  if (checklist_.FindRemote(remote) == nullptr) {  // Section 7.3.1.3
    if (!HasRoomForRemote()) {
      return;
    }
    checklist_.AddRemote(
        Candidate{.type = TypeOfUnsignalled(remote),
                  .address = remote,
                  .base = remote,
                  .priority = *stun::FindU32(message, AttributeType::kPriority),
                  .foundation = "prflx" + std::to_string(checklist_.remote_count()),
                  .signalled = false},
        role_);
  }
  Pair* pair = checklist_.Find(local, remote);
  if (pair == nullptr) {
    return;  // Pruned: there are better ones.
  }
  way_back_ = Path{.local = local,
                   .remote = remote,
                   .local_type = pair->local_type,
                   .remote_type = pair->remote.type};
  FollowNomination(now, *pair, message);
  if (pair->state != PairState::kSucceeded) {  // Section 7.3.1.4
    checklist_.Trigger(*pair);
    next_check_ = std::min(next_check_.value_or(now), now);
  } else if (!IsAlive(*pair) && pair->wake) {
    pair->wake = std::min(*pair->wake, now + std::chrono::milliseconds(20));
  }
}

/// RFC 8445 section 7.3.1.1. Returns true if the request is to be refused with 487.
bool Agent::ResolveRoleConflict(const stun::MessageView& message) {
  const auto theirs = stun::FindU64(message, RoleAttribute(role_));
  if (!theirs) {
    return false;  // The peer has the other role, as it should.
  }
  const bool larger = tie_breaker_ >= *theirs;
  if (role_ == Role::kControlling) {
    if (larger) {
      return true;
    }
    SwitchRole(Role::kControlled);
  } else {
    if (!larger) {
      return true;
    }
    SwitchRole(Role::kControlling);
  }
  return false;
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

void Agent::FollowNomination(TimePoint now, Pair& pair, const stun::MessageView& message) {
  const auto value = stun::FindU32(message, AttributeType::kNomination);
  if (role_ != Role::kControlled || (!message.Find(AttributeType::kUseCandidate) && !value)) {
    return;
  }
  if (value) {
    if (*value < nomination_) {
      return;  // Overtaken by a later one, or replayed.
    }
    nomination_ = *value;
  } else if (const Pair* before = nominated_ ? checklist_.Find(*nominated_) : nullptr;
             before != nullptr && before->valid && before->priority > pair.priority) {
    return;  // An aggressive peer nominates them all; the highest priority wins (RFC 5245).
  }
  for (Pair& other : checklist_.pairs()) {
    other.peer_nominated = other.id == pair.id;
  }
  if (pair.valid) {
    nominated_ = pair.id;
    Reselect(now);
  }
}

bool Agent::HandleResponse(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                           const stun::MessageView& message) {
  const auto found = requests_.find(message.transaction_id());
  if (found == requests_.end()) {
    ++counters_.unexpected;
    return false;
  }
  if (!remote_ || !stun::VerifyIntegrity(message, AsBytes(remote_->password))) {
    ++counters_.unauthenticated;
    return true;
  }
  const Request request = found->second;
  requests_.erase(found);
  Pair* pair = checklist_.Find(request.pair);
  if (pair == nullptr) {
    return true;
  }
  if (pair->local.base != local || pair->remote.address != remote) {
    // RFC 8445 section 7.2.5.2.1: the answer must take the way of the question, backwards.
    if (pair->state == PairState::kInProgress) {
      pair->state = PairState::kFailed;
      ScheduleRetry(now, *pair);
    }
    return true;
  }
  if (message.message_class() == stun::Class::kSuccess) {
    HandleSuccess(now, *pair, request, message);
  } else if (const auto error = stun::FindError(message);
             error && static_cast<int>(error->code) == 487) {
    HandleRoleConflictError(now, request);
  } else if (pair->state == PairState::kInProgress) {
    pair->state = PairState::kFailed;
    ScheduleRetry(now, *pair);
  }
  return true;
}

void Agent::HandleSuccess(TimePoint now, Pair& pair, const Request& request,
                          const stun::MessageView& message) {
  const auto mapped = stun::FindMappedAddress(message);
  if (!mapped) {
    ++counters_.malformed;
    return;
  }
  UpdateRtt(pair, now - request.sent);
  const double lost = pair.sends > 1 ? double(pair.sends - 1) / pair.sends : 0.0;
  pair.loss = pair.valid ? 0.9 * pair.loss + 0.1 * lost : 0.0;
  if (pair.local.type == CandidateType::kHost && mapped->Unmapped() != pair.local.base) {
    // RFC 8445 section 7.2.5.3.1: what the peer sees is a NAT's address.
    const bool known = std::ranges::find(reflexive_, *mapped) != reflexive_.end();
    pair.local_type = known ? CandidateType::kServerReflexive : CandidateType::kPeerReflexive;
  } else {
    pair.local_type = pair.local.type;
  }
  pair.state = PairState::kSucceeded;
  pair.valid = true;
  pair.sends = 0;
  pair.retries = 0;
  pair.last_answer = now;
  first_valid_ = first_valid_.value_or(now);
  // Only the answer to the latest nomination says that both ends agree.
  if (pair.nominating && request.nomination == nomination_) {
    pair.nominating = false;
    nominated_ = pair.id;
    nominated_once_ = true;
  }
  if (pair.peer_nominated && role_ == Role::kControlled) {
    nominated_ = pair.id;
  }
  pair.wake = now + (pair.nominating ? NominationGap(pair) : ProbeInterval(now, pair));
  SetState(State::kConnected);
  checklist_.Unfreeze();
  next_check_ = next_check_.value_or(now);
  Reselect(now);
}

/// RFC 8445 section 7.2.5.1.
void Agent::HandleRoleConflictError(TimePoint now, const Request& request) {
  if (request.role == role_) {
    std::array<std::uint8_t, 8> bytes{};
    random_.Fill(bytes);
    tie_breaker_ = LoadBe<std::uint64_t>(bytes, 0);
    SwitchRole(role_ == Role::kControlling ? Role::kControlled : Role::kControlling);
  }
  if (Pair* pair = checklist_.Find(request.pair);
      pair != nullptr && pair->state != PairState::kSucceeded) {
    checklist_.Trigger(*pair);
    next_check_ = next_check_.value_or(now);
  }
}

void Agent::Respond(const SocketAddress& local, const SocketAddress& remote,
                    const stun::MessageView& request) {
  stun::Builder builder(stun::Class::kSuccess, stun::Method::kBinding, request.transaction_id());
  builder.AddAddress(AttributeType::kXorMappedAddress, remote)
      .AddIntegrity(AsBytes(config_.local.password))
      .AddFingerprint();
  transmits_.push_back({local, remote, builder.Take()});
}

void Agent::RespondError(const SocketAddress& local, const SocketAddress& remote,
                         const stun::MessageView& request, int code) {
  stun::Builder builder(stun::Class::kError, stun::Method::kBinding, request.transaction_id());
  builder.AddErrorCode(static_cast<stun::ErrorCode>(code));
  if (code == 420) {
    builder.AddUnknownAttributes(stun::UnknownRequired(request, kKnownAttributes));
  }
  builder.AddIntegrity(AsBytes(config_.local.password)).AddFingerprint();
  transmits_.push_back({local, remote, builder.Take()});
}

}  // namespace floe::ice
