#include "app/floed/runtime/reload_plan.h"

#include <algorithm>
#include <unordered_map>

namespace floe::daemon {
namespace {

using Places = std::vector<std::optional<std::size_t>>;

bool SameText(const std::optional<SecretString>& a, const std::optional<SecretString>& b) {
  return a.has_value() == b.has_value() && (!a || a->text() == b->text());
}

bool SameRelay(const config::RelayConfig& a, const config::RelayConfig& b) {
  return std::ranges::equal(a.urls, b.urls, {}, &config::RelayUrl::text, &config::RelayUrl::text) &&
         a.username == b.username && SameText(a.password, b.password) &&
         SameText(a.shared_secret, b.shared_secret);
}

bool SamePeer(const config::PeerConfig& a, const config::PeerConfig& b) {
  return a.name == b.name && a.preshared_key == b.preshared_key && a.allowed_ips == b.allowed_ips &&
         a.is_plain == b.is_plain && a.endpoint == b.endpoint &&
         a.persistent_keepalive == b.persistent_keepalive;
}

/// Those of `count` that none of `places` names.
std::vector<std::size_t> Unnamed(const Places& places, std::size_t count) {
  std::vector<bool> named(count);
  for (const auto& place : places) {
    if (place) {
      named[*place] = true;
    }
  }
  std::vector<std::size_t> rest;
  for (std::size_t i = 0; i < count; ++i) {
    if (!named[i]) {
      rest.push_back(i);
    }
  }
  return rest;
}

void PlanPeers(const config::Config& before, const config::Config& after, ReloadPlan& plan) {
  std::unordered_map<PublicKey, std::size_t, PublicKeyHash> by_key;
  for (std::size_t i = 0; i < before.peers.size(); ++i) {
    by_key.emplace(before.peers[i].public_key, i);
  }
  for (std::size_t i = 0; i < after.peers.size(); ++i) {
    const auto found = by_key.find(after.peers[i].public_key);
    if (found == by_key.end()) {
      plan.peers.emplace_back(std::nullopt);
      plan.added.push_back(i);
      continue;
    }
    plan.peers.emplace_back(found->second);
    if (!SamePeer(before.peers[found->second], after.peers[i])) {
      plan.changed.push_back(i);
    }
  }
  plan.removed = Unnamed(plan.peers, before.peers.size());
}

void PlanRendezvous(const config::Config& before, const config::Config& after, ReloadPlan& plan) {
  for (const config::RendezvousUrl& url : after.rendezvous) {
    std::optional<std::size_t> place;
    for (std::size_t i = 0; i < before.rendezvous.size() && !place; ++i) {
      // The same URL may be written twice.
      if (before.rendezvous[i].text == url.text &&
          std::ranges::find(plan.rendezvous, i) == plan.rendezvous.end()) {
        place = i;
      }
    }
    plan.rendezvous.push_back(place);
  }
  plan.removed_rendezvous = Unnamed(plan.rendezvous, before.rendezvous.size());
}

}  // namespace

ReloadPlan MakeReloadPlan(const config::Config& before, const config::Config& after) {
  ReloadPlan plan;
  PlanPeers(before, after, plan);
  PlanRendezvous(before, after, plan);

  const auto fixed = [&plan](bool same, const char* key) {
    if (!same) {
      plan.fixed.emplace_back(key);
    }
  };
  fixed(before.node.private_key == after.node.private_key, "node.private_key_file");
  fixed(before.node.listen_port == after.node.listen_port, "node.listen_port");
  fixed(before.node.fwmark == after.node.fwmark, "node.fwmark");
  fixed(before.paths == after.paths, "[paths]");
  fixed(before.tun == after.tun, "[tun]");
  fixed(before.tunnel == after.tunnel, "[tunnel]");
  fixed(before.control_socket == after.control_socket, "control.socket");

  const auto setting = [&plan](bool same, const char* key) {
    if (!same) {
      plan.settings.emplace_back(key);
    }
    return !same;
  };
  setting(before.node.name == after.node.name, "node.name");
  setting(before.node.addresses == after.node.addresses, "node.addresses");
  setting(std::ranges::equal(before.rendezvous, after.rendezvous, {}, &config::RendezvousUrl::text,
                             &config::RendezvousUrl::text),
          "rendezvous.urls");
  const bool stun = setting(std::ranges::equal(before.stun, after.stun, {}, &config::StunUrl::text,
                                               &config::StunUrl::text),
                            "stun.urls");
  const bool relays =
      setting(std::ranges::equal(before.relays, after.relays, SameRelay), "[[relay]]");
  plan.servers = stun || relays;
  setting(before.allow_overlap == after.allow_overlap, "routing.allow_overlap");
  setting(before.log_level == after.log_level, "log.level");
  return plan;
}

}  // namespace floe::daemon
