#include "ice/turn/authenticator.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <sodium.h>
#include <utility>

#include "base/base64.h"
#include "ice/stun/attributes.h"
#include "ice/stun/hmac.h"

namespace floe::ice::turn {
namespace {

using std::chrono::duration_cast;
using std::chrono::seconds;
using stun::AttributeType;
using stun::ErrorCode;

constexpr std::size_t kMaxUsernameSize = 508;  // bytes, RFC 8489 section 14.3
constexpr std::size_t kNonceTimeSize = 4;      // bytes
constexpr std::size_t kNonceMacSize = 8;       // bytes
constexpr std::size_t kNonceSize = 16;         // characters: 12 bytes in base64
// The 24 flags that follow the cookie, in base64: "password algorithms" is the leftmost bit.
constexpr std::string_view kFlags = "gAAA";

std::uint32_t SecondsOf(TimePoint now) {
  return static_cast<std::uint32_t>(duration_cast<seconds>(now.time_since_epoch()).count());
}

/// The two halves of a REST username. Nothing if it does not begin with a number.
struct RestName {
  seconds expiry;
  std::string_view name;
};

std::optional<RestName> ParseRestName(std::string_view username) {
  std::int64_t expiry = 0;
  const char* end = username.data() + username.size();
  const auto [stop, error] = std::from_chars(username.data(), end, expiry);
  if (error != std::errc{} || expiry < 0 || (stop != end && *stop != ':')) {
    return std::nullopt;
  }
  const auto digits = static_cast<std::size_t>(stop - username.data());
  return RestName{.expiry = seconds(expiry),
                  .name = username.substr(std::min(digits + 1, username.size()))};
}

/// What the request says about its hash. Nothing if it contradicts itself or what we offered.
std::optional<PasswordAlgorithm> AlgorithmOf(const stun::MessageView& request, bool offer_sha256) {
  const auto offered = request.Find(AttributeType::kPasswordAlgorithms);
  const auto chosen = request.Find(AttributeType::kPasswordAlgorithm);
  const bool sealed_with_sha256 = request.Find(AttributeType::kMessageIntegritySha256).has_value();
  if (!offered && !chosen && !sealed_with_sha256) {
    return PasswordAlgorithm::kMd5;
  }
  // RFC 8489 section 9.2.4: both or neither, and the list is the one we sent.
  if (!offer_sha256 || !sealed_with_sha256 ||
      stun::FindU32(request, AttributeType::kPasswordAlgorithms) != kSha256Value ||
      stun::FindU32(request, AttributeType::kPasswordAlgorithm) != kSha256Value) {
    return std::nullopt;
  }
  return PasswordAlgorithm::kSha256;
}

}  // namespace

std::string RestUsername(seconds expiry, std::string_view name) {
  return std::to_string(expiry.count()) + ':' + std::string(name);
}

SecretString RestPassword(const SecretString& shared_secret, std::string_view username) {
  return SecretString(
      EncodeBase64(stun::HmacSha1(AsBytes(shared_secret.text()), {AsBytes(username)})));
}

Authenticator::Authenticator(AuthConfig config, RandomSource& random) : config_(std::move(config)) {
  random.Fill(nonce_key_.mutable_bytes());
}

Result<Identity, ErrorCode> Authenticator::Check(TimePoint now, const stun::MessageView& request,
                                                 const SocketAddress& client,
                                                 std::string_view known_username) const {
  if (!request.Find(AttributeType::kMessageIntegrity) &&
      !request.Find(AttributeType::kMessageIntegritySha256)) {
    return Fail(ErrorCode::kUnauthenticated);
  }
  const auto username = stun::FindText(request, AttributeType::kUsername);
  const auto realm = stun::FindText(request, AttributeType::kRealm);
  const auto nonce = stun::FindText(request, AttributeType::kNonce);
  const auto algorithm = AlgorithmOf(request, config_.offer_sha256);
  if (!username || username->size() > kMaxUsernameSize || !realm || !nonce || !algorithm) {
    return Fail(ErrorCode::kBadRequest);
  }
  if (!IsFresh(*nonce, now, client)) {
    return Fail(ErrorCode::kStaleNonce);
  }
  const auto password = PasswordOf(now, *username, known_username);
  if (*realm != config_.realm || !password) {
    return Fail(ErrorCode::kUnauthenticated);
  }
  IntegrityKey key(*algorithm, *username, config_.realm, password->text());
  if (!key.Verify(request)) {
    return Fail(ErrorCode::kUnauthenticated);
  }
  const auto rest = ParseRestName(*username);
  const std::string_view user = rest && !rest->name.empty() ? rest->name : *username;
  return Identity{
      .username = std::string(*username), .user = std::string(user), .key = std::move(key)};
}

void Authenticator::AddChallenge(stun::Builder& response, TimePoint now,
                                 const SocketAddress& client) const {
  response.AddText(AttributeType::kRealm, config_.realm)
      .AddText(AttributeType::kNonce, MakeNonce(now, client));
  if (config_.offer_sha256) {
    response.AddU32(AttributeType::kPasswordAlgorithms, kSha256Value);
  }
}

std::string Authenticator::MakeNonce(TimePoint now, const SocketAddress& client) const {
  const std::string nonce = NonceOf(SecondsOf(now), client);
  return config_.offer_sha256 ? std::string(kNonceCookie).append(kFlags).append(nonce) : nonce;
}

bool Authenticator::IsFresh(std::string_view nonce, TimePoint now,
                            const SocketAddress& client) const {
  const std::size_t prefix = config_.offer_sha256 ? kNonceCookie.size() + kFlags.size() : 0;
  if (nonce.size() != prefix + kNonceSize) {
    return false;
  }
  const auto bytes = DecodeBase64(nonce.substr(prefix));
  if (!bytes || bytes->size() != kNonceTimeSize + kNonceMacSize) {
    return false;
  }
  const auto issued = LoadBe<std::uint32_t>(*bytes, 0);
  const std::string expected = NonceOf(issued, client);
  if (sodium_memcmp(nonce.data() + prefix, expected.data(), kNonceSize) != 0) {
    return false;
  }
  // The clock of a nonce wraps around after 136 years; the difference does not mind.
  return seconds(SecondsOf(now) - issued) <= config_.nonce_lifetime;
}

std::string Authenticator::NonceOf(std::uint32_t issued, const SocketAddress& client) const {
  std::array<std::uint8_t, kNonceTimeSize + kNonceMacSize> nonce{};
  StoreBe(MutableBytes(nonce), 0, issued);
  std::array<std::uint8_t, 2> port{};
  StoreBe(MutableBytes(port), 0, client.port);
  const auto mac = stun::HmacSha256(nonce_key_.bytes(),
                                    {Bytes(nonce).first(kNonceTimeSize), client.ip.octets(), port});
  std::copy_n(mac.begin(), kNonceMacSize, nonce.begin() + kNonceTimeSize);
  return EncodeBase64(nonce);
}

std::optional<SecretString> Authenticator::PasswordOf(TimePoint now, std::string_view username,
                                                      std::string_view known_username) const {
  for (const StaticUser& user : config_.users) {
    if (user.name == username) {
      return user.password.Clone();
    }
  }
  const auto rest = ParseRestName(username);
  if (config_.shared_secret.empty() || !rest) {
    return std::nullopt;
  }
  const auto wall = duration_cast<seconds>(now.time_since_epoch()) + config_.epoch_offset;
  if (rest->expiry <= wall && username != known_username) {
    return std::nullopt;
  }
  return RestPassword(config_.shared_secret, username);
}

}  // namespace floe::ice::turn
