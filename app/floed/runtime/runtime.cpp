#include "app/floed/runtime/runtime.h"

#include <algorithm>
#include <ctime>
#include <iterator>

#include "app/floed/runtime/engine_config.h"
#include "app/floed/runtime/offload_report.h"
#include "base/log.h"
#include "base/uv/sd_notify.h"

namespace floe::daemon {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

// Asleep for this long, a machine may be on another network, and its NAT has forgotten it.
constexpr nanoseconds kSleptLong = seconds(2);

nanoseconds ReadClock(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

nanoseconds UnixTime() {
  return ReadClock(CLOCK_REALTIME);
}

/// CLOCK_BOOTTIME goes on while the machine sleeps, CLOCK_MONOTONIC does not.
nanoseconds TimeSuspended() {
  return ReadClock(CLOCK_BOOTTIME) - ReadClock(CLOCK_MONOTONIC);
}

}  // namespace

Result<std::unique_ptr<Runtime>> Runtime::Make(config::Config config, ConfigSource source,
                                               std::unique_ptr<KeyLogFile> key_log) {
  auto loop = uv::Loop::Make();
  if (!loop) {
    return floe::Fail(std::move(loop.error()));
  }
  auto runtime = std::make_unique<Runtime>(std::move(config), std::move(source), std::move(key_log),
                                           std::move(*loop));
  if (auto taken = runtime->TakeMachine(); !taken) {
    return floe::Fail(std::move(taken.error()));
  }
  runtime->MakeEngine();
  return runtime;
}

Runtime::Runtime(config::Config config, ConfigSource source, std::unique_ptr<KeyLogFile> key_log,
                 std::unique_ptr<uv::Loop> loop)
    : config_(std::move(config)),
      source_(std::move(source)),
      key_log_(std::move(key_log)),
      loop_(std::move(loop)),
      started_(uv::Loop::Now()) {}

Runtime::~Runtime() = default;

Result<void> Runtime::TakeMachine() {
  auto signals = uv::Signals::Make(*loop_, [this](int signal) { HandleSignal(signal); });
  if (!signals) {
    return floe::Fail(std::move(signals.error()));
  }
  signals_ = std::move(*signals);
  auto control = ControlServer::Listen(*loop_, config_.control_socket.string());
  if (!control) {
    return floe::Fail(std::move(control.error()));
  }
  control_ = std::move(*control);
  auto underlay = Underlay::Open(*loop_, config_, [this] {
    const TimePoint now = uv::Loop::Now();
    TellAddresses(now);
    engine_->HandleNetworkChange(now);
    Flush();
  });
  if (!underlay) {
    return floe::Fail(std::move(underlay.error()));
  }
  underlay_ = std::move(*underlay);
  probe_sockets_ = std::make_unique<ProbeSockets>(
      *loop_, config_.node.fwmark,
      ProbeSockets::Handlers{.on_datagram =
                                 [this](const SocketAddress& local, const SocketAddress& remote,
                                        Bytes datagram, std::uint8_t tos) {
                                   engine_->HandleDatagram(uv::Loop::Now(), local, remote, datagram,
                                                           tos);
                                 },
                             .on_batch = [this] { Flush(); }});
  auto inner = InnerNetwork::Open(config_);
  if (!inner) {
    return floe::Fail(std::move(inner.error()));
  }
  inner_ = std::move(*inner);
  return {};
}

void Runtime::MakeEngine() {
  const TimePoint now = uv::Loop::Now();
  engine::EngineConfig engine_config = ToEngineConfig(config_);
  engine_config.key_log = key_log_.get();
  engine_ = std::make_unique<engine::Engine>(now, UnixTime(), std::move(engine_config), random_);
  timer_ = std::make_unique<uv::Timer>(*loop_, [this] { HandleTimer(); });
  streams_ = std::make_unique<RendezvousStreams>(
      *loop_, config_.node.fwmark,
      RendezvousStreams::Handlers{
          .on_open =
              [this](engine::StreamId id, const std::optional<signaling::ChannelBinding>& binding) {
                engine_->HandleStreamOpened(uv::Loop::Now(), id, binding);
                Flush();
              },
          .on_bytes =
              [this](engine::StreamId id, Bytes bytes) {
                engine_->HandleStreamBytes(uv::Loop::Now(), id, bytes);
                Flush();
              },
          .on_close =
              [this](engine::StreamId id, std::string_view reason) {
                engine_->HandleStreamClosed(uv::Loop::Now(), id, reason);
                Flush();
              }});
  relay_streams_ = std::make_unique<ice::RelayStreams>(
      *loop_, config_.node.fwmark,
      ice::RelayStreams::Handlers{
          .on_open =
              [this](ice::StreamId id, const SocketAddress& local) {
                engine_->HandleRelayStreamOpened(uv::Loop::Now(), id, local);
                Flush();
              },
          .on_bytes =
              [this](ice::StreamId id, Bytes bytes) {
                engine_->HandleRelayStreamBytes(uv::Loop::Now(), id, bytes);
                Flush();
              },
          .on_close =
              [this](ice::StreamId id, std::string_view reason) {
                HandleRelayTrouble(reason);
                engine_->HandleRelayStreamClosed(uv::Loop::Now(), id, reason);
                Flush();
              }});
  tcp_ = std::make_unique<ice::TcpFlows>(
      *loop_,
      ice::TcpFlows::Handlers{
          .on_packet =
              [this](const SocketAddress& local, const SocketAddress& remote, Bytes packet) {
                engine_->HandleDatagram(uv::Loop::Now(), local, remote, packet);
                Flush();
              },
          .on_gone =
              [this](const SocketAddress& local, const SocketAddress& remote) {
                engine_->HandleUnreachable(uv::Loop::Now(), local, remote);
                Flush();
              }},
      config_.node.fwmark);
  mdns_ = std::make_unique<ice::MdnsSockets>(*loop_, [this](Bytes datagram) {
    engine_->HandleMdns(uv::Loop::Now(), datagram);
    Flush();
  });
  configured_servers_ = std::make_unique<ServerDirectory>(*loop_, [this](engine::Servers servers) {
    servers.lifetime = CredentialLifetime(config_);
    engine_->SetServers(uv::Loop::Now(), std::move(servers));
    Flush();
  });
  for (engine::StreamId id = 0; id < config_.rendezvous.size(); ++id) {
    TakeRendezvous(id, config_.rendezvous[id].text);
  }
  peer_ids_ = engine_->peer_ids();
  // What the engine has left out is not there for us either.
  std::size_t next = 0;
  std::erase_if(config_.peers, [&](const config::PeerConfig& peer) {
    const bool there =
        next < peer_ids_.size() && engine_->peer_config(peer_ids_[next]).key == peer.public_key;
    next += there ? 1U : 0U;
    return !there;
  });
}

void Runtime::TakeRendezvous(engine::StreamId id, const std::string& text) {
  rendezvous_ids_.push_back(id);
  Rendezvous& rendezvous = rendezvous_[id];
  rendezvous.text = text;
  rendezvous.offered =
      std::make_unique<ServerDirectory>(*loop_, [this, id](engine::Servers servers) {
        engine_->SetOfferedServers(uv::Loop::Now(), id, std::move(servers));
        Flush();
      });
}

control::ExitCode Runtime::Run() {
  suspended_ = TimeSuspended();
  if (auto started = underlay_->Start(); !started) {
    Fail(started.error());
    return exit_code_;
  }
  if (auto started = StartPackets(); !started) {
    Fail(started.error());
    return exit_code_;
  }
  const TimePoint now = uv::Loop::Now();
  TellAddresses(now);
  ResolveConfigured();
  engine_->Start(now);
  Flush();
  for (std::size_t i = 0; i < config_.peers.size(); ++i) {
    if (config_.peers[i].endpoint) {
      ResolveEndpoint(peer_ids_[i], *config_.peers[i].endpoint);
    }
  }
  Flush();
  StartControl();
  if (key_log_) {
    log::Warn("the keys of all sessions are written to {} (--wg-keylog): only for debugging",
              key_log_->path());
  }
  log::Info("{} is up: {} peers, UDP port {}", config_.node.name, config_.peers.size(),
            underlay_->port());
  if (const auto told = uv::SdNotify("READY=1"); !told) {
    log::Warn("{}: {}", told.error().context, told.error().code.message());
  }
  loop_->Run();
  for (const auto& [internal, mapper] : upnp_) {
    mapper->Stop();
  }
  return exit_code_;
}

Result<void> Runtime::StartPackets() {
  auto path = PacketPath::Start(
      *loop_,
      {.device = inner_->device(),
       .writer = inner_->writer(),
       .underlay = *underlay_,
       .cipher = *engine_->config().cipher,
       .forwarding = engine_->forwarding()},
      config_.tun.two_threads ? PacketPath::Threads::kTwo : PacketPath::Threads::kNone,
      {.on_left_over = [this](LeftOver left_over) { HandleLeftOver(std::move(left_over)); },
       .on_batch = [this] { Flush(); },
       .on_activity =
           [this] {
             engine_->HandleActivity(uv::Loop::Now());
             Flush();
           }});
  if (!path) {
    return floe::Fail(std::move(path.error()));
  }
  packet_path_ = std::move(*path);
  return {};
}

void Runtime::HandleLeftOver(LeftOver left_over) {
  const TimePoint now = uv::Loop::Now();
  if (const auto* datagram = std::get_if<ReceivedDatagram>(&left_over)) {
    engine_->HandleDatagram(now, datagram->local, datagram->remote, datagram->bytes, datagram->tos);
  } else if (const auto* packet = std::get_if<DevicePacket>(&left_over)) {
    engine_->HandlePacket(now, packet->bytes);
  } else if (const auto* peers = std::get_if<PeersPacket>(&left_over)) {
    engine_->HandlePeersPacket(now, peers->peer, peers->bytes);
  } else if (const auto* way = std::get_if<UnreachableWay>(&left_over)) {
    engine_->HandleUnreachable(now, way->local, way->remote);
  } else if (const auto* narrow = std::get_if<NarrowWay>(&left_over)) {
    engine_->HandleTooBig(now, narrow->local, narrow->remote, narrow->fits);
  } else if (const auto* error = std::get_if<Error>(&left_over)) {
    Fail(*error);
  }
}

void Runtime::TellAddresses(TimePoint now) {
  engine_->SetHidden(underlay_->hidden());
  engine_->SetLocalAddresses(now, underlay_->addresses());
  if (!config_.paths.relay_only()) {  // Nobody is told of either, nor of what a router forwards.
    engine_->SetTcpAddresses(now, tcp_->Listen(underlay_->addresses()));
    engine_->SetGateways(now, underlay_->gateways());
  }
  for (auto it = upnp_.begin(); it != upnp_.end();) {
    const auto& gateways = underlay_->gateways();
    if (std::ranges::find(gateways, it->second->gateway()) != gateways.end()) {
      ++it;
      continue;
    }
    engine_->SetUpnpMapping(now, it->first, std::nullopt);
    it = upnp_.erase(it);
  }
}

void Runtime::MapByUpnp(const ice::portmap::Gateway& gateway) {
  std::unique_ptr<UpnpMapper>& mapper = upnp_[gateway.internal];
  if (mapper == nullptr || mapper->gateway() != gateway) {
    mapper = std::make_unique<UpnpMapper>(
        *loop_, gateway, [this, internal = gateway.internal](auto external) {
          engine_->SetUpnpMapping(uv::Loop::Now(), internal, external);
          Flush();
        });
  }
}

void Runtime::StartControl() {
  control_->Start(
      {.status =
           [this] {
             engine_->HandleActivity(uv::Loop::Now());  // Its bytes are part of the answer.
             Flush();
             return MakeStatus(*engine_, Context());
           },
       .path = [this](engine::PeerId peer) { return MakePathStatus(*engine_, peer, Context()); },
       .find_peer = [this](const std::string& text) { return FindPeer(text); },
       .ping =
           [this](engine::PeerId peer) {
             const auto seq = engine_->Ping(uv::Loop::Now(), peer);
             Flush();
             return seq;
           },
       .set_wanted =
           [this](engine::PeerId peer, bool wanted) {
             engine_->SetWanted(uv::Loop::Now(), peer, wanted);
             Flush();
           },
       .peers = [this] { return peer_ids_; },
       .reload = [this] { return Reload(); }});
}

void Runtime::ResolveEndpoint(engine::PeerId id, const config::HostPort& endpoint) {
  if (const auto ip = ParseIpAddress(endpoint.host)) {
    endpoint_resolvers_.erase(id);
    engine_->SetEndpoint(uv::Loop::Now(), id, {{*ip, endpoint.port}});
    return;
  }
  auto& resolver = endpoint_resolvers_[id] = std::make_unique<uv::Resolver>(*loop_);
  const auto on_resolved = [this, id](const Result<std::vector<SocketAddress>>& resolved) {
    endpoint_resolvers_.erase(id);
    if (resolved) {
      unresolved_.erase(id);
    } else if (unresolved_.insert(id).second) {  // Once, and not with each attempt.
      log::Warn("endpoint of a peer: {}: {}", resolved.error().context,
                resolved.error().code.message());
    }
    engine_->SetEndpoint(uv::Loop::Now(), id, resolved ? *resolved : std::vector<SocketAddress>{});
    Flush();
  };
  if (const auto started = resolver->Start(endpoint.host, endpoint.port, on_resolved); !started) {
    on_resolved(floe::Fail(started.error()));
  }
}

void Runtime::HandleTimer() {
  const nanoseconds suspended = TimeSuspended();
  if (suspended - suspended_ > kSleptLong) {
    log::Info("woken after a sleep of {} s",
              std::chrono::duration_cast<seconds>(suspended - suspended_).count());
    engine_->HandleNetworkChange(uv::Loop::Now());
  }
  suspended_ = suspended;
  engine_->HandleTimeout(uv::Loop::Now());
  Flush();
}

void Runtime::Flush() {
  if (flushing_) {
    return;
  }
  flushing_ = true;
  bool busy = true;
  while (busy) {
    busy = FlushTransmits();
    while (auto packet = engine_->PollPacket()) {
      inner_->Write(std::move(*packet));
    }
    if (auto flushed = inner_->Flush(); !flushed) {
      Fail(flushed.error());
    }
    while (const auto pong = engine_->PollPong()) {
      control_->HandlePong(*pong);
    }
    while (const auto notice = engine_->PollNotice()) {
      HandleNotice(*notice);
    }
    while (auto action = engine_->PollAction()) {
      HandleAction(std::move(*action));
      busy = true;
    }
    while (auto action = engine_->PollRelayAction()) {
      relay_streams_->Handle(std::move(*action));
      busy = true;
    }
  }
  AskMdns();
  underlay_->SetFlooded(engine_->IsFlooded());
  timer_->ArmAt(engine_->NextTimeout());
  flushing_ = false;
}

void Runtime::AskMdns() {
  while (const auto query = engine_->PollMdnsQuery()) {
    std::vector<IpAddress> locals;
    for (const SocketAddress& address : underlay_->addresses()) {
      locals.push_back(address.ip);
    }
    mdns_->Open(locals);
    mdns_->Send(*query);
  }
}

bool Runtime::Send(const ice::Transmit& transmit) {
  const auto& [local, remote, payload, handling] = transmit;
  if (local.transport == Transport::kTcp) {
    return tcp_->Send(local, remote, payload);
  }
  const auto probe =
      probe_sockets_->Send(local, remote, payload, handling, underlay_->WayOutOf(local.ip));
  if (probe) {
    return *probe != uv::SendResult::kUnreachable;
  }
  underlay_->Send(local, remote, payload, handling);
  return true;  // What cannot be sent, Flush() tells.
}

bool Runtime::FlushTransmits() {
  std::vector<Underlay::Way> unreachable;
  while (const auto transmit = engine_->PollTransmit()) {
    if (!Send(*transmit)) {
      unreachable.emplace_back(transmit->local, transmit->remote);
    }
  }
  std::ranges::move(underlay_->Flush(), std::back_inserter(unreachable));
  for (const auto& [local, remote] : unreachable) {
    engine_->HandleUnreachable(uv::Loop::Now(), local, remote);
  }
  const std::vector<NarrowWay> narrow = underlay_->TakeNarrowWays();
  for (const auto& [local, remote, fits] : narrow) {
    engine_->HandleTooBig(uv::Loop::Now(), local, remote, fits);
  }
  return !unreachable.empty() || !narrow.empty();
}

void Runtime::ResolveConfigured() {
  configured_servers_->Resolve(
      ConfiguredServers(config_, std::chrono::duration_cast<seconds>(UnixTime())));
}

void Runtime::HandleAction(engine::Action action) {
  if (const auto* open = std::get_if<engine::OpenStream>(&action)) {
    streams_->Open(*open);
  } else if (const auto* write = std::get_if<engine::WriteStream>(&action)) {
    streams_->Write(*write);
  } else if (const auto* close = std::get_if<engine::CloseStream>(&action)) {
    streams_->Close(*close);
  } else if (const auto* resolve = std::get_if<engine::ResolveServers>(&action)) {
    if (const auto found = rendezvous_.find(resolve->id); found != rendezvous_.end()) {
      found->second.offered->Resolve(OfferedServers(resolve->welcome));
    }
  } else if (const auto* open_sockets = std::get_if<engine::OpenSockets>(&action)) {
    engine_->SetProbeSockets(uv::Loop::Now(), open_sockets->peer,
                             probe_sockets_->Open(open_sockets->ip, open_sockets->count));
  } else if (const auto* close_sockets = std::get_if<engine::CloseSockets>(&action)) {
    probe_sockets_->Close(close_sockets->sockets);
  } else if (std::holds_alternative<engine::RenewServers>(action)) {
    ResolveConfigured();
  } else if (const auto* endpoint = std::get_if<engine::ResolveEndpoint>(&action)) {
    const auto place =
        static_cast<std::size_t>(std::ranges::find(peer_ids_, endpoint->peer) - peer_ids_.begin());
    const bool under_way = endpoint_resolvers_.contains(endpoint->peer);
    if (!under_way && place < peer_ids_.size() && config_.peers[place].endpoint) {
      ResolveEndpoint(endpoint->peer, *config_.peers[place].endpoint);
    }
  } else if (const auto* map = std::get_if<engine::MapByUpnp>(&action)) {
    if (config_.paths.upnp) {
      MapByUpnp(map->gateway);
    }
  }
}

void Runtime::HandleNotice(const engine::Notice& notice) {
  if (const auto* up = std::get_if<engine::PeerUp>(&notice)) {
    log::Info("{}: up, {}", engine_->peer_config(up->peer).name,
              up->relayed ? "relayed" : "direct");
  } else if (const auto* down = std::get_if<engine::PeerDown>(&notice)) {
    log::Info("{}: down", engine_->peer_config(down->peer).name);
  } else if (const auto* moved = std::get_if<engine::PathMoved>(&notice)) {
    log::Debug("{}: path {} ({}) <-> {} ({})", engine_->peer_config(moved->peer).name,
               ToString(moved->path.local), ToString(moved->path.local_type),
               ToString(moved->path.remote), ToString(moved->path.remote_type));
  } else if (const auto* connected = std::get_if<engine::RendezvousUp>(&notice)) {
    if (const auto found = rendezvous_.find(connected->id); found != rendezvous_.end()) {
      found->second.complaint.clear();
      log::Info("rendezvous {}: connected", found->second.text);
    }
  } else if (const auto* lost = std::get_if<engine::RendezvousDown>(&notice)) {
    const auto found = rendezvous_.find(lost->id);
    if (found == rendezvous_.end()) {
      return;  // The configuration has it no more.
    }
    if (found->second.complaint != lost->reason && !stopping_) {
      found->second.complaint = lost->reason;
      log::Warn("rendezvous {}: {}; trying again", found->second.text, lost->reason);
    }
  } else if (const auto* refused = std::get_if<ice::RelayRefused>(&notice)) {
    log::Warn("relay {}: refuses us: {} {}; check its user name and password",
              ToString(refused->server), refused->code, refused->reason);
  }
}

void Runtime::HandleRelayTrouble(std::string_view reason) {
  constexpr std::size_t kMaxTroubles = 32;
  // A network that lets nothing through is common and no news; a wrong certificate is.
  if (reason.starts_with("TLS with ") && relay_troubles_.size() < kMaxTroubles &&
      relay_troubles_.emplace(reason).second) {
    log::Warn("relay: {}", reason);
  }
}

void Runtime::HandleSignal(int signal) {
  if (signal == SIGHUP) {
    static_cast<void>(Reload());  // It says in the log what has become of it.
    return;
  }
  if (stopping_) {
    return;
  }
  stopping_ = true;
  if (const auto told = uv::SdNotify("STOPPING=1"); !told) {
    log::Debug("{}", told.error().context);
  }
  log::Info("stopping");
  engine_->Stop(uv::Loop::Now());
  Flush();
  loop_->Stop();
}

void Runtime::Fail(const Error& error) {
  log::Error("{}: {}", error.context, error.code.message());
  exit_code_ = control::ExitCode::kNo;
  loop_->Stop();
}

std::optional<engine::PeerId> Runtime::FindPeer(const std::string& text) const {
  if (const auto peer = engine_->FindPeer(text)) {
    return peer;
  }
  const auto key = ParsePublicKey(text);
  const auto ip = ParseIpAddress(text);
  for (std::size_t i = 0; i < config_.peers.size(); ++i) {
    const config::PeerConfig& peer = config_.peers[i];
    if (key && peer.public_key == *key) {
      return peer_ids_[i];
    }
    if (ip && std::ranges::any_of(peer.allowed_ips, [&](const IpPrefix& prefix) {
          return prefix.length == ip->bits() && prefix.Contains(*ip);
        })) {
      return peer_ids_[i];
    }
  }
  return std::nullopt;
}

ReportContext Runtime::Context() const {
  const TimePoint now = uv::Loop::Now();
  return {.config = config_,
          .peers = peer_ids_,
          .rendezvous = rendezvous_ids_,
          .clock = {.at = now,
                    .wall = std::chrono::time_point_cast<std::chrono::milliseconds>(
                        std::chrono::system_clock::now())},
          .now = now,
          .started = started_,
          .listen_port = underlay_->port(),
          .offloads = ReportOffloads({.wanted = config_.tun.offload,
                                      .device = inner_->offloads(),
                                      .joinable = inner_->joinable(),
                                      .udp_check = underlay_->offload_report(),
                                      .udp = underlay_->offloads()}),
          .path = packet_path_ ? packet_path_->counters() : PathCounters{},
          .too_big = underlay_->too_big(),
          .key_log = key_log_ ? key_log_->path() : ""};
}

}  // namespace floe::daemon
