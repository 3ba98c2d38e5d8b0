#include "ice/turn/integrity_key.h"

#include <algorithm>
#include <cstddef>

#include "ice/stun/hmac.h"
#include "ice/stun/integrity.h"

namespace floe::ice::turn {

bool ListsSha256(Bytes algorithms) {
  // Each entry: the algorithm in 2 bytes, the length of its parameters in 2, the parameters padded
  // to a multiple of 4.
  while (algorithms.size() >= 4) {
    const PasswordAlgorithm algorithm{LoadBe<std::uint16_t>(algorithms, 0)};
    if (algorithm == PasswordAlgorithm::kSha256) {
      return true;
    }
    const std::size_t parameters = LoadBe<std::uint16_t>(algorithms, 2);
    const std::size_t entry = 4 + ((parameters + 3) & ~std::size_t{3});
    algorithms = algorithms.subspan(std::min(entry, algorithms.size()));
  }
  return false;
}

IntegrityKey::IntegrityKey(PasswordAlgorithm algorithm, std::string_view username,
                           std::string_view realm, std::string_view password)
    : algorithm_(algorithm) {
  if (algorithm == PasswordAlgorithm::kSha256) {
    key_ = stun::LongTermKeySha256(username, realm, password);
  } else {
    std::ranges::copy(stun::LongTermKey(username, realm, password).bytes(), key_.data());
  }
}

IntegrityKey IntegrityKey::Clone() const {
  IntegrityKey copy;
  copy.algorithm_ = algorithm_;
  copy.key_ = key_.Clone();
  return copy;
}

void IntegrityKey::Seal(stun::Builder& builder) const {
  if (algorithm_ == PasswordAlgorithm::kSha256) {
    builder.AddIntegritySha256(bytes());
  } else {
    builder.AddIntegrity(bytes());
  }
}

bool IntegrityKey::Verify(const stun::MessageView& message) const {
  return algorithm_ == PasswordAlgorithm::kSha256 ? stun::VerifyIntegritySha256(message, bytes())
                                                  : stun::VerifyIntegrity(message, bytes());
}

Bytes IntegrityKey::bytes() const {
  return key_.bytes().first(algorithm_ == PasswordAlgorithm::kSha256 ? 32 : 16);
}

}  // namespace floe::ice::turn
