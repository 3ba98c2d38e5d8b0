// The numbers of STUN and TURN: classes, methods, attributes, error codes.
//
// Source: RFC 8489 section 18, RFC 8656 section 18, RFC 8445 section 16.1, RFC 5780 section 7,
// RFC 6062 section 6, RFC 8016 section 4.

#pragma once

#include <cstdint>
#include <string_view>

namespace floe::ice::stun {

enum class Class : std::uint8_t { kRequest = 0, kIndication = 1, kSuccess = 2, kError = 3 };

/// A 12-bit method number. Any value may arrive; the named ones are those floe knows.
enum class Method : std::uint16_t {
  kBinding = 0x001,
  kAllocate = 0x003,
  kRefresh = 0x004,
  kSend = 0x006,
  kData = 0x007,
  kCreatePermission = 0x008,
  kChannelBind = 0x009,
  kConnect = 0x00A,
  kConnectionBind = 0x00B,
  kConnectionAttempt = 0x00C,
};

/// An attribute number. Any value may arrive. Below 0x8000 is comprehension-required.
enum class AttributeType : std::uint16_t {
  kMappedAddress = 0x0001,
  kChangeRequest = 0x0003,
  kUsername = 0x0006,
  kMessageIntegrity = 0x0008,
  kErrorCode = 0x0009,
  kUnknownAttributes = 0x000A,
  kChannelNumber = 0x000C,
  kLifetime = 0x000D,
  kXorPeerAddress = 0x0012,
  kData = 0x0013,
  kRealm = 0x0014,
  kNonce = 0x0015,
  kXorRelayedAddress = 0x0016,
  kRequestedAddressFamily = 0x0017,
  kEvenPort = 0x0018,
  kRequestedTransport = 0x0019,
  kDontFragment = 0x001A,
  kMessageIntegritySha256 = 0x001C,
  kPasswordAlgorithm = 0x001D,
  kUserhash = 0x001E,
  kXorMappedAddress = 0x0020,
  kReservationToken = 0x0022,
  kPriority = 0x0024,
  kUseCandidate = 0x0025,
  kPadding = 0x0026,
  kResponsePort = 0x0027,
  kConnectionId = 0x002A,
  kAdditionalAddressFamily = 0x8000,
  kAddressErrorCode = 0x8001,
  kPasswordAlgorithms = 0x8002,
  kAlternateDomain = 0x8003,
  kIcmp = 0x8004,
  kSoftware = 0x8022,
  kAlternateServer = 0x8023,
  kFingerprint = 0x8028,
  kIceControlled = 0x8029,
  kIceControlling = 0x802A,
  kResponseOrigin = 0x802B,
  kOtherAddress = 0x802C,
  kMobilityTicket = 0x8030,
  kDraftAdditionalAddressFamily = 0x8032,  // draft-ietf-tram-turnbis had it there; coturn still has
  // Ours, and unassigned: bytes that make a check as large as what a path is to be tried with. Of
  // those that need not be understood, so that any agent answers; PADDING (RFC 5780) must be.
  kSizeProbe = 0xC0F1,
  kNomination = 0xC001,  // draft-thatcher-ice-renomination; unassigned, but what others send
};

/// RFC 8489 section 14: a receiver that does not know such an attribute must not go on.
[[nodiscard]] constexpr bool IsComprehensionRequired(AttributeType type) {
  return static_cast<std::uint16_t>(type) < 0x8000;
}

/// A number from 300 to 699. Any value may arrive; the named ones are those floe knows.
enum class ErrorCode : std::uint16_t {
  kTryAlternate = 300,
  kBadRequest = 400,
  kUnauthenticated = 401,
  kForbidden = 403,
  kMobilityForbidden = 405,
  kUnknownAttribute = 420,
  kAllocationMismatch = 437,
  kStaleNonce = 438,
  kAddressFamilyNotSupported = 440,
  kWrongCredentials = 441,
  kUnsupportedTransport = 442,
  kPeerAddressFamilyMismatch = 443,
  kConnectionAlreadyExists = 446,
  kConnectionFailure = 447,
  kAllocationQuotaReached = 486,
  kRoleConflict = 487,
  kServerError = 500,
  kInsufficientCapacity = 508,
};

/// Names for the log, in the specification's words; "unknown ..." for a number without one.
[[nodiscard]] std::string_view ToString(Class message_class);
[[nodiscard]] std::string_view ToString(Method method);
[[nodiscard]] std::string_view ToString(ErrorCode code);

}  // namespace floe::ice::stun
