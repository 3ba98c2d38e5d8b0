// Cookies: how a node that has too much to do makes the senders of handshake messages prove that
// they receive at the address they send from.
//
// Source: the WireGuard paper sections 5.3 and 5.4.7. What too much is: handshake_limiter.h.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/key.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "tunnel/blake2s.h"
#include "tunnel/constants.h"
#include "tunnel/messages.h"

namespace floe::tunnel {

using Cookie = Secret<kMacSize>;

/// The side that hands out cookies and looks whether they are used.
class CookieChecker {
 public:
  /// For messages to `own` key. `random` outlives the checker.
  CookieChecker(const PublicKey& own, RandomSource& random);

  /// Whether mac2 of a whole handshake message is made with the cookie of its source.
  [[nodiscard]] bool HasValidMac2(TimePoint now, const SocketAddress& source, Bytes message);

  /// The answer to a whole handshake message, which has passed HasValidMac1: shorter than both.
  [[nodiscard]] std::array<std::uint8_t, cookie_reply::kSize> MakeReply(TimePoint now,
                                                                        const SocketAddress& source,
                                                                        Bytes message);

 private:
  [[nodiscard]] Cookie CookieOf(TimePoint now, const SocketAddress& source);

  RandomSource& random_;
  Hash key_;  // What replies are sealed with. Anybody who knows our public key knows it.
  Secret<kHashSize> secret_;
  std::optional<TimePoint> secret_made_;
};

/// The side that is given a cookie by one peer, and uses it.
class CookieKeeper {
 public:
  /// Fills mac2 of a handshake message to the peer if there is a cookie that is not too old; mac1
  /// is filled already, and kept until the peer's reply.
  void WriteMac2(TimePoint now, MutableBytes message);

  /// False, and nothing changes, unless the reply is `peer`'s to one of the latest messages.
  [[nodiscard]] bool HandleReply(TimePoint now, const PublicKey& peer,
                                 const CookieReplyView& reply);

  /// A handshake is complete, so no reply is waited for.
  void ForgetSent() { sent_ = {}; }

  void Wipe();

 private:
  struct Sent {
    std::uint32_t sender = 0;
    Mac mac1{};
  };

  static constexpr std::size_t kMaxSent = kMaxInitiationsInFlight + 1;  // And a response.

  std::vector<Sent> sent_;  // The latest, oldest first.
  Cookie cookie_;
  std::optional<TimePoint> received_;  // Set: there is a cookie.
};

}  // namespace floe::tunnel
