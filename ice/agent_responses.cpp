// The part of Agent that asks: connectivity checks sent, and what their answers mean.
//
// Source: RFC 8445 section 7.2.

#include <algorithm>
#include <array>
#include <utility>

#include "ice/agent.h"
#include "ice/agent_timing.h"
#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "ice/stun/integrity.h"

namespace floe::ice {
namespace {

using stun::AttributeType;

// What an answer may carry that must be understood.
constexpr std::array kKnownAttributes{AttributeType::kUsername,
                                      AttributeType::kMessageIntegrity,
                                      AttributeType::kMessageIntegritySha256,
                                      AttributeType::kMappedAddress,
                                      AttributeType::kXorMappedAddress,
                                      AttributeType::kErrorCode,
                                      AttributeType::kUnknownAttributes,
                                      AttributeType::kPriority,
                                      AttributeType::kUseCandidate};

/// RFC 8445 section 7.1.1: the priority a peer-reflexive candidate from here would have.
std::uint32_t ReflexivePriority(const Candidate& local) {
  const std::uint32_t type =
      local.tcp_type ? ComputeTcpPriority(CandidateType::kPeerReflexive, *local.tcp_type, 0)
                     : ComputePriority(CandidateType::kPeerReflexive, 0);
  return (type & 0xFF00'0000U) | (local.priority & 0x00FF'FFFFU);
}

void UpdateRtt(Pair& pair, Duration sample) {
  pair.rtt = pair.rtt == Duration{0} ? sample : (7 * pair.rtt + sample) / 8;  // RFC 6298: 1/8
}

}  // namespace

/// By its first bytes the owner tells whose answer has come.
stun::TransactionId Agent::MakeTransactionId() {
  stun::TransactionId id{};
  random_.Fill(id);
  StoreBe(id, 0, tag_);
  return id;
}

/// What every check has. There must be credentials of the peer.
stun::Builder Agent::BeginRequest(const Pair& pair, const stun::TransactionId& id) const {
  stun::Builder builder(stun::Class::kRequest, stun::Method::kBinding, id);
  builder.AddText(AttributeType::kUsername, remote_->ufrag + ':' + config_.local.ufrag)
      .AddU32(AttributeType::kPriority, ReflexivePriority(*pair.local))
      .AddU64(role_ == Role::kControlling ? AttributeType::kIceControlling
                                          : AttributeType::kIceControlled,
              tie_breaker_);
  return builder;
}

void Agent::SendRequest(TimePoint now, Pair& pair, Repeat repeat) {
  if (!remote_) {
    return;
  }
  const stun::TransactionId id = MakeTransactionId();
  stun::Builder builder = BeginRequest(pair, id);
  const bool nominating = role_ == Role::kControlling && pair.nominating;
  if (nominating) {
    builder.AddFlag(AttributeType::kUseCandidate);
    if (config_.renomination) {
      builder.AddU32(AttributeType::kNomination, nomination_);
    }
  }
  builder.AddIntegrity(AsBytes(remote_->password)).AddFingerprint();
  std::vector<std::uint8_t> message = builder.Take();

  const bool same = repeat == Repeat::kSame;
  const TimePoint expires = now + (same ? kStandardWaits * pair.rto : kRequestLifetime);
  requests_.push_back(Request{.id = id,
                              .pair = pair.id,
                              .sent = now,
                              .expires = expires,
                              .role = role_,
                              .nomination = nominating ? nomination_ : 0,
                              .message = same ? message : std::vector<std::uint8_t>{}});
  if (same) {
    pair.transaction = id;
  }
  Send(now, pair, std::move(message));
  ++pair.sends;
}

void Agent::RepeatRequest(TimePoint now, Pair& pair) {
  if (const auto found = pair.transaction
                             ? std::ranges::find(requests_, *pair.transaction, &Request::id)
                             : requests_.end();
      found != requests_.end()) {
    Send(now, pair, found->message);
  }
  ++pair.sends;
}

void Agent::Send(TimePoint now, const Pair& pair, std::vector<std::uint8_t> message) {
  if (!budget_.Take(now, pair.remote->address.ip)) {
    ++counters_.withheld;
    return;
  }
  transmits_.Push({pair.local->base, pair.remote->address, std::move(message)});
}

bool Agent::HandleResponse(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                           const stun::MessageView& message) {
  const auto found = std::ranges::find(requests_, message.transaction_id(), &Request::id);
  if (found == requests_.end()) {
    const bool ours = HandleSizeResponse(local, remote, message);
    counters_.unexpected += ours ? 0 : 1;
    return ours;
  }
  if (!remote_ || !stun::VerifyIntegrity(message, AsBytes(remote_->password))) {
    ++counters_.unauthenticated;
    return true;
  }
  const Request request = std::move(*found);
  requests_.erase(found);
  Pair* pair = checklist_.Find(request.pair);
  if (pair == nullptr || pair->revoked) {
    return true;
  }
  // A check that another has replaced may still succeed, but not fail.
  const bool under_way = pair->state == PairState::kInProgress &&
                         (!is_strict() || pair->transaction == message.transaction_id());
  const auto mapped = stun::FindMappedAddress(message);
  const bool success = message.message_class() == stun::Class::kSuccess;
  // RFC 8445 section 7.2.5.2.1: the answer must take the way of the question, backwards.
  const bool astray = pair->local->base != local || pair->remote->address != remote;
  if (astray || !stun::UnknownRequired(message, kKnownAttributes).empty() || (success && !mapped)) {
    counters_.malformed += astray ? 0 : 1;
    if (under_way) {
      FailCheck(now, *pair);
      Reselect(now);
    }
    return true;
  }
  budget_.Free(now, remote.ip);
  if (success) {
    HandleSuccess(now, *pair, request, *mapped);
  } else {
    HandleError(now, *pair, request, message, under_way);
  }
  return true;
}

void Agent::HandleError(TimePoint now, Pair& pair, const Request& request,
                        const stun::MessageView& message, bool under_way) {
  const auto error = stun::FindError(message);
  if (error && error->code == stun::ErrorCode::kRoleConflict) {
    HandleRoleConflictError(now, request);
  } else if (error && error->code == stun::ErrorCode::kForbidden && pair.valid) {
    LoseConsent(now, pair);  // RFC 7675 section 5.2: at once.
    pair.revoked = is_strict();
    Reselect(now);
  } else if (under_way) {
    FailCheck(now, pair);
    Reselect(now);
  }
}

void Agent::HandleSuccess(TimePoint now, Pair& pair, const Request& request,
                          const SocketAddress& mapped) {
  if (request.message.empty() || pair.sends <= 1 || pair.rtt == Duration{0}) {
    UpdateRtt(pair, now - request.sent);  // Else it may be an earlier one that was answered.
  }
  const double lost = pair.sends > 1 ? double(pair.sends - 1) / pair.sends : 0.0;
  pair.loss = pair.valid ? 0.9 * pair.loss + 0.1 * lost : 0.0;
  SetValid(pair, mapped);
  pair.last_answer = now;
  first_valid_ = first_valid_.value_or(now);
  if (is_strict() && pair.nominating && request.nomination != nomination_) {
    return;  // An earlier check was answered; the one that nominates is still to come or under way.
  }
  const bool was_known = pair.state == PairState::kSucceeded;
  pair.state = PairState::kSucceeded;
  pair.sends = 0;
  pair.retries = 0;
  SetState(State::kConnected);
  // Only the answer to the latest nomination says that both ends agree.
  if (pair.nominating && request.nomination == nomination_) {
    SetNominated(pair);
  }
  if (pair.peer_nominated && role_ == Role::kControlled) {
    AcceptNomination(pair);
  }
  if (!was_known || !is_strict()) {  // RFC 7675: answers do not move the next consent check.
    pair.wake = now + (pair.nominating ? NominationGap(pair) : ProbeInterval(now, pair));
  }
  if (!was_known && !(is_strict() && nominated_once_)) {
    checklist_.UnfreezeFoundation(pair);
  }
  WakeChecks(now);
  Reselect(now);
}

/// RFC 8445 section 7.2.5.3.1 and 7.2.5.3.2. The valid pair may have a candidate of ours that the
/// peer alone sees; as it is sent from the same base, it needs no entry of its own.
void Agent::SetValid(Pair& pair, const SocketAddress& mapped) {
  pair.valid = true;
  pair.mapped = mapped.Unmapped();
  pair.mapped.transport = pair.local->base.transport;
  pair.local_type = pair.local->type;
  pair.valid_local_priority = pair.local->priority;
  // The port of an active TCP candidate is any.
  const bool as_it_is = pair.local->tcp_type == TcpType::kActive
                            ? pair.mapped.ip == pair.local->base.ip
                            : pair.mapped == pair.local->base;
  if (pair.local->type == CandidateType::kHost && !as_it_is) {
    const auto known = std::ranges::find(reflexive_, pair.mapped, &Candidate::address);
    const bool told = known != reflexive_.end();
    pair.local_type = told ? CandidateType::kServerReflexive : CandidateType::kPeerReflexive;
    pair.valid_local_priority = told ? known->priority : ReflexivePriority(*pair.local);
  }
  pair.valid_priority =
      ComputePairPriority(pair.valid_local_priority, pair.remote->priority, role_);
}

/// RFC 8445 section 7.2.5.1. A request from before we switched says nothing new.
void Agent::HandleRoleConflictError(TimePoint now, const Request& request) {
  if (request.role == role_) {
    std::array<std::uint8_t, 8> bytes{};
    random_.Fill(bytes);
    tie_breaker_ = LoadBe<std::uint64_t>(bytes, 0);
    SwitchRole(role_ == Role::kControlling ? Role::kControlled : Role::kControlling);
  }
  if (Pair* pair = checklist_.Find(request.pair);
      pair != nullptr && pair->state != PairState::kSucceeded && !pair->revoked) {
    checklist_.Trigger(*pair);
    WakeChecks(now);
  }
}

}  // namespace floe::ice
