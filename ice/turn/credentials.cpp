#include "ice/turn/credentials.h"

#include <optional>
#include <string_view>
#include <utility>

#include "base/base64.h"
#include "ice/stun/attributes.h"
#include "ice/stun/hmac.h"

namespace floe::ice::turn {
namespace {

using stun::AttributeType;

constexpr std::size_t kMaxTextSize = 763;  // bytes of REALM or NONCE, RFC 8489 sections 14.9, 14.10
constexpr std::size_t kMaxAlgorithmsSize = 64;  // bytes; two are defined, of 4 bytes each
constexpr std::size_t kFlagsSize = 4;           // characters: 24 bits in base64

/// True if the nonce has this security feature. The text of RFC 8489 section 18.1 counts the bits
/// from the left, its appendix B.1 and several servers from the right.
bool HasFeature(std::string_view nonce, unsigned bit) {
  if (!nonce.starts_with(kNonceCookie)) {
    return false;
  }
  const auto flags = DecodeBase64(nonce.substr(kNonceCookie.size(), kFlagsSize));
  return flags && flags->size() == 3 &&
         ((flags->front() & (0x80U >> bit)) != 0 || (flags->back() & (1U << bit)) != 0);
}

constexpr unsigned kPasswordAlgorithms = 0;  // They came with the challenge.
constexpr unsigned kUsernameAnonymity = 1;

}  // namespace

Credentials::Credentials(std::string username, SecretString password)
    : username_(std::move(username)), password_(std::move(password)) {}

bool Credentials::Learn(const stun::MessageView& challenge) {
  const auto nonce = stun::FindText(challenge, AttributeType::kNonce);
  const std::string_view realm =
      stun::FindText(challenge, AttributeType::kRealm).value_or(std::string_view(realm_));
  const Bytes algorithms = challenge.Find(AttributeType::kPasswordAlgorithms).value_or(Bytes{});
  if (!nonce || nonce->empty() || nonce->size() > kMaxTextSize || realm.empty() ||
      realm.size() > kMaxTextSize || algorithms.size() > kMaxAlgorithmsSize) {
    return false;
  }
  // RFC 8489 section 9.2.5: without this check, whoever sits in between could choose the hash.
  if (algorithms.empty() && HasFeature(*nonce, kPasswordAlgorithms)) {
    return false;
  }

  const auto algorithm =
      ListsSha256(algorithms) ? PasswordAlgorithm::kSha256 : PasswordAlgorithm::kMd5;
  key_ = IntegrityKey(algorithm, username_, realm, password_.text());
  realm_ = std::string(realm);
  nonce_ = std::string(*nonce);
  hide_username_ = HasFeature(*nonce, kUsernameAnonymity);
  algorithms_.assign(algorithms.begin(), algorithms.end());
  return true;
}

void Credentials::Seal(stun::Builder& builder) const {
  if (hide_username_) {
    builder.Add(AttributeType::kUserhash, stun::UserHash(username_, realm_));
  } else {
    builder.AddText(AttributeType::kUsername, username_);
  }
  builder.AddText(AttributeType::kRealm, realm_).AddText(AttributeType::kNonce, nonce_);
  if (key_.algorithm() == PasswordAlgorithm::kSha256) {
    builder.Add(AttributeType::kPasswordAlgorithms, algorithms_)
        .AddU32(AttributeType::kPasswordAlgorithm, kSha256Value);
  }
  key_.Seal(builder);
}

bool Credentials::Verify(const stun::MessageView& response) const {
  return ready() && key_.Verify(response);
}

}  // namespace floe::ice::turn
