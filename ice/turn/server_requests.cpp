// The four requests of a TURN server: Allocate, Refresh, CreatePermission, ChannelBind.
//
// Source: RFC 8656 sections 7.2, 8.2, 10.2 and 12.2. Whoever comes here has been authenticated.

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "ice/turn/channel_data.h"
#include "ice/turn/server.h"

namespace floe::ice::turn {
namespace {

using std::chrono::duration_cast;
using std::chrono::seconds;
using stun::AttributeType;
using stun::ErrorCode;

constexpr std::uint8_t kProtocolUdp = 17;
constexpr std::uint32_t kMaxOpenAttempts = 5;
constexpr std::size_t kMaxPeersPerRequest = 64;

std::uint32_t WholeSeconds(Duration duration) {
  return static_cast<std::uint32_t>(duration_cast<seconds>(duration).count());
}

/// The family REQUESTED-ADDRESS-FAMILY asks for; nothing if there is no such family.
std::optional<IpFamily> RequestedFamily(const stun::MessageView& message) {
  if (!message.Find(AttributeType::kRequestedAddressFamily)) {
    return IpFamily::kIpv4;
  }
  const auto family = stun::FindU8(message, AttributeType::kRequestedAddressFamily);
  if (family == stun::kFamilyIpv4) {
    return IpFamily::kIpv4;
  }
  if (family == stun::kFamilyIpv6) {
    return IpFamily::kIpv6;
  }
  return std::nullopt;
}

/// True if it is to reserve the port behind an even one, or to take one reserved before
/// (RFC 8656 sections 18.5 and 18.8).
bool WantsReservation(const stun::MessageView& message) {
  const auto even_port = message.Find(AttributeType::kEvenPort);
  return message.Find(AttributeType::kReservationToken) ||
         (even_port && (even_port->empty() || (even_port->front() & 0x80U) != 0));
}

/// Every peer the request names; nothing if one of them is malformed, or there are too many.
std::optional<std::vector<SocketAddress>> PeersOf(const stun::MessageView& message) {
  std::vector<SocketAddress> peers;
  for (const stun::AttributeView attribute : message.attributes()) {
    if (attribute.type != AttributeType::kXorPeerAddress) {
      continue;
    }
    const auto peer = stun::ReadXorAddress(attribute.value, message.transaction_id());
    if (!peer || peers.size() == kMaxPeersPerRequest) {
      return std::nullopt;
    }
    peers.push_back(*peer);
  }
  return peers;
}

}  // namespace

void Server::HandleAllocate(const Request& request) {
  if (const Allocation* known = allocations_.Find(request.tuple)) {
    // RFC 8656 section 7.2: a resent request is answered again, a second one is refused.
    const bool resent = known->allocate_id == request.message.transaction_id();
    if (!resent) {
      Refuse(request, ErrorCode::kAllocationMismatch);
    } else if (known->is_open()) {
      AnswerAllocated(*known, known->allocate_id, request.identity.key, request.has_fingerprint);
    }
    return;
  }
  const auto transport = stun::FindU8(request.message, AttributeType::kRequestedTransport);
  if (!transport) {
    Refuse(request, ErrorCode::kBadRequest);
    return;
  }
  if (*transport != kProtocolUdp) {
    Refuse(request, ErrorCode::kUnsupportedTransport);
    return;
  }
  const auto family = RequestedFamily(request.message);
  const auto ip = family ? RelayIp(*family) : std::nullopt;
  if (!ip) {
    Refuse(request, ErrorCode::kAddressFamilyNotSupported);
    return;
  }
  if (allocations_.CountOf(request.identity.user) >= config_.max_allocations_per_user) {
    Refuse(request, ErrorCode::kAllocationQuotaReached);
    return;
  }
  // No port is reserved for later, and 508 is how to say so.
  const Parity parity =
      request.message.Find(AttributeType::kEvenPort) ? Parity::kEven : Parity::kAny;
  const auto port = allocations_.FreePort(*ip, config_.ports, parity, random_);
  if (!port || allocations_.size() >= config_.max_allocations ||
      WantsReservation(request.message)) {
    Refuse(request, ErrorCode::kInsufficientCapacity);
    return;
  }

  const Duration lifetime = LifetimeFor(request);
  Allocation allocation;
  allocation.tuple = request.tuple;
  allocation.username = request.identity.username;
  allocation.user = request.identity.user;
  allocation.relayed = {.ip = *ip, .port = *port};
  allocation.expires = request.now + lifetime;
  allocation.lifetime = lifetime;
  allocation.allocate_id = request.message.transaction_id();
  allocation.pending = PendingAllocate{.id = allocation.allocate_id,
                                       .key = request.identity.key.Clone(),
                                       .has_fingerprint = request.has_fingerprint,
                                       .parity = parity,
                                       .attempts = 1};
  const Allocation& added = allocations_.Add(std::move(allocation));
  actions_.emplace_back(OpenRelay{.address = added.relayed});
}

void Server::HandleRelayOpened(TimePoint /*now*/, const SocketAddress& address) {
  Allocation* allocation = allocations_.FindRelayed(address);
  if (allocation == nullptr || allocation->is_open()) {
    return;  // Gone meanwhile; its CloseRelay is out already.
  }
  const PendingAllocate pending = std::move(*allocation->pending);
  allocation->pending.reset();
  AnswerAllocated(*allocation, pending.id, pending.key, pending.has_fingerprint);
}

void Server::HandleRelayFailed(TimePoint /*now*/, const SocketAddress& address) {
  Allocation* allocation = allocations_.FindRelayed(address);
  if (allocation == nullptr || allocation->is_open()) {
    return;
  }
  PendingAllocate& pending = *allocation->pending;
  const auto port = allocations_.FreePort(address.ip, config_.ports, pending.parity, random_);
  if (port && pending.attempts < kMaxOpenAttempts) {
    ++pending.attempts;
    allocations_.SetRelayed(*allocation, {.ip = address.ip, .port = *port});
    actions_.emplace_back(OpenRelay{.address = allocation->relayed});
    return;
  }
  stun::Builder response(stun::Class::kError, stun::Method::kAllocate, pending.id);
  response.AddErrorCode(ErrorCode::kInsufficientCapacity);
  pending.key.Seal(response);
  if (pending.has_fingerprint) {
    response.AddFingerprint();
  }
  ++stats_.refused;
  Send(allocation->tuple, response.Take());
  log::Debug("turn: no relay socket for {}", ToString(allocation->tuple.client));
  allocations_.Remove(*allocation);
}

void Server::AnswerAllocated(const Allocation& allocation, const stun::TransactionId& id,
                             const IntegrityKey& key, bool has_fingerprint) {
  stun::Builder response(stun::Class::kSuccess, stun::Method::kAllocate, id);
  response.AddAddress(AttributeType::kXorRelayedAddress, allocation.relayed)
      .AddU32(AttributeType::kLifetime, WholeSeconds(allocation.lifetime))
      .AddAddress(AttributeType::kXorMappedAddress, allocation.tuple.client.Unmapped());
  key.Seal(response);
  if (has_fingerprint) {
    response.AddFingerprint();
  }
  Send(allocation.tuple, response.Take());
}

void Server::HandleRefresh(const Request& request, Allocation& allocation) {
  if (request.message.Find(AttributeType::kRequestedAddressFamily) &&
      RequestedFamily(request.message) != allocation.relayed.ip.family) {
    Refuse(request, ErrorCode::kPeerAddressFamilyMismatch);
    return;
  }
  const bool closing = stun::FindU32(request.message, AttributeType::kLifetime) == 0U;
  const Duration lifetime = closing ? Duration::zero() : LifetimeFor(request);

  stun::Builder response(stun::Class::kSuccess, stun::Method::kRefresh,
                         request.message.transaction_id());
  response.AddU32(AttributeType::kLifetime, WholeSeconds(lifetime));
  request.identity.key.Seal(response);
  if (request.has_fingerprint) {
    response.AddFingerprint();
  }
  Send(request.tuple, response.Take());

  if (closing) {
    Remove(allocation);
  } else {
    allocation.lifetime = lifetime;
    allocations_.SetExpiry(allocation, request.now + lifetime);
  }
}

void Server::HandleCreatePermission(const Request& request, Allocation& allocation) {
  const auto peers = PeersOf(request.message);
  if (!peers || peers->empty()) {
    Refuse(request, ErrorCode::kBadRequest);
    return;
  }
  // All or nothing (RFC 8656 section 10.2).
  for (const SocketAddress& peer : *peers) {
    if (const auto objection = Objection(allocation, peer)) {
      Refuse(request, *objection);
      return;
    }
  }
  for (const SocketAddress& peer : *peers) {
    if (!allocation.Permit(request.now, peer.ip, config_.permission_lifetime,
                           config_.max_permissions)) {
      Refuse(request, ErrorCode::kInsufficientCapacity);
      return;
    }
  }
  Succeed(request);
}

void Server::HandleChannelBind(const Request& request, Allocation& allocation) {
  const auto number = stun::FindU32(request.message, AttributeType::kChannelNumber);
  const auto peer = stun::FindXorAddress(request.message, AttributeType::kXorPeerAddress);
  // The number is in the first two bytes; the others are reserved (RFC 8656 section 18.1).
  const auto channel = static_cast<std::uint16_t>(number.value_or(0) >> 16U);
  if (!peer || peer->port == 0 || !IsChannelNumber(channel)) {
    Refuse(request, ErrorCode::kBadRequest);
    return;
  }
  if (const auto objection = Objection(allocation, *peer)) {
    Refuse(request, *objection);
    return;
  }
  if (!allocation.Permit(request.now, peer->ip, config_.permission_lifetime,
                         config_.max_permissions)) {
    Refuse(request, ErrorCode::kInsufficientCapacity);
    return;
  }
  switch (allocation.Bind(request.now, channel, *peer, config_.channel_lifetime,
                          config_.max_channels)) {
    case Allocation::BindResult::kBound:
      Succeed(request);
      return;
    case Allocation::BindResult::kConflict:
      Refuse(request, ErrorCode::kBadRequest);
      return;
    case Allocation::BindResult::kFull:
      Refuse(request, ErrorCode::kInsufficientCapacity);
      return;
  }
}

void Server::Remove(Allocation& allocation) {
  actions_.emplace_back(CloseRelay{.address = allocation.relayed});
  allocations_.Remove(allocation);
}

std::optional<IpAddress> Server::RelayIp(IpFamily family) const {
  const auto ip = std::ranges::find(config_.relay_ips, family, &IpAddress::family);
  return ip == config_.relay_ips.end() ? std::nullopt : std::optional(*ip);
}

// RFC 8656 section 7.2: what the client asks for, but not less than the default nor more than the
// maximum.
Duration Server::LifetimeFor(const Request& request) const {
  const auto wanted = stun::FindU32(request.message, AttributeType::kLifetime);
  const Duration lifetime = wanted ? Duration(seconds(*wanted)) : Duration::zero();
  return std::min(std::max(lifetime, config_.default_lifetime), config_.max_lifetime);
}

std::optional<ErrorCode> Server::Objection(const Allocation& allocation,
                                           const SocketAddress& peer) const {
  if (peer.ip.family != allocation.relayed.ip.family) {
    return ErrorCode::kPeerAddressFamilyMismatch;
  }
  if (IsDenied(peer.ip)) {
    return ErrorCode::kForbidden;
  }
  return std::nullopt;
}

bool Server::IsDenied(const IpAddress& peer) const {
  const bool loopback = peer.is_loopback() && !config_.allow_loopback_peers;
  // An IPv4-mapped address is IPv4 to the kernel: a way around every rule for IPv4.
  return loopback || peer.is_v4_mapped() || peer.is_unspecified() || peer.is_multicast() ||
         peer.is_broadcast() ||
         std::ranges::any_of(config_.denied_peers,
                             [&](const IpPrefix& prefix) { return prefix.Contains(peer); });
}

}  // namespace floe::ice::turn
