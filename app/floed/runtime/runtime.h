// floed put together: the engine, and the sockets, device and clock it runs on.

#pragma once

#include <chrono>
#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/config/config.h"
#include "app/control/exit_code.h"
#include "app/control/reply.h"
#include "app/floed/engine/engine.h"
#include "app/floed/runtime/control_server.h"
#include "app/floed/runtime/inner_network.h"
#include "app/floed/runtime/key_log_file.h"
#include "app/floed/runtime/packet_path.h"
#include "app/floed/runtime/probe_sockets.h"
#include "app/floed/runtime/reload_plan.h"
#include "app/floed/runtime/rendezvous_streams.h"
#include "app/floed/runtime/server_directory.h"
#include "app/floed/runtime/status_report.h"
#include "app/floed/runtime/underlay.h"
#include "app/floed/runtime/upnp_mapper.h"
#include "base/result.h"
#include "base/system_random.h"
#include "base/uv/loop.h"
#include "base/uv/resolver.h"
#include "base/uv/signals.h"
#include "base/uv/timer.h"
#include "ice/driver/mdns_sockets.h"
#include "ice/driver/relay_streams.h"
#include "ice/driver/tcp_flows.h"

namespace floe::daemon {

/// Reads the configuration again as it was read at the start.
using ConfigSource = std::function<Result<config::Config, config::ConfigError>()>;

class Runtime {
 public:
  /// Takes what it needs of the machine, all of it or nothing.
  /// `key_log` may be null.
  [[nodiscard]] static Result<std::unique_ptr<Runtime>> Make(config::Config config,
                                                             ConfigSource source,
                                                             std::unique_ptr<KeyLogFile> key_log);

  Runtime(config::Config config, ConfigSource source, std::unique_ptr<KeyLogFile> key_log,
          std::unique_ptr<uv::Loop> loop);
  ~Runtime();

  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// Runs until SIGINT or SIGTERM. The exit code of the process.
  [[nodiscard]] control::ExitCode Run();

 private:
  struct Rendezvous {
    std::string text;       // Its URL.
    std::string complaint;  // Why it cannot be reached, as was said last.
    std::unique_ptr<ServerDirectory> offered;
  };

  [[nodiscard]] Result<void> TakeMachine();
  void MakeEngine();
  [[nodiscard]] Result<void> StartPackets();
  void HandleLeftOver(LeftOver left_over);
  void TellAddresses(TimePoint now);
  void MapByUpnp(const ice::portmap::Gateway& gateway);
  void StartControl();
  void ResolveEndpoint(engine::PeerId id, const config::HostPort& endpoint);
  void TakeRendezvous(engine::StreamId id, const std::string& text);
  // runtime_reload.cpp
  /// Reads the configuration anew and applies it, all of it or nothing; says so in the log too.
  control::Reply Reload();
  [[nodiscard]] control::Reply ReadAndApply();
  void Apply(config::Config after, const ReloadPlan& plan);
  void ApplyPeers(config::Config& after, const ReloadPlan& plan);
  void ApplyRendezvous(const config::Config& after, const ReloadPlan& plan);
  /// Drains every output of the engine, then arms the timer. Does nothing inside itself: whoever
  /// gives the engine an input from within a drain is drained by it.
  void Flush();
  /// False if the network would not take it.
  bool Send(const ice::Transmit& transmit);
  /// Returns whether the engine has learned anything from it.
  bool FlushTransmits();
  void AskMdns();
  void ResolveConfigured();
  void HandleAction(engine::Action action);
  void HandleNotice(const engine::Notice& notice);
  /// Says what keeps us from a relay, where people should know of it; each once.
  void HandleRelayTrouble(std::string_view reason);
  void HandleSignal(int signal);
  void HandleTimer();
  void Fail(const Error& error);
  [[nodiscard]] std::optional<engine::PeerId> FindPeer(const std::string& text) const;
  [[nodiscard]] ReportContext Context() const;

  config::Config config_;
  ConfigSource source_;
  std::unique_ptr<KeyLogFile> key_log_;           // Null: keys are told to nobody.
  std::vector<engine::PeerId> peer_ids_;          // Of the peers of config_, in its order.
  std::vector<engine::StreamId> rendezvous_ids_;  // So of the rendezvous servers.
  std::unique_ptr<uv::Loop> loop_;
  SystemRandom random_;
  TimePoint started_;
  std::unique_ptr<uv::Signals> signals_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<Underlay> underlay_;
  std::unique_ptr<ProbeSockets> probe_sockets_;
  std::unique_ptr<InnerNetwork> inner_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<RendezvousStreams> streams_;
  std::unique_ptr<ice::RelayStreams> relay_streams_;
  std::unique_ptr<ice::TcpFlows> tcp_;
  std::unique_ptr<ice::MdnsSockets> mdns_;  // Opened for the first question.
  std::unique_ptr<ServerDirectory> configured_servers_;
  std::map<engine::StreamId, Rendezvous> rendezvous_;
  std::map<engine::PeerId, std::unique_ptr<uv::Resolver>> endpoint_resolvers_;  // Under way.
  std::set<engine::PeerId> unresolved_;  // Whose endpoint's name was not found the last time.
  std::map<SocketAddress, std::unique_ptr<UpnpMapper>> upnp_;  // By the socket of ours.
  std::unique_ptr<uv::Timer> timer_;
  std::unique_ptr<PacketPath> packet_path_;  // Its threads end before all that they work with.
  std::set<std::string, std::less<>> relay_troubles_;
  bool flushing_ = false;
  bool stopping_ = false;
  std::chrono::nanoseconds suspended_{0};  // How long the machine has slept since it started.
  control::ExitCode exit_code_ = control::ExitCode::kDone;
};

}  // namespace floe::daemon
