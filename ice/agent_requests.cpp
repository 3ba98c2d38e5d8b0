// The part of Agent that is asked: connectivity checks received and answered.
//
// Source: RFC 8445 section 7.3.

#include <algorithm>
#include <array>
#include <chrono>

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

AttributeType RoleAttribute(Role role) {
  return role == Role::kControlling ? AttributeType::kIceControlling
                                    : AttributeType::kIceControlled;
}

}  // namespace

bool Agent::HandleMessage(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                          const stun::MessageView& message) {
  now_ = now;
  if (message.method() != stun::Method::kBinding || state_ == State::kFailed) {
    return false;
  }
  switch (message.message_class()) {
    case stun::Class::kRequest:
      return local.transport == remote.transport && HandleRequest(now, local, remote, message);
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
  Pair* pair = PairOfRequest(local, remote, message);
  if (pair == nullptr) {
    return;
  }
  budget_.Free(now, remote.ip);
  way_back_ = PathOf(*pair);
  FollowNomination(now, *pair, message);
  if (pair->revoked) {
    return;  // RFC 7675 section 5.1: only a restart brings consent back.
  }
  if (pair->state != PairState::kSucceeded) {  // Section 7.3.1.4
    checklist_.Trigger(*pair);
    if (is_strict() || place_) {
      WakeChecks(now);
    } else {
      next_check_ = now;
    }
  } else if (!IsAlive(*pair) && pair->wake) {
    pair->wake = std::min(*pair->wake, now + std::chrono::milliseconds(20));
  }
}

/// RFC 8445 section 7.3.1.3. Null if nothing may be sent there, or there are better pairs.
Pair* Agent::PairOfRequest(const SocketAddress& local, const SocketAddress& remote,
                           const stun::MessageView& message) {
  const Candidate* ours = checklist_.FindLocal(local);
  if (ours == nullptr || !IsUsableRemote(remote)) {
    return nullptr;
  }
  if (checklist_.FindRemote(remote) == nullptr) {
    if (!HasRoomForRemote()) {
      return nullptr;
    }
    Candidate learned{.type = TypeOfUnsignalled(remote),
                      .address = remote,
                      .base = remote,
                      .priority = *stun::FindU32(message, AttributeType::kPriority),
                      .foundation = "prflx" + std::to_string(++learned_),
                      .signalled = false};
    if (ours->tcp_type) {  // RFC 6544 section 7.2: the other end of ours.
      learned.tcp_type = ours->tcp_type == TcpType::kPassive  ? TcpType::kActive
                         : ours->tcp_type == TcpType::kActive ? TcpType::kPassive
                                                              : TcpType::kSimultaneousOpen;
    }
    checklist_.AddLearned(*ours, learned, role_);
  }
  return is_strict() || ours->tcp_type ? checklist_.FindOrAdd(local, remote, role_)
                                       : checklist_.Find(local, remote);
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

void Agent::Respond(const SocketAddress& local, const SocketAddress& remote,
                    const stun::MessageView& request) {
  stun::Builder builder(stun::Class::kSuccess, stun::Method::kBinding, request.transaction_id());
  builder.AddAddress(AttributeType::kXorMappedAddress, remote)
      .AddIntegrity(AsBytes(config_.local.password))
      .AddFingerprint();
  transmits_.Push({local, remote, builder.Take()});
}

void Agent::RespondError(const SocketAddress& local, const SocketAddress& remote,
                         const stun::MessageView& request, int code) {
  stun::Builder builder(stun::Class::kError, stun::Method::kBinding, request.transaction_id());
  builder.AddErrorCode(static_cast<stun::ErrorCode>(code));
  if (code == 420) {
    builder.AddUnknownAttributes(stun::UnknownRequired(request, kKnownAttributes));
  }
  builder.AddIntegrity(AsBytes(config_.local.password)).AddFingerprint();
  transmits_.Push({local, remote, builder.Take()});
}

}  // namespace floe::ice
