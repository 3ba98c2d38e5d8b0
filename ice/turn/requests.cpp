#include "ice/turn/requests.h"

#include <algorithm>
#include <array>
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
    }
    return request;
  }

  Builder operator()(const RefreshIntent& refresh) const {
    Builder request(Class::kRequest, Method::kRefresh, id);
    if (refresh.closing) {
      request.AddU32(AttributeType::kLifetime, 0);
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

bool IsClosing(const Intent& intent) {
  const auto* refresh = std::get_if<RefreshIntent>(&intent);
  return refresh != nullptr && refresh->closing;
}

}  // namespace

Requests::Requests(RandomSource& random, std::string username, SecretString password)
    : random_(random), credentials_(std::move(username), std::move(password)) {}

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

  // Nobody waits for the answer to a farewell: it is sent twice at once, and kept for a moment
  // in case the nonce has gone stale.
  const bool closing = IsClosing(intent);
  const stun::RetransmitPolicy policy =
      closing ? stun::RetransmitPolicy{.max_sends = 1, .final_wait = 2} : stun::RetransmitPolicy{};
  Pending& request = pending_.emplace_back(Pending{.id = id,
                                                   .intent = std::move(intent),
                                                   .bytes = builder.Take(),
                                                   .timer = stun::Transaction(now, policy),
                                                   .authenticated = authenticated,
                                                   .stale_in_a_row = stale_in_a_row});
  if (request.timer.HandleTimeout(now) == stun::Transaction::Action::kSend) {
    outbox_.push_back(request.bytes);
  }
  if (closing) {
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
