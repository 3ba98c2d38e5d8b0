// What the answers to a client's requests mean for its allocation.
//
// Source: RFC 8656 sections 7.3, 7.4, 8.3, 10.3 and 12.3.

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "ice/stun/attributes.h"
#include "ice/turn/client.h"

namespace floe::ice::turn {
namespace {

using std::chrono::seconds;
using stun::AttributeType;
using stun::ErrorCode;

constexpr seconds kMaxLifetime{3600};
constexpr seconds kRefreshMargin{60};  // Room for a request that needs all of its 39.5 seconds.
constexpr seconds kRetryPause{5};
constexpr std::size_t kMaxTicketSize = 1024;  // bytes
constexpr std::size_t kMaxDomainSize = 255;   // bytes of a name, RFC 1035 section 2.3.4
constexpr seconds kCapacityPause{60};         // RFC 8656 section 7.4, for 508

using Kind = Outcome::Kind;

/// Errors that say the server does not know our allocation: it has restarted, or our mapping has
/// changed. 400 is what ChannelBind gets when the two ends disagree about what is bound.
bool AllocationIsGone(const Outcome& outcome) {
  return outcome.kind == Kind::kRefused &&
         (outcome.code == ErrorCode::kAllocationMismatch ||
          outcome.code == ErrorCode::kBadRequest || outcome.code == ErrorCode::kUnauthenticated ||
          outcome.code == ErrorCode::kStaleNonce || outcome.code == ErrorCode::kWrongCredentials);
}

/// XOR-RELAYED-ADDRESS of this family: there are two where both were asked for.
std::optional<SocketAddress> FindRelayed(const stun::MessageView& response, IpFamily family) {
  for (const stun::AttributeView attribute : response.attributes()) {
    if (attribute.type == AttributeType::kXorRelayedAddress) {
      const auto relayed = stun::ReadXorAddress(attribute.value, response.transaction_id());
      if (relayed && relayed->ip.family == family) {
        return relayed;
      }
    }
  }
  return std::nullopt;
}

/// How long to leave a server alone that did not answer, or has too much to do.
Duration PauseAfter(const Outcome& outcome) {
  return outcome.code == ErrorCode::kInsufficientCapacity ? kCapacityPause : kRetryPause;
}

/// True if asking again later can help.
bool IsPassing(const Outcome& outcome) {
  return outcome.kind == Kind::kTimedOut || outcome.code == ErrorCode::kInsufficientCapacity ||
         outcome.code == ErrorCode::kServerError;
}

}  // namespace

void Client::HandleOutcome(TimePoint now, const Outcome& outcome,
                           const stun::MessageView* response) {
  if (!usable()) {
    return;  // The answer to a farewell.
  }
  std::visit([&](const auto& intent) { Finish(now, intent, outcome, response); }, outcome.intent);
  if (usable() && outcome.kind == Kind::kSuccess) {
    NoteMapped(now, *response);
  }
}

void Client::Finish(TimePoint now, const AllocateIntent& /*intent*/, const Outcome& outcome,
                    const stun::MessageView* response) {
  if (outcome.kind == Kind::kTimedOut) {
    Lose(0, "the server does not answer");
    return;
  }
  if (outcome.code == ErrorCode::kMobilityForbidden && mobile_) {  // RFC 8016 section 3.1.1
    mobile_ = false;
    Start(now, MakeAllocate());
    return;
  }
  if (both_families_ && (outcome.code == ErrorCode::kAddressFamilyNotSupported ||
                         outcome.code == ErrorCode::kBadRequest)) {
    both_families_ =
        false;  // A server may have IPv4 and not both: coturn with an external address.
    ipv6_is_left_ = true;
    Start(now, MakeAllocate());
    return;
  }
  if (outcome.code == ErrorCode::kAddressFamilyNotSupported && ipv6_is_left_) {
    ipv6_is_left_ = false;  // RFC 8656 section 7.4: not the same family again.
    family_ = IpFamily::kIpv6;
    Start(now, MakeAllocate());
    return;
  }
  if (outcome.code == ErrorCode::kAllocationMismatch && !reclaimed_) {
    // A program that ended without a farewell had this five-tuple, most likely our own last run.
    // RFC 8656 section 7.4 asks for another port; we have one, and the credentials to end it.
    reclaimed_ = true;
    Start(now, RefreshIntent{.closing = true});
    return;
  }
  if (outcome.kind == Kind::kRefused) {
    std::optional<SocketAddress> alternate;
    std::string_view name;
    if (outcome.code == ErrorCode::kTryAlternate) {
      alternate =
          stun::ReadAddress(response->Find(AttributeType::kAlternateServer).value_or(Bytes{}));
      name = stun::FindText(*response, AttributeType::kAlternateDomain).value_or(name);
    }
    Lose(static_cast<int>(outcome.code), stun::ToString(outcome.code), alternate,
         std::string(name.substr(0, kMaxDomainSize)));
    return;
  }

  const auto relayed = FindRelayed(*response, family_);
  const auto mapped = stun::FindXorAddress(*response, AttributeType::kXorMappedAddress);
  if (!requests_.authenticated() || !relayed || !mapped || !ScheduleRefresh(now, *response)) {
    Lose(0, "the server's answer makes no sense");
    return;
  }
  state_ = ClientState::kReady;
  keepalive_at_ = now + kKeepaliveInterval;  // Not due at once, although the request may be old.
  relayed_ = *relayed;
  mapped_ = *mapped;
  if (both_families_) {
    additional_ = FindRelayed(*response, IpFamily::kIpv6);
  }
  KeepTicket(*response);
  events_.emplace_back(
      Allocated{.relayed = relayed_, .mapped = mapped_, .additional = additional_});
  log::Debug("turn: {} allocated {} for {}", ToString(server_), ToString(relayed_),
             ToString(mapped_));
  Flush(now);
}

void Client::Finish(TimePoint now, const RefreshIntent& /*intent*/, const Outcome& outcome,
                    const stun::MessageView* response) {
  if (state_ == ClientState::kAllocating) {  // The old allocation is gone, or never will be.
    Start(now, MakeAllocate());
    return;
  }
  refreshing_ = false;
  const bool moved = std::exchange(moving_, false);
  if (outcome.kind == Kind::kSuccess) {
    if (!ScheduleRefresh(now, *response)) {
      Lose(0, "the server has ended the allocation");
      return;
    }
    KeepTicket(*response);
    if (moved) {  // It may see us elsewhere, and the answer to a Refresh need not say where.
      probing_ = true;
      Start(now, ProbeIntent{});
      Flush(now);
    }
    return;
  }
  if (moved || !Rescue(now, outcome)) {
    Lose(outcome);
  }
}

bool Client::Rescue(TimePoint now, const Outcome& outcome) {
  return outcome.kind == Kind::kRefused && outcome.code == ErrorCode::kAllocationMismatch &&
         !moving_ && Move(now, local_);
}

void Client::KeepTicket(const stun::MessageView& response) {
  const auto ticket = response.Find(AttributeType::kMobilityTicket);
  if (mobile_ && ticket && ticket->size() <= kMaxTicketSize) {
    ticket_.assign(ticket->begin(), ticket->end());
  }
}

void Client::Finish(TimePoint now, const PermitIntent& intent, const Outcome& outcome,
                    const stun::MessageView* /*response*/) {
  if (outcome.kind == Kind::kSuccess) {
    SendHeld(now, permissions_.HandleInstalled(now, intent.peers));
  } else if (AllocationIsGone(outcome)) {
    permissions_.HandleFailed(now, intent.peers, Duration{0});
    if (!Rescue(now, outcome)) {
      Lose(outcome);
    }
  } else if (IsPassing(outcome)) {
    permissions_.HandleFailed(now, intent.peers, PauseAfter(outcome));
  } else {
    permissions_.HandleRefused(now, intent.peers);
  }
}

void Client::Finish(TimePoint now, const BindIntent& intent, const Outcome& outcome,
                    const stun::MessageView* /*response*/) {
  if (outcome.kind == Kind::kSuccess) {
    channels_.HandleBound(now, intent);
    // RFC 8656 section 12.2: it has installed or renewed the permission as well.
    SendHeld(now, permissions_.HandleInstalled(now, {&intent.peer.ip, 1}));
  } else if (AllocationIsGone(outcome)) {
    channels_.HandleFailed(now, intent, Duration{0});
    if (!Rescue(now, outcome)) {
      Lose(outcome);
    }
  } else if (IsPassing(outcome)) {
    channels_.HandleFailed(now, intent, PauseAfter(outcome));
  } else {
    channels_.HandleRefused(intent);
  }
}

void Client::Finish(TimePoint now, const ProbeIntent& /*intent*/, const Outcome& outcome,
                    const stun::MessageView* /*response*/) {
  probing_ = false;
  // A server that is silent, not merely unwilling, may be gone: Refresh settles it.
  if (outcome.kind == Kind::kTimedOut) {
    CheckNow(now);
  }
}

bool Client::ScheduleRefresh(TimePoint now, const stun::MessageView& response) {
  const auto granted = stun::FindU32(response, AttributeType::kLifetime);
  if (!granted || *granted == 0) {
    return false;
  }
  const Duration lifetime = std::min<Duration>(seconds(*granted), kMaxLifetime);
  expires_at_ = now + lifetime;
  refresh_at_ = now + std::max<Duration>(lifetime - kRefreshMargin, lifetime / 2);
  return true;
}

void Client::NoteMapped(TimePoint now, const stun::MessageView& response) {
  const auto mapped = stun::FindMappedAddress(response);
  if (!ready() || !mapped || *mapped == mapped_) {
    return;
  }
  log::Debug("turn: {} sees us at {}, no longer at {}", ToString(server_), ToString(*mapped),
             ToString(mapped_));
  mapped_ = *mapped;
  events_.emplace_back(MappedChanged{.mapped = mapped_});
  CheckNow(now);  // The allocation belongs to the old mapping.
}

void Client::Lose(const Outcome& outcome) {
  if (outcome.kind == Kind::kTimedOut) {
    Lose(0, "the server does not answer");
  } else {
    Lose(static_cast<int>(outcome.code), stun::ToString(outcome.code));
  }
}

void Client::Lose(int code, std::string_view reason, std::optional<SocketAddress> alternate,
                  std::string alternate_name) {
  log::Debug("turn: allocation on {} lost: {} {}", ToString(server_), code, reason);
  state_ = ClientState::kLost;
  requests_.CancelAll();
  permissions_.Clear();
  channels_.Clear();
  outbox_.clear();
  events_.emplace_back(Lost{.code = code,
                            .reason = reason,
                            .alternate = alternate,
                            .alternate_name = std::move(alternate_name)});
}

}  // namespace floe::ice::turn
