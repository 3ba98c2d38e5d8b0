#include "ice/turn/requests.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"

namespace floe::ice::turn {
namespace {

using stun::AttributeType;
using stun::Builder;
using stun::Class;
using stun::ErrorCode;
using stun::Method;
using stun::TransactionId;

constexpr std::uint8_t kProtocolUdp = 17;  // RFC 8656 section 18.8: the protocol number of IP.
constexpr std::uint32_t kMaxStaleInARow = 2;
constexpr std::chrono::milliseconds kTi{39'500};  // RFC 8489 section 6.2.2

// Comprehension-required attributes that a response may carry (RFC 8489 section 6.3.3).
constexpr std::array kKnown = {
    AttributeType::kMappedAddress,
    AttributeType::kUsername,
    AttributeType::kMessageIntegrity,
    AttributeType::kErrorCode,
    AttributeType::kUnknownAttributes,
    AttributeType::kChannelNumber,
    AttributeType::kLifetime,
    AttributeType::kXorPeerAddress,
    AttributeType::kRealm,
    AttributeType::kNonce,
    AttributeType::kXorRelayedAddress,
    AttributeType::kRequestedAddressFamily,
    AttributeType::kXorMappedAddress,
    AttributeType::kMessageIntegritySha256,
    AttributeType::kReservationToken,
    AttributeType::kPasswordAlgorithm,
};

/// Writes each intent without what authenticates it.
struct Encode {
  const TransactionId& id;

  Builder operator()(const AllocateIntent& allocate) const {
    Builder request(Class::kRequest, Method::kAllocate, id);
    request.AddU8(AttributeType::kRequestedTransport, kProtocolUdp);
    // Without it the server allocates IPv4, and old servers know nothing else (RFC 8656 7.1).
    if (allocate.family == IpFamily::kIpv6) {
      request.AddU8(AttributeType::kRequestedAddressFamily, stun::kFamilyIpv6);
    } else if (allocate.both_families) {
      request.AddU8(AttributeType::kAdditionalAddressFamily, stun::kFamilyIpv6)
          .AddU8(AttributeType::kDraftAdditionalAddressFamily, stun::kFamilyIpv6);
    }
    if (allocate.mobile) {
      request.AddFlag(AttributeType::kMobilityTicket);
    }
    return request;
  }

  Builder operator()(const RefreshIntent& refresh) const {
    Builder request(Class::kRequest, Method::kRefresh, id);
    if (refresh.closing) {
      request.AddU32(AttributeType::kLifetime, 0);
    }
    if (!refresh.ticket.empty()) {
      request.Add(AttributeType::kMobilityTicket, refresh.ticket);
    }
    return request;
  }

  Builder operator()(const PermitIntent& permit) const {
    Builder request(Class::kRequest, Method::kCreatePermission, id, /*capacity=*/1024);
    for (const IpAddress& peer : permit.peers) {
      // The port is ignored (RFC 8656 section 10.1).
      request.AddAddress(AttributeType::kXorPeerAddress, {.ip = peer, .port = 0});
    }
    return request;
  }

  Builder operator()(const BindIntent& bind) const {
    Builder request(Class::kRequest, Method::kChannelBind, id);
    request.AddU32(AttributeType::kChannelNumber, std::uint32_t{bind.channel} << 16U)
        .AddAddress(AttributeType::kXorPeerAddress, bind.peer);
    return request;
  }

  Builder operator()(const ProbeIntent& /*probe*/) const {
    return {Class::kRequest, Method::kBinding, id, /*capacity=*/stun::kHeaderSize};
  }
};

struct MethodOf {
  Method operator()(const AllocateIntent& /*intent*/) const { return Method::kAllocate; }

  Method operator()(const RefreshIntent& /*intent*/) const { return Method::kRefresh; }

  Method operator()(const PermitIntent& /*intent*/) const { return Method::kCreatePermission; }

  Method operator()(const BindIntent& /*intent*/) const { return Method::kChannelBind; }

  Method operator()(const ProbeIntent& /*intent*/) const { return Method::kBinding; }
};

/// Over UDP everybody waits for 39.5 s, but not for:
/// - a farewell: it is sent twice at once, and kept for a moment in case the nonce is stale;
/// - an allocation that moves: a fresh one is quicker than to go on asking for the old.
stun::RetransmitPolicy PolicyFor(const Intent& intent, Transport transport) {
  const auto* refresh = std::get_if<RefreshIntent>(&intent);
  if (refresh != nullptr && refresh->closing) {
    return {.max_sends = 1, .final_wait = 2};
  }
  if (transport == Transport::kTcp) {
    return {.initial_rto = kTi, .max_sends = 1, .final_wait = 1};
  }
  return refresh != nullptr && !refresh->ticket.empty()
             ? stun::RetransmitPolicy{.max_sends = 3, .final_wait = 3}
             : stun::RetransmitPolicy{};
}

bool IsClosing(const Intent& intent) {
  const auto* refresh = std::get_if<RefreshIntent>(&intent);
  return refresh != nullptr && refresh->closing;
}

}  // namespace

Requests::Requests(RandomSource& random, Transport transport, std::string username,
                   SecretString password)
    : random_(random),
      transport_(transport),
      credentials_(std::move(username), std::move(password)) {}

void Requests::Start(TimePoint now, Intent intent) {
  Send(now, std::move(intent), /*stale_in_a_row=*/0);
}

void Requests::Send(TimePoint now, Intent intent, std::uint32_t stale_in_a_row) {
  const TransactionId id = stun::NewTransactionId(random_);
  Builder builder = std::visit(Encode{.id = id}, intent);
  const bool authenticated = credentials_.ready() && !std::holds_alternative<ProbeIntent>(intent);
  if (authenticated) {
    credentials_.Seal(builder);
  }

  const bool twice = IsClosing(intent) && transport_ == Transport::kUdp;
  const stun::RetransmitPolicy policy = PolicyFor(intent, transport_);
  Pending& request = pending_.emplace_back(Pending{.id = id,
                                                   .intent = std::move(intent),
                                                   .bytes = builder.Take(),
                                                   .timer = stun::Transaction(now, policy),
                                                   .authenticated = authenticated,
                                                   .stale_in_a_row = stale_in_a_row});
  if (request.timer.HandleTimeout(now) == stun::Transaction::Action::kSend) {
    outbox_.push_back(request.bytes);
  }
  if (twice) {
    outbox_.push_back(request.bytes);
  }
}

bool Requests::Knows(const TransactionId& id) const {
  return std::ranges::find(pending_, id, &Pending::id) != pending_.end();
}

std::optional<Outcome> Requests::HandleResponse(TimePoint now, const stun::MessageView& response) {
  const auto request = std::ranges::find(pending_, response.transaction_id(), &Pending::id);
  if (request == pending_.end() || response.method() != std::visit(MethodOf{}, request->intent)) {
    return std::nullopt;
  }
  if (response.message_class() == Class::kError) {
    return HandleError(now, request, response);
  }
  if (response.message_class() != Class::kSuccess ||
      (request->authenticated && !credentials_.Verify(response))) {
    return std::nullopt;
  }
  // RFC 8489 section 6.3.3: the transaction has failed.
  if (!stun::UnknownRequired(response, kKnown).empty()) {
    return Finish(request, Outcome::Kind::kRefused, ErrorCode::kUnknownAttribute);
  }
  return Finish(request, Outcome::Kind::kSuccess);
}

std::optional<Outcome> Requests::HandleError(TimePoint now, Iterator request,
                                             const stun::MessageView& response) {
  const auto error = stun::FindError(response);
  if (!error) {
    return std::nullopt;
  }
  log::Debug("turn: {} refused: {} {}", stun::ToString(response.method()),
             static_cast<std::uint16_t>(error->code), stun::ToString(error->code));

  // These two cannot be authenticated: they say that the server could not authenticate us.
  const bool challenge = error->code == ErrorCode::kUnauthenticated && !request->authenticated;
  const bool stale = error->code == ErrorCode::kStaleNonce && request->authenticated;
  const bool wrong = error->code == ErrorCode::kUnauthenticated && request->authenticated;
  if (wrong || (stale && request->stale_in_a_row >= kMaxStaleInARow)) {
    return Finish(request, Outcome::Kind::kRefused, error->code);
  }
  if (challenge || stale) {
    if (credentials_.Learn(response)) {
      const std::uint32_t stale_in_a_row = request->stale_in_a_row + (stale ? 1 : 0);
      Intent intent = Finish(request, Outcome::Kind::kRefused).intent;
      Send(now, std::move(intent), stale_in_a_row);
    }
    return std::nullopt;
  }

  if (request->authenticated && !credentials_.Verify(response)) {
    return std::nullopt;
  }
  return Finish(request, Outcome::Kind::kRefused, error->code);
}

Outcome Requests::Finish(Iterator request, Outcome::Kind kind, ErrorCode code) {
  Outcome outcome{.kind = kind, .intent = std::move(request->intent), .code = code};
  pending_.erase(request);
  return outcome;
}

std::optional<Outcome> Requests::HandleTimeout(TimePoint now) {
  for (auto request = pending_.begin(); request != pending_.end(); ++request) {
    switch (request->timer.HandleTimeout(now)) {
      case stun::Transaction::Action::kNone:
        break;
      case stun::Transaction::Action::kSend:
        outbox_.push_back(request->bytes);
        break;
      case stun::Transaction::Action::kTimedOut:
        return Finish(request, Outcome::Kind::kTimedOut);
    }
  }
  return std::nullopt;
}

std::vector<Intent> Requests::TakeAll() {
  std::vector<Intent> intents;
  for (Pending& request : pending_) {
    intents.push_back(std::move(request.intent));
  }
  pending_.clear();
  return intents;
}

void Requests::CancelRefresh() {
  std::erase_if(pending_, [](const Pending& request) {
    return std::holds_alternative<RefreshIntent>(request.intent);
  });
}

std::optional<std::vector<std::uint8_t>> Requests::PollTransmit() {
  if (outbox_.empty()) {
    return std::nullopt;
  }
  std::vector<std::uint8_t> bytes = std::move(outbox_.front());
  outbox_.pop_front();
  return bytes;
}

std::optional<TimePoint> Requests::NextTimeout() const {
  std::optional<TimePoint> next;
  for (const Pending& request : pending_) {
    const auto deadline = request.timer.NextTimeout();
    if (deadline && (!next || *deadline < *next)) {
      next = deadline;
    }
  }
  return next;
}

}  // namespace floe::ice::turn
