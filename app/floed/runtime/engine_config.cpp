#include "app/floed/runtime/engine_config.h"

#include <utility>

#include "app/floed/runtime/cipher_choice.h"

namespace floe::daemon {
namespace {

engine::PathPolicy ToPolicy(const config::PathsConfig& paths) {
  if (paths.relay_only()) {
    return engine::PathPolicy::kRelayOnly;
  }
  return paths.prefer == config::PathPreference::kDirectOnly ? engine::PathPolicy::kDirectOnly
                                                             : engine::PathPolicy::kAll;
}

}  // namespace

engine::PeerConfig ToEnginePeer(const config::PeerConfig& peer) {
  engine::PeerConfig result{.name = peer.name,
                            .key = peer.public_key,
                            .allowed_ips = peer.allowed_ips,
                            .persistent_keepalive = peer.persistent_keepalive,
                            .is_static = peer.is_plain};
  if (peer.preshared_key) {
    result.preshared_key = peer.preshared_key->Clone();
  }
  return result;
}

std::vector<IpAddress> ToEngineAddresses(const config::Config& config) {
  std::vector<IpAddress> addresses;
  for (const config::InterfaceAddress& address : config.node.addresses) {
    addresses.push_back(address.ip);
  }
  return addresses;
}

engine::EngineConfig ToEngineConfig(const config::Config& config) {
  engine::EngineConfig result{
      .name = config.node.name,
      .private_key = config.node.private_key.Clone(),
      .addresses = ToEngineAddresses(config),
      .policy = ToPolicy(config.paths),
      .tell_public_only = config.paths.privacy == config::Privacy::kDefaultRoute,
      .port_prediction = config.paths.port_prediction,
      .pcp = config.paths.pcp,
      .nat_pmp = config.paths.nat_pmp,
      .mtu = config.tun.mtu,
      .cipher = &ChooseCipher(config.tunnel.crypto),
      .packet_path = true};
  for (const config::RendezvousUrl& url : config.rendezvous) {
    result.rendezvous.push_back(url.url);
  }
  for (const config::PeerConfig& peer : config.peers) {
    result.peers.push_back(ToEnginePeer(peer));
  }
  return result;
}

}  // namespace floe::daemon
