// What a TURN client proves itself with: a name and a password of its own, a realm and a nonce of
// the server's.  Source: RFC 8489 section 9.2 (the long-term credential mechanism).

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/secret.h"
#include "ice/stun/builder.h"
#include "ice/stun/message.h"
#include "ice/turn/integrity_key.h"

namespace floe::ice::turn {

class Credentials {
 public:
  Credentials(std::string username, SecretString password);

  /// Takes realm and nonce from a 401 or 438 response. False, and nothing changed, if it lacks
  /// them, or if its nonce announces password algorithms that somebody has cut out of it.
  [[nodiscard]] bool Learn(const stun::MessageView& challenge);

  /// True once there is a realm and a nonce.
  [[nodiscard]] bool ready() const { return !nonce_.empty(); }

  /// Adds everything that authenticates a request, integrity included. Requires ready().
  void Seal(stun::Builder& builder) const;

  /// True if the server, or someone else who knows the password, made this response.
  [[nodiscard]] bool Verify(const stun::MessageView& response) const;

 private:
  std::string username_;
  bool hide_username_ = false;  // The server takes USERHASH, RFC 8489 section 9.2.
  SecretString password_;
  std::string realm_;
  std::string nonce_;
  std::vector<std::uint8_t> algorithms_;  // The server's PASSWORD-ALGORITHMS, to be sent back.
  IntegrityKey key_;
};

}  // namespace floe::ice::turn
