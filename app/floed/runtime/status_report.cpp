#include "app/floed/runtime/status_report.h"

#include <string>

#include "app/floed/runtime/drop_report.h"

namespace floe::daemon {
namespace {

double Milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

control::NatKind ToControl(ice::NatKind kind) {
  switch (kind) {
    case ice::NatKind::kUnknown:
      return control::NatKind::kUnknown;
    case ice::NatKind::kNone:
      return control::NatKind::kNone;
    case ice::NatKind::kEasy:
      return control::NatKind::kEasy;
    case ice::NatKind::kHard:
      return control::NatKind::kHard;
    case ice::NatKind::kBlocked:
      return control::NatKind::kBlocked;
  }
  return control::NatKind::kUnknown;
}

control::PeerState StateOf(const engine::Engine& engine, engine::PeerId peer) {
  const engine::Link& link = engine.link(peer);
  if (!engine.IsWanted(peer)) {
    return control::PeerState::kDown;
  }
  if (engine.IsUp(peer)) {
    return control::PeerState::kUp;
  }
  if (link.peer_offline() && !link.path()) {
    return control::PeerState::kOffline;
  }
  return control::PeerState::kConnecting;
}

/// Says what kept the direct pairs from working, as far as this side can tell.
std::string WhyRelayed(const engine::Engine& engine, const engine::Link& link) {
  const ice::Agent* agent = link.agent();
  std::size_t tried = 0;
  for (const ice::Pair& pair : agent != nullptr ? agent->pairs() : std::vector<ice::Pair>{}) {
    tried += ice::IsDirect(ice::TierOf(pair.local->type, pair.remote->type)) ? 1U : 0U;
  }
  std::string why;
  if (tried == 0) {
    why = "there is no pair of addresses to try directly";
  } else {
    why = "none of the " + std::to_string(tried) + " direct pairs tried has answered";
  }
  if (engine.gatherer().nat() == ice::NatKind::kHard) {
    why += "; the NAT on this side uses another port for each destination";
  } else if (engine.gatherer().nat() == ice::NatKind::kBlocked) {
    why += "; UDP seems to be blocked on this side";
  }
  return why;
}

control::PeerStatus MakePeerStatus(const engine::Engine& engine, std::size_t place,
                                   const ReportContext& context) {
  const config::PeerConfig& configured = context.config.peers[place];
  const engine::PeerId id = context.peers[place];
  const engine::Link& link = engine.link(id);
  const tunnel::PeerStats stats = engine.Stats(id);
  control::PeerStatus peer{.name = configured.name,
                           .public_key = configured.public_key,
                           .state = StateOf(engine, id),
                           .path = MakePathStatus(engine, id, context),
                           .allowed_ips = configured.allowed_ips,
                           .rx_bytes = stats.rx_bytes,
                           .tx_bytes = stats.tx_bytes};
  if (configured.is_plain) {
    peer.endpoint = config::EndpointText(configured);
  }
  if (link.times().path_since) {
    peer.since = context.clock.At(*link.times().path_since);
  }
  if (peer.path.kind == control::PathKind::kRelay) {
    peer.why_relayed = WhyRelayed(engine, link);
  }
  if (stats.latest_handshake) {
    peer.latest_handshake = context.clock.At(*stats.latest_handshake);
  }
  const engine::LinkTimes& times = link.times();
  if (times.started && times.first_path) {
    peer.first_path_ms = Milliseconds(*times.first_path - *times.started);
  }
  if (times.started && times.direct) {
    peer.direct_ms = Milliseconds(*times.direct - *times.started);
  }
  return peer;
}

}  // namespace

control::WallTime WallClock::At(TimePoint time) const {
  return wall + std::chrono::duration_cast<std::chrono::milliseconds>(time - at);
}

/// How the packets leave this machine: by our relay's transport if we use one.
control::PathTransport TransportOf(const engine::Engine& engine, const ice::Path& path) {
  const auto relay = engine.gatherer().RelayTransportOf(path.local);
  if (!relay) {
    return path.local.transport == Transport::kTcp ? control::PathTransport::kTcp
                                                   : control::PathTransport::kUdp;
  }
  switch (*relay) {
    case ice::RelayTransport::kUdp:
      return control::PathTransport::kUdp;
    case ice::RelayTransport::kTcp:
      return control::PathTransport::kTcp;
    case ice::RelayTransport::kTls:
      return control::PathTransport::kTls;
  }
  return control::PathTransport::kUdp;
}

control::PathStatus MakePathStatus(const engine::Engine& engine, engine::PeerId peer,
                                   const ReportContext& context) {
  control::PathStatus status{.mtu = static_cast<std::uint32_t>(engine.room(peer))};
  if (const auto& endpoint = engine.endpoint(peer)) {
    status.kind = engine.IsUp(peer) ? control::PathKind::kDirect : control::PathKind::kNone;
    if (endpoint->local.port != 0) {
      status.local = endpoint->local;
    }
    status.remote = endpoint->remote;
    return status;
  }
  const engine::Link& link = engine.link(peer);
  if (!link.path()) {
    return status;
  }
  const bool direct = ice::IsDirect(link.path()->tier());
  status.kind = direct ? control::PathKind::kDirect : control::PathKind::kRelay;
  status.local_type = link.path()->local_type;
  status.remote_type = link.path()->remote_type;
  status.local = link.path()->local;
  status.remote = link.path()->remote;
  status.transport = TransportOf(engine, *link.path());
  if (link.times().path_since) {
    status.since = context.clock.At(*link.times().path_since);
  }
  const ice::PathMtu& sizes = link.path_mtu();
  if (sizes.state() != ice::PathMtu::State::kOff) {
    status.mtu_probing = {.state = std::string(ToString(sizes.state())),
                          .probes = sizes.counters().probes,
                          .black_holes = sizes.counters().black_holes};
  }
  if (const ice::Pair* pair = link.selected()) {
    status.rtt_ms = Milliseconds(pair->rtt);
    status.loss = pair->loss;
  }
  return status;
}

control::Status MakeStatus(const engine::Engine& engine, const ReportContext& context) {
  using State = signaling::Client::State;
  control::Status status;
  status.node = {.name = context.config.node.name,
                 .public_key = context.config.node.public_key,
                 .listen_port = context.listen_port,
                 .nat = ToControl(engine.gatherer().nat()),
                 .since = context.clock.At(context.started)};
  status.tunnel = {.cipher = std::string(engine.config().cipher->name()),
                   .offloads = context.offloads,
                   .drops = ReportDrops(engine.tunnel_counters(), engine.counters(), context.path),
                   .fragmented = engine.room_counters().fragmented,
                   .clamped_mss = engine.room_counters().clamped_mss,
                   .too_big = context.too_big};
  for (const config::InterfaceAddress& address : context.config.node.addresses) {
    status.node.addresses.push_back(address.ip);
  }
  const ice::Gatherer& gatherer = engine.gatherer();
  if (gatherer.nat_mapping() != ice::NatMapping::kUnknown) {
    status.node.nat_mapping = std::string(ToString(gatherer.nat_mapping()));
  }
  if (gatherer.nat_filtering() != ice::NatFiltering::kUnknown) {
    status.node.nat_filtering = std::string(ToString(gatherer.nat_filtering()));
  }
  for (const engine::PortMapping& mapping : engine.port_mappings()) {
    status.node.port_mappings.push_back(
        {std::string(mapping.protocol), mapping.internal, mapping.external});
  }
  if (engine.config().port_prediction) {
    const engine::PredictionCounters counters = engine.prediction_counters();
    status.node.port_prediction = {
        .attempts = counters.attempts, .probes = counters.probes, .found = counters.found};
  }
  bool any_connected = context.config.rendezvous.empty();
  for (std::size_t place = 0; place < context.rendezvous.size(); ++place) {
    const signaling::Client& client = engine.rendezvous(context.rendezvous[place]);
    control::RendezvousStatus rendezvous{.url = context.config.rendezvous[place].text};
    switch (client.state()) {
      case State::kLoggedIn:
        rendezvous.state = control::ServerState::kConnected;
        any_connected = true;
        break;
      case State::kStopped:
      case State::kWaiting:
        rendezvous.state = control::ServerState::kDisconnected;
        break;
      case State::kConnecting:
      case State::kUpgrading:
      case State::kGreeting:
      case State::kProving:
        rendezvous.state = control::ServerState::kConnecting;
        break;
    }
    if (client.rtt()) {
      rendezvous.rtt_ms = Milliseconds(*client.rtt());
    }
    status.rendezvous.push_back(std::move(rendezvous));
  }
  for (std::size_t place = 0; place < context.peers.size(); ++place) {
    status.peers.push_back(MakePeerStatus(engine, place, context));
  }
  if (!context.key_log.empty()) {
    status.health.push_back("keys are written to " + context.key_log +
                            " (--wg-keylog): who reads it reads what the tunnel carries");
  }
  if (!any_connected) {
    status.health.emplace_back(
        "no rendezvous server is reachable: links that are up go on, lost ones cannot come back");
  }
  return status;
}

}  // namespace floe::daemon
