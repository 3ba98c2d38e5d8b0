// floe-ice on libuv: sockets, names, standard input and output.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/socket_address.h"
#include "base/system_random.h"
#include "base/uv/loop.h"
#include "base/uv/poll.h"
#include "base/uv/resolver.h"
#include "base/uv/signals.h"
#include "base/uv/timer.h"
#include "base/uv/udp_socket.h"
#include "ice/driver/mdns_sockets.h"
#include "ice/driver/relay_streams.h"
#include "ice/driver/tcp_flows.h"
#include "tests/tools/floe_ice/options.h"
#include "tests/tools/floe_ice/session.h"

namespace floe::tools {

class Runtime {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Runtime>> Make(Options options);

  /// Use Make().
  Runtime(Options options, std::unique_ptr<uv::Loop> loop);

  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// Until it is told to close, or standard input ends. Fails if it cannot begin.
  [[nodiscard]] Result<void> Run();

 private:
  /// A socket of one of our addresses.
  struct Port {
    SocketAddress local;
    uv::UdpSocket socket;
    std::unique_ptr<uv::Poll> poll;
  };

  /// A STUN or TURN server, and what is known of where it is.
  struct Server {
    config::HostPort name;
    const RelayOption* relay = nullptr;  // Null: a STUN server.
    std::unique_ptr<uv::Resolver> resolver;
    std::vector<SocketAddress> found;
    bool pending = false;
  };

  [[nodiscard]] Result<void> OpenPorts();
  [[nodiscard]] Result<void> OpenPort(const IpAddress& ip);
  [[nodiscard]] std::vector<IpAddress> AddressesToUse();
  [[nodiscard]] Result<void> WatchInput();
  void ListenTcp();
  void StartServers();
  void AddServer(const config::HostPort& name, const RelayOption* relay);
  void TellServers();
  void ReadInput();
  void HandleInput(std::string_view bytes);
  void EndInput();
  void Flush();
  void SendAll();
  void Send(const ice::Transmit& transmit);
  void AskMdns();
  void HandleStreams();

  Options options_;
  std::unique_ptr<uv::Loop> loop_;
  SystemRandom random_;
  Session session_;
  std::unique_ptr<uv::Signals> signals_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<std::unique_ptr<Server>> servers_;
  ice::MdnsSockets mdns_;
  ice::TcpFlows tcp_;
  ice::RelayStreams relay_streams_;
  std::unique_ptr<uv::Poll> input_;
  std::string partial_line_;  // What has come of a line that has not ended.
  bool too_long_ = false;     // It is longer than any line may be: skipped to its end.
  bool flushing_ = false;
  uv::Timer timer_;
};

}  // namespace floe::tools
