#include "tunnel/cookie.h"

#include <algorithm>
#include <sodium.h>
#include <string_view>

namespace floe::tunnel {
namespace {

// Label-Cookie, section 5.4.
constexpr std::string_view kLabelCookie = "cookie--";

static_assert(cookie_reply::kCookie - cookie_reply::kNonce ==
              crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);

Hash CookieKeyOf(const PublicKey& key) {
  return Blake2s({AsBytes(kLabelCookie), key.bytes});
}

Bytes Mac1Of(Bytes message) {
  return message.last(2 * kMacSize).first(kMacSize);
}

Mac ComputeMac2(const Cookie& cookie, Bytes message) {
  return Blake2sMac(cookie.bytes(), message.first(message.size() - kMacSize));
}

}  // namespace

CookieChecker::CookieChecker(const PublicKey& own, RandomSource& random)
    : random_(random), key_(CookieKeyOf(own)) {}

bool CookieChecker::HasValidMac2(TimePoint now, const SocketAddress& source, Bytes message) {
  const Bytes mac2 = message.last(kMacSize);
  if (sodium_is_zero(mac2.data(), mac2.size()) != 0) {
    return false;  // Nearly all of a flood: no work for these.
  }
  return sodium_memcmp(ComputeMac2(CookieOf(now, source), message).data(), mac2.data(), kMacSize) ==
         0;
}

std::array<std::uint8_t, cookie_reply::kSize> CookieChecker::MakeReply(TimePoint now,
                                                                       const SocketAddress& source,
                                                                       Bytes message) {
  const Cookie cookie = CookieOf(now, source);
  const Bytes mac1 = Mac1Of(message);
  std::array<std::uint8_t, cookie_reply::kSize> reply{};
  const MutableBytes out = reply;
  WriteMessageType(out, MessageType::kCookieReply);
  // Both messages have their sender at the same place.
  StoreLe(out, cookie_reply::kReceiver, LoadLe<std::uint32_t>(message, initiation::kSender));
  const MutableBytes nonce =
      out.subspan(cookie_reply::kNonce, cookie_reply::kCookie - cookie_reply::kNonce);
  random_.Fill(nonce);
  crypto_aead_xchacha20poly1305_ietf_encrypt(out.subspan(cookie_reply::kCookie).data(), nullptr,
                                             cookie.data(), kMacSize, mac1.data(), mac1.size(),
                                             nullptr, nonce.data(), key_.data());
  return reply;
}

Cookie CookieChecker::CookieOf(TimePoint now, const SocketAddress& source) {
  if (!secret_made_ || now - *secret_made_ >= kCookieLifetime) {
    random_.Fill(secret_.mutable_bytes());
    secret_made_ = now;
  }
  std::array<std::uint8_t, sizeof(source.ip.bytes) + sizeof(source.port)> address{};
  std::ranges::copy(source.ip.bytes, address.begin());
  StoreBe(MutableBytes(address), sizeof(source.ip.bytes), source.port);
  return Cookie(Blake2sMac(secret_.bytes(), address));
}

void CookieKeeper::WriteMac2(TimePoint now, MutableBytes message) {
  Sent sent{.sender = LoadLe<std::uint32_t>(message, initiation::kSender)};
  std::ranges::copy(Mac1Of(message), sent.mac1.begin());
  if (sent_.size() == kMaxSent) {
    sent_.erase(sent_.begin());
  }
  sent_.push_back(sent);
  if (received_ && now - *received_ < kCookieLifetime) {
    std::ranges::copy(ComputeMac2(cookie_, message), message.last(kMacSize).begin());
  }
}

bool CookieKeeper::HandleReply(TimePoint now, const PublicKey& peer, const CookieReplyView& reply) {
  const auto sent = std::ranges::find(sent_, reply.receiver(), &Sent::sender);
  if (sent == sent_.end()) {
    return false;
  }
  Cookie cookie;
  const Bytes sealed = reply.encrypted_cookie();
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          cookie.data(), nullptr, nullptr, sealed.data(), sealed.size(), sent->mac1.data(),
          kMacSize, reply.nonce().data(), CookieKeyOf(peer).data()) != 0) {
    return false;
  }
  sent_.erase(sent);  // One reply for each message: a replay would keep an old cookie alive.
  cookie_ = std::move(cookie);
  received_ = now;
  return true;
}

void CookieKeeper::Wipe() {
  sent_.clear();
  cookie_.Wipe();
  received_.reset();
}

}  // namespace floe::tunnel
