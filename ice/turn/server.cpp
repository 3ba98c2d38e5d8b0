#include "ice/turn/server.h"

#include <array>
#include <utility>

#include "base/check.h"
#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "ice/stun/integrity.h"
#include "ice/stun/server.h"
#include "ice/turn/channel_data.h"

namespace floe::ice::turn {
namespace {

using stun::AttributeType;
using stun::Class;
using stun::ErrorCode;
using stun::Method;

// Comprehension-required attributes this server acts on. DONT-FRAGMENT is not among them: it is
// refused with 420, as RFC 8656 section 7.2 wants where it cannot be done.
constexpr std::array kKnown = {
    AttributeType::kUsername,
    AttributeType::kMessageIntegrity,
    AttributeType::kRealm,
    AttributeType::kNonce,
    AttributeType::kChannelNumber,
    AttributeType::kLifetime,
    AttributeType::kXorPeerAddress,
    AttributeType::kData,
    AttributeType::kEvenPort,
    AttributeType::kRequestedAddressFamily,
    AttributeType::kRequestedTransport,
    AttributeType::kMessageIntegritySha256,
    AttributeType::kReservationToken,
    AttributeType::kPasswordAlgorithm,
};

constexpr std::size_t kIndicationOverhead = 64;  // bytes: header, address, DATA header, padding
constexpr std::size_t kMaxPayload = 65'000;      // bytes; fits in a datagram with that overhead

}  // namespace

Server::Server(ServerConfig config, RandomSource& random)
    : config_(std::move(config)),
      random_(random),
      authenticator_(std::move(config_.auth), random),
      bindings_(random),
      challenges_(random) {
  FLOE_CHECK(config_.ports.first != 0 && config_.ports.first <= config_.ports.last);
}

void Server::HandleDatagram(TimePoint now, const SocketAddress& client, const SocketAddress& local,
                            Bytes datagram) {
  const FiveTuple tuple{.client = client, .server = local};
  if (LooksLikeChannelData(datagram)) {
    HandleChannelData(now, tuple, datagram);
    return;
  }
  const auto message = stun::MessageView::Parse(datagram);
  if (!message) {
    ++stats_.dropped;
    return;
  }
  if (message->message_class() == Class::kIndication && message->method() == Method::kSend) {
    HandleSend(now, tuple, *message);
    return;
  }
  const bool has_fingerprint = message->Find(AttributeType::kFingerprint).has_value();
  if (message->message_class() != Class::kRequest ||
      (has_fingerprint && !stun::VerifyFingerprint(*message))) {
    ++stats_.dropped;
    return;
  }
  if (message->method() == Method::kBinding) {
    if (!MayAnswer(bindings_, now, client)) {
      return;
    }
    if (auto answer = stun::AnswerBinding(*message, client)) {
      Send(tuple, *std::move(answer));
    }
    return;
  }
  HandleRequest({.now = now,
                 .tuple = tuple,
                 .message = *message,
                 .has_fingerprint = has_fingerprint,
                 .identity = {}});
}

void Server::HandleRequest(Request request) {
  const Method method = request.message.method();
  if (method != Method::kAllocate && method != Method::kRefresh &&
      method != Method::kCreatePermission && method != Method::kChannelBind) {
    ++stats_.dropped;
    return;
  }
  Allocation* allocation = allocations_.Find(request.tuple);
  const std::string known = allocation == nullptr ? std::string() : allocation->username;
  auto identity = authenticator_.Check(request.now, request.message, request.tuple.client, known);
  if (!identity) {
    // Who has an allocation has proved himself before, and may have to learn a new nonce.
    if (allocation != nullptr || MayAnswer(challenges_, request.now, request.tuple.client)) {
      Refuse(request, identity.error());
    }
    return;
  }
  request.identity = *std::move(identity);

  if (const auto unknown = stun::UnknownRequired(request.message, kKnown); !unknown.empty()) {
    Refuse(request, ErrorCode::kUnknownAttribute, unknown);
    return;
  }
  if (method == Method::kAllocate) {
    HandleAllocate(request);
    return;
  }
  if (allocation == nullptr || !allocation->is_open()) {
    Refuse(request, ErrorCode::kAllocationMismatch);
    return;
  }
  // A TURN REST username carries its expiry, so the same user has another with each credential.
  if (request.identity.user != allocation->user) {
    Refuse(request, ErrorCode::kWrongCredentials);
    return;
  }
  if (method == Method::kRefresh) {
    HandleRefresh(request, *allocation);
  } else if (method == Method::kCreatePermission) {
    HandleCreatePermission(request, *allocation);
  } else {
    HandleChannelBind(request, *allocation);
  }
}

// RFC 8656 section 11.2. Indications are not authenticated: what counts is the five-tuple, and
// that an authenticated request has asked for the permission.
void Server::HandleSend(TimePoint now, const FiveTuple& tuple, const stun::MessageView& message) {
  const Allocation* allocation = allocations_.Find(tuple);
  const auto peer = stun::FindXorAddress(message, AttributeType::kXorPeerAddress);
  const auto payload = message.Find(AttributeType::kData);
  if (allocation == nullptr || !allocation->is_open() || !peer || !payload ||
      !allocation->IsPermitted(now, peer->ip) || !stun::UnknownRequired(message, kKnown).empty()) {
    ++stats_.dropped;
    return;
  }
  Relay(now, *allocation, *peer, *payload);
}

void Server::HandleChannelData(TimePoint now, const FiveTuple& tuple, Bytes datagram) {
  const Allocation* allocation = allocations_.Find(tuple);
  const auto message = ParseChannelData(datagram);
  const auto peer =
      allocation != nullptr && message ? allocation->PeerOf(now, message->channel) : std::nullopt;
  if (!peer) {
    ++stats_.dropped;
    return;
  }
  Relay(now, *allocation, *peer, message->payload);
}

void Server::Relay(TimePoint now, const Allocation& from, const SocketAddress& peer,
                   Bytes payload) {
  if (peer.port == 0) {
    ++stats_.dropped;
    return;
  }
  CountRelayed(payload);
  // Two clients of this server who relay to each other need no trip through the kernel.
  if (allocations_.FindRelayed(peer) != nullptr) {
    HandleRelayed(now, peer, from.relayed, payload);
    return;
  }
  transmits_.push_back(
      {.local = from.relayed, .remote = peer, .payload = {payload.begin(), payload.end()}});
}

void Server::HandleRelayed(TimePoint now, const SocketAddress& relayed, const SocketAddress& peer,
                           Bytes datagram) {
  const Allocation* allocation = allocations_.FindRelayed(relayed);
  if (allocation == nullptr || !allocation->is_open() || !allocation->IsPermitted(now, peer.ip) ||
      datagram.size() > kMaxPayload) {
    ++stats_.dropped;
    return;
  }
  CountRelayed(datagram);
  if (const auto channel = allocation->ChannelOf(now, peer)) {
    Send(allocation->tuple, MakeChannelData(*channel, datagram));
    return;
  }
  Send(allocation->tuple,
       stun::Builder(Class::kIndication, Method::kData, stun::NewTransactionId(random_),
                     datagram.size() + kIndicationOverhead)
           .AddAddress(AttributeType::kXorPeerAddress, peer)
           .Add(AttributeType::kData, datagram)
           .Take());
}

void Server::CountRelayed(Bytes payload) {
  ++stats_.relayed_packets;
  stats_.relayed_bytes += payload.size();
}

void Server::HandleTimeout(TimePoint now) {
  while (Allocation* expired = allocations_.FindExpired(now)) {
    Remove(*expired);
  }
}

std::optional<ServerTransmit> Server::PollTransmit() {
  if (transmits_.empty()) {
    return std::nullopt;
  }
  ServerTransmit transmit = std::move(transmits_.front());
  transmits_.pop_front();
  return transmit;
}

std::optional<ServerAction> Server::PollAction() {
  if (actions_.empty()) {
    return std::nullopt;
  }
  const ServerAction action = actions_.front();
  actions_.pop_front();
  return action;
}

void Server::Succeed(const Request& request) {
  stun::Builder response(Class::kSuccess, request.message.method(),
                         request.message.transaction_id());
  request.identity.key.Seal(response);
  if (request.has_fingerprint) {
    response.AddFingerprint();
  }
  Send(request.tuple, response.Take());
}

void Server::Refuse(const Request& request, ErrorCode code,
                    const std::vector<AttributeType>& unknown) {
  ++stats_.refused;
  stun::Builder response(Class::kError, request.message.method(), request.message.transaction_id());
  // No reason phrase: an answer to somebody unknown should not be longer than it must.
  response.AddErrorCode(code);
  if (code == ErrorCode::kUnauthenticated || code == ErrorCode::kStaleNonce) {
    authenticator_.AddChallenge(response, request.now, request.tuple.client);
  }
  if (!unknown.empty()) {
    response.AddUnknownAttributes(unknown);
  }
  if (!request.identity.username.empty()) {
    request.identity.key.Seal(response);
  }
  if (request.has_fingerprint) {
    response.AddFingerprint();
  }
  Send(request.tuple, response.Take());
}

bool Server::MayAnswer(SourceLimit& limit, TimePoint now, const SocketAddress& client) {
  const bool may = limit.Take(now, client.ip);
  stats_.limited += may ? 0U : 1U;
  return may;
}

void Server::Send(const FiveTuple& tuple, std::vector<std::uint8_t> payload) {
  transmits_.push_back(
      {.local = tuple.server, .remote = tuple.client, .payload = std::move(payload)});
}

}  // namespace floe::ice::turn
