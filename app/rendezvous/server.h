// floe-rendezvous put together: signaling on TCP or TLS, STUN and TURN on UDP, one event loop.

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "app/rendezvous/certificate.h"
#include "app/rendezvous/config.h"
#include "app/rendezvous/own_services.h"
#include "app/rendezvous/signaling_service.h"
#include "app/rendezvous/turn_service.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/socket_address.h"
#include "base/system_random.h"
#include "base/uv/loop.h"
#include "base/uv/signals.h"

namespace floe::rendezvous {

inline constexpr std::uint16_t kDefaultSignalingPort = 8080;

class Server {
 public:
  /// Takes every port or none.
  [[nodiscard]] static Result<std::unique_ptr<Server>> Make(const ServerConfig& config);

  Server(std::unique_ptr<uv::Loop> loop, std::vector<IpAddress> addresses, SecretString secret);

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Until SIGINT or SIGTERM.
  void Run();

 private:
  [[nodiscard]] Result<void> Listen(const ServerConfig& config);
  void HandleSignal(int signal);

  std::unique_ptr<uv::Loop> loop_;
  SystemRandom random_;
  std::vector<IpAddress> addresses_;
  SecretString secret_;
  OwnServices services_;
  SignalingService signaling_;
  std::unique_ptr<Certificate> certificate_;
  std::unique_ptr<TurnService> turn_;
  std::unique_ptr<uv::Signals> signals_;
};

}  // namespace floe::rendezvous
