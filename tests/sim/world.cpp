#include "tests/sim/world.h"

namespace floe::sim {
namespace {

constexpr std::chrono::nanoseconds kUnixStart = std::chrono::seconds(1'800'000'000);
constexpr const char* kUser = "floe";
constexpr const char* kPassword = "relay password";

engine::PeerConfig MakePeer(const PublicKey& key, std::uint8_t number) {
  return {.name = number == 1 ? "a" : "b",
          .key = key,
          .allowed_ips = {{IpAddress::V4(10, 71, 0, number), 32}}};
}

}  // namespace

World::World(const WorldOptions& options)
    : options_(options),
      sim_(options.seed),
      key_a_(GeneratePrivateKey(sim_.random())),
      key_b_(GeneratePrivateKey(sim_.random())) {
  rendezvous_host_ = &sim_.AddServer({.name = "rendezvous"});
  relay_host_ = &sim_.AddServer({.name = "relay"});
  const std::string relay = ToString(SocketAddress{relay_host_->ip4(), StunTurnNode::kPort});
  const std::string relay6 = ToString(SocketAddress{relay_host_->ip6(), StunTurnNode::kPort});
  welcome_.stun = {"stun:" + relay, "stun:" + relay6};
  if (options.relay) {
    welcome_.turn = {"turn:" + relay + "?transport=udp"};
    welcome_.username = kUser;
    welcome_.password = SecretString(kPassword);
  }
  if (options.second_stun) {
    Host& host = sim_.AddServer({.name = "stun"});
    welcome_.stun.push_back("stun:" + ToString(SocketAddress{host.ip4(), StunTurnNode::kPort}));
    stun_ = std::make_unique<StunTurnNode>(ice::turn::ServerConfig{}, sim_.random());
    host.Attach(*stun_);
  }
  ice::turn::ServerConfig config;
  config.auth.realm = "sim";
  config.auth.users.push_back({.name = kUser, .password = SecretString(kPassword)});
  config.relay_ips = {relay_host_->ip4(), relay_host_->ip6()};
  relay_ = std::make_unique<StunTurnNode>(std::move(config), sim_.random());
  relay_host_->Attach(*relay_);
  StartRendezvous();

  site_a_ =
      &sim_.AddSite(options.a, {.name = "site a", .delay = options.delay, .nat = options.nat_a});
  site_b_ = options.one_lan ? site_a_
                            : &sim_.AddSite(options.b, {.name = "site b", .delay = options.delay});
  for (Site* site : {site_a_, site_b_}) {
    site->link().SetLoss(options.loss);
  }
  host_a_ = &site_a_->AddHost("a");
  host_b_ = &site_b_->AddHost("b");
}

std::unique_ptr<EngineNode> World::MakeNode(const PrivateKey& own, const PublicKey& peer,
                                            std::uint8_t number) {
  engine::EngineConfig config{
      .name = number == 1 ? "a" : "b",
      .private_key = own.Clone(),
      .addresses = {IpAddress::V4(10, 71, 0, number)},
      .port_prediction = number == 1 ? options_.predict_a : options_.predict_b};
  const bool v6_only = (number == 1 ? host_a_ : host_b_)->addresses().front().is_v6();
  const IpAddress server = v6_only ? rendezvous_host_->ip6() : rendezvous_host_->ip4();
  config.rendezvous.push_back(
      {.secure = false, .host = ToString(server), .port = RendezvousNode::kPort});
  config.peers.push_back(MakePeer(peer, number == 1 ? 2 : 1));
  const auto unix_time = kUnixStart + (sim_.now() - Simulation::kStart);
  return std::make_unique<EngineNode>(sim_.now(), unix_time, std::move(config), sim_.random());
}

void World::StartA() {
  a_ = MakeNode(key_a_, DerivePublicKey(key_b_), 1);
  host_a_->Attach(*a_);
}

void World::StartB() {
  b_ = MakeNode(key_b_, DerivePublicKey(key_a_), 2);
  host_b_->Attach(*b_);
}

void World::KillA() {
  host_a_->Detach();
  a_.reset();
}

void World::KillB() {
  host_b_->Detach();
  b_.reset();
}

void World::StartRendezvous() {
  rendezvous_ = std::make_unique<RendezvousNode>(welcome_, sim_.random());
  rendezvous_host_->Attach(*rendezvous_);
}

void World::KillRendezvous() {
  rendezvous_host_->Detach();
  rendezvous_.reset();
}

bool World::Linked(std::optional<bool> direct) const {
  if (!a_ || !b_) {
    return false;
  }
  const auto at_a = a_->IsDirect();
  const auto at_b = b_->IsDirect();
  return at_a && at_b && (!direct || (*at_a == *direct && *at_b == *direct));
}

bool World::PingUntilAnswered(TimePoint deadline, Duration interval) {
  const std::uint64_t before = a_->pongs();
  while (sim_.now() < deadline) {
    a_->Ping(sim_.now());
    host_a_->Poke();
    if (Within(interval, [&] { return a_->pongs() > before; })) {
      return true;
    }
  }
  return false;
}

std::string World::Describe() const {
  std::string text;
  for (EngineNode* node : {a_.get(), b_.get()}) {
    if (node == nullptr) {
      continue;
    }
    engine::Engine& engine = node->engine();
    text += engine.config().name + ": rendezvous " +
            std::to_string(static_cast<int>(engine.rendezvous(0).state())) + ", up " +
            std::to_string(static_cast<int>(engine.IsUp(0))) + ", session " +
            std::to_string(static_cast<int>(engine.Stats(0).has_session)) + ", no_path " +
            std::to_string(engine.counters().no_path) + '\n';
    for (const ice::Candidate& candidate : engine.gatherer().candidates()) {
      text += "  " + ice::ToLine(candidate) + '\n';
    }
    const ice::Agent* agent = engine.link(0).agent();
    for (const ice::Pair& pair : agent != nullptr ? agent->pairs() : std::vector<ice::Pair>{}) {
      text += "  " + ToString(pair.local->base) + ' ' + std::string(ToString(pair.local_type)) +
              " -> " + ToString(pair.remote->address) + ' ' +
              std::string(ToString(pair.remote->type)) + ", state " +
              std::to_string(static_cast<int>(pair.state)) + (pair.valid ? ", valid" : "") +
              ", sends " + std::to_string(pair.sends) + '\n';
    }
  }
  return text;
}

}  // namespace floe::sim
