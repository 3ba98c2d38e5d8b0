#include "tests/sim/fleet.h"

#include <utility>

namespace floe::sim {
namespace {

constexpr std::chrono::nanoseconds kUnixStart = std::chrono::seconds(1'800'000'000);
constexpr const char* kUser = "floe";
constexpr const char* kPassword = "relay password";

IpAddress InnerAddress(std::size_t node) {
  return IpAddress::V4(10, 71, 0, static_cast<std::uint8_t>(node + 1));
}

std::string NameOf(std::size_t node) {
  return std::string(1, static_cast<char>('a' + node));
}

}  // namespace

Fleet::Fleet(FleetOptions options) : options_(std::move(options)), sim_(options_.seed) {
  for (std::size_t i = 0; i < options_.relays; ++i) {
    Host& host = sim_.AddServer({.name = "relay-" + std::to_string(i)});
    const std::string address = ToString(SocketAddress{host.ip4(), StunTurnNode::kPort});
    welcome_.stun.push_back("stun:" + address);
    welcome_.stun.push_back("stun:" + ToString(SocketAddress{host.ip6(), StunTurnNode::kPort}));
    welcome_.turn.push_back("turn:" + address + "?transport=udp");
    relays_.push_back({.host = &host});
    StartRelay(i);
  }
  welcome_.username = kUser;
  welcome_.password = SecretString(kPassword);
  for (std::size_t i = 0; i < options_.rendezvous; ++i) {
    rendezvous_.push_back(
        {.host = &sim_.AddServer({.name = "rendezvous-" + std::to_string(i),
                                  .delay = options_.rendezvous_gap * static_cast<int>(i)})});
    StartRendezvous(i);
  }
  for (const SiteKind kind : options_.sites) {
    Site& site = sim_.AddSite(
        kind, {.delay = std::chrono::milliseconds(10), .udp_timeout = options_.udp_timeout});
    site.link().SetLoss(options_.loss);
    sites_.push_back(&site);
  }
  for (std::size_t i = 0; i < options_.nodes; ++i) {
    members_.push_back({.key = GeneratePrivateKey(sim_.random()),
                        .host = &sites_[i]->AddHost(NameOf(i)),
                        .site = i});
  }
}

std::vector<Host*> Fleet::servers() const {
  std::vector<Host*> hosts;
  for (const Rendezvous& rendezvous : rendezvous_) {
    hosts.push_back(rendezvous.host);
  }
  for (const Relay& relay : relays_) {
    hosts.push_back(relay.host);
  }
  return hosts;
}

void Fleet::Start(std::size_t node) {
  Member& member = members_[node];
  engine::EngineConfig config{
      .name = NameOf(node), .private_key = member.key.Clone(), .addresses = {InnerAddress(node)}};
  for (const Rendezvous& rendezvous : rendezvous_) {
    config.rendezvous.push_back(
        {.secure = false, .host = ToString(rendezvous.host->ip4()), .port = RendezvousNode::kPort});
  }
  for (std::size_t other = 0; other < members_.size(); ++other) {
    if (other != node) {
      config.peers.push_back({.name = NameOf(other),
                              .key = DerivePublicKey(members_[other].key),
                              .allowed_ips = {{InnerAddress(other), 32}}});
    }
  }
  const auto unix_time = kUnixStart + (sim_.now() - Simulation::kStart);
  member.node =
      std::make_unique<EngineNode>(sim_.now(), unix_time, std::move(config), sim_.random());
  member.host->Attach(*member.node);
}

void Fleet::Kill(std::size_t node) {
  members_[node].host->Detach();
  members_[node].node.reset();
}

void Fleet::Roam(std::size_t node, std::size_t site) {
  members_[node].host->Roam(*sites_[site]);
  members_[node].site = site;
}

void Fleet::StartRendezvous(std::size_t index) {
  Rendezvous& rendezvous = rendezvous_[index];
  rendezvous.node = std::make_unique<RendezvousNode>(welcome_, sim_.random());
  rendezvous.host->Attach(*rendezvous.node);
}

void Fleet::KillRendezvous(std::size_t index) {
  rendezvous_[index].host->Detach();
  rendezvous_[index].node.reset();
}

void Fleet::StartRelay(std::size_t index) {
  Relay& relay = relays_[index];
  ice::turn::ServerConfig config;
  config.auth.realm = "sim";
  config.auth.users.push_back({.name = kUser, .password = SecretString(kPassword)});
  config.relay_ips = {relay.host->ip4(), relay.host->ip6()};
  relay.node = std::make_unique<StunTurnNode>(std::move(config), sim_.random());
  relay.host->Attach(*relay.node);
}

void Fleet::KillRelay(std::size_t index) {
  relays_[index].host->Detach();
  relays_[index].node.reset();
}

bool Fleet::PingUntilAnswered(std::size_t from, std::size_t to, TimePoint deadline,
                              Duration interval) {
  const engine::PeerId peer = PeerOf(from, to);
  const std::uint64_t before = node(from).PongsFrom(peer);
  while (sim_.now() < deadline) {
    node(from).Ping(sim_.now(), peer);
    host(from).Poke();
    if (sim_.RunUntil([&] { return node(from).PongsFrom(peer) > before; }, sim_.now() + interval)) {
      return true;
    }
  }
  return false;
}

std::optional<bool> Fleet::IsDirect(std::size_t a, std::size_t b) {
  if (!runs(a) || !runs(b)) {
    return std::nullopt;
  }
  const auto at_a = node(a).IsDirect(PeerOf(a, b));
  return at_a == node(b).IsDirect(PeerOf(b, a)) ? at_a : std::nullopt;
}

Best Fleet::BestOf(std::size_t a, std::size_t b) const {
  if (members_[a].site == members_[b].site) {
    return Best::kDirect;
  }
  return Oracle(sites_[members_[a].site]->kind(), sites_[members_[b].site]->kind());
}

std::string Fleet::Describe(std::size_t node_index) {
  if (!runs(node_index)) {
    return NameOf(node_index) + ": not running\n";
  }
  engine::Engine& engine = node(node_index).engine();
  std::string text = engine.config().name + " at " + sites_[SiteOf(node_index)]->name() + '\n';
  for (engine::StreamId id = 0; id < rendezvous_.size(); ++id) {
    text +=
        "  rendezvous " + std::to_string(static_cast<int>(engine.rendezvous(id).state())) + '\n';
  }
  for (const ice::Candidate& candidate : engine.gatherer().candidates()) {
    text += "  " + ice::ToLine(candidate) + '\n';
  }
  for (const engine::PeerId peer : engine.peer_ids()) {
    const engine::Link& link = engine.link(peer);
    text += "  peer " + link.config().name + ": session " +
            std::to_string(static_cast<int>(engine.Stats(peer).has_session)) +
            (link.peer_offline() ? ", offline" : "") + (link.path() ? ", path" : ", no path") +
            (link.is_suspect() ? ", suspect" : "") + '\n';
    const ice::Agent* agent = link.agent();
    for (const ice::Pair& pair : agent != nullptr ? agent->pairs() : std::vector<ice::Pair>{}) {
      text += "    " + ToString(pair.local->base) + ' ' + std::string(ToString(pair.local_type)) +
              " -> " + ToString(pair.remote->address) + ' ' +
              std::string(ToString(pair.remote->type)) + ", state " +
              std::to_string(static_cast<int>(pair.state)) + (pair.valid ? ", valid" : "") +
              ", sends " + std::to_string(pair.sends) + '\n';
    }
  }
  return text;
}

}  // namespace floe::sim
