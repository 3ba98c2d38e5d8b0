#include "tunnel/identity.h"

#include <string_view>
#include <utility>

namespace floe::tunnel {
namespace {

// Label-Mac1, section 5.4.
constexpr std::string_view kLabelMac1 = "mac1----";

Hash Mac1KeyOf(const PublicKey& key) {
  return Blake2s({AsBytes(kLabelMac1), key.bytes});
}

}  // namespace

LocalIdentity::LocalIdentity(PrivateKey key)
    : private_key_(std::move(key)),
      public_key_(DerivePublicKey(private_key_)),
      mac1_key_(Mac1KeyOf(public_key_)) {}

std::optional<RemoteIdentity> RemoteIdentity::Make(const LocalIdentity& local, const PublicKey& key,
                                                   PresharedKey preshared_key) {
  if (key == local.public_key()) {
    return std::nullopt;
  }
  auto static_static = DiffieHellman(local.private_key(), key);
  if (!static_static) {
    return std::nullopt;
  }
  return RemoteIdentity(key, std::move(preshared_key), std::move(*static_static));
}

RemoteIdentity::RemoteIdentity(const PublicKey& key, PresharedKey preshared_key,
                               SharedSecret static_static)
    : public_key_(key),
      preshared_key_(std::move(preshared_key)),
      static_static_(std::move(static_static)),
      mac1_key_(Mac1KeyOf(key)) {}

}  // namespace floe::tunnel
