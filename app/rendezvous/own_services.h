// What a rendezvous server tells its nodes of the STUN and TURN service beside it.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/key.h"
#include "base/secret.h"
#include "base/socket_address.h"
#include "signaling/hub.h"

namespace floe::rendezvous {

inline constexpr std::uint16_t kStunPort = 3478;  // RFC 8489 section 18.6

/// Since 1970.
[[nodiscard]] std::chrono::seconds UnixTime();

/// Tells nodes of the STUN and TURN service of this process, with credentials that expire.
class OwnServices final : public signaling::WelcomeSource {
 public:
  OwnServices(std::vector<IpAddress> addresses, SecretString secret);

  [[nodiscard]] std::vector<std::string> StunUrls() override;
  [[nodiscard]] std::vector<signaling::TurnCredentials> MakeTurn(const PublicKey& node) override;

 private:
  std::vector<IpAddress> addresses_;
  SecretString secret_;
};

}  // namespace floe::rendezvous
