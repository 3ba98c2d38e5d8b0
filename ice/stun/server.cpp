#include "ice/stun/server.h"

#include <array>

#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "ice/stun/integrity.h"

namespace floe::ice::stun {
namespace {

// A public server asks nobody who he is, so that who says it anyway is served as well. RFC 5780's
// CHANGE-REQUEST is not among them: without a second address it cannot be done, and 420 says so.
constexpr std::array kKnown = {
    AttributeType::kMappedAddress,
    AttributeType::kUsername,
    AttributeType::kMessageIntegrity,
    AttributeType::kRealm,
    AttributeType::kNonce,
    AttributeType::kMessageIntegritySha256,
    AttributeType::kPasswordAlgorithm,
    AttributeType::kUserhash,
    AttributeType::kXorMappedAddress,
};

}  // namespace

std::optional<std::vector<std::uint8_t>> AnswerBinding(const MessageView& request,
                                                       const SocketAddress& source) {
  if (request.message_class() != Class::kRequest || request.method() != Method::kBinding) {
    return std::nullopt;
  }
  const bool has_fingerprint = request.Find(AttributeType::kFingerprint).has_value();
  if (has_fingerprint && !VerifyFingerprint(request)) {
    return std::nullopt;
  }

  const auto unknown = UnknownRequired(request, kKnown);
  Builder response(unknown.empty() ? Class::kSuccess : Class::kError, Method::kBinding,
                   request.transaction_id(), /*capacity=*/96);
  if (unknown.empty()) {
    response.AddAddress(AttributeType::kXorMappedAddress, source.Unmapped());
  } else {
    response.AddErrorCode(ErrorCode::kUnknownAttribute).AddUnknownAttributes(unknown);
  }
  if (has_fingerprint) {
    response.AddFingerprint();
  }
  return response.Take();
}

}  // namespace floe::ice::stun
