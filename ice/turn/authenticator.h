// Who may use a TURN server: long-term credentials, fixed or made from a shared secret.
//
// Source: RFC 8489 section 9.2.4; draft-uberti-behave-turn-rest-00 ("TURN REST") for credentials
// that expire: username = seconds since 1970 ":" name, password = base64(HMAC-SHA1(secret,
// username)). Nothing is kept for a client that has not proved itself: a nonce is the time and a
// MAC over the time and the client's address.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/secret.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/stun/builder.h"
#include "ice/stun/message.h"
#include "ice/turn/integrity_key.h"

namespace floe::ice::turn {

struct StaticUser {
  std::string name;
  SecretString password;
};

struct AuthConfig {
  std::string realm;
  SecretString shared_secret;  // Of TURN REST; empty: the users below alone.
  std::vector<StaticUser> users;
  Duration nonce_lifetime = std::chrono::hours(1);  // At most 68 years.
  /// Seconds since 1970 at TimePoint{}: what turns `now` into the time that credentials expire by.
  std::chrono::seconds epoch_offset{0};
  /// Also offer SHA-256 (RFC 8489 section 9.2). Makes every challenge 29 bytes longer.
  bool offer_sha256 = false;
};

/// The username of a TURN REST credential that is good until `expiry` (since 1970).
[[nodiscard]] std::string RestUsername(std::chrono::seconds expiry, std::string_view name);

/// The password that belongs to it.
[[nodiscard]] SecretString RestPassword(const SecretString& shared_secret,
                                        std::string_view username);

/// A client that has proved itself.
struct Identity {
  std::string username;  // As sent.
  std::string user;      // Whom quotas are for: without the expiry.
  IntegrityKey key;      // What answers are sealed with.
};

class Authenticator {
 public:
  Authenticator(AuthConfig config, RandomSource& random);

  /// Whose request this is, or the error to answer with: 400, 401 or 438. A REST username that has
  /// expired is accepted if it is `known_username`, that of an allocation which lives.
  [[nodiscard]] Result<Identity, stun::ErrorCode> Check(TimePoint now,
                                                        const stun::MessageView& request,
                                                        const SocketAddress& client,
                                                        std::string_view known_username) const;

  /// Adds what a 401 or 438 response has to say: REALM and a fresh NONCE for this client.
  void AddChallenge(stun::Builder& response, TimePoint now, const SocketAddress& client) const;

 private:
  [[nodiscard]] std::string MakeNonce(TimePoint now, const SocketAddress& client) const;
  [[nodiscard]] bool IsFresh(std::string_view nonce, TimePoint now,
                             const SocketAddress& client) const;
  /// What a nonce ends in: time and MAC in base64.
  [[nodiscard]] std::string NonceOf(std::uint32_t issued, const SocketAddress& client) const;
  [[nodiscard]] std::optional<SecretString> PasswordOf(TimePoint now, std::string_view username,
                                                       std::string_view known_username) const;

  AuthConfig config_;
  Secret<32> nonce_key_;
};

}  // namespace floe::ice::turn
