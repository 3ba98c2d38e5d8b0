// floe-rendezvous put together: signaling on TCP, STUN and TURN on UDP, one event loop.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/key.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/socket_address.h"
#include "base/system_random.h"
#include "base/uv/listener.h"
#include "base/uv/loop.h"
#include "base/uv/poll.h"
#include "base/uv/signals.h"
#include "base/uv/stream.h"
#include "base/uv/timer.h"
#include "base/uv/udp_socket.h"
#include "ice/turn/server.h"
#include "signaling/hub.h"

namespace floe::rendezvous {

inline constexpr std::uint16_t kDefaultSignalingPort = 8080;
inline constexpr std::uint16_t kStunPort = 3478;  // RFC 8489 section 18.6

struct ServerConfig {
  std::vector<SocketAddress> listen;  // For signaling; STUN and TURN use the same addresses.
};

/// Tells nodes of the STUN and TURN service of this process, with credentials that expire.
class OwnServices final : public signaling::WelcomeSource {
 public:
  explicit OwnServices(std::vector<IpAddress> addresses, SecretString secret);

  [[nodiscard]] std::vector<std::string> StunUrls() override;
  [[nodiscard]] std::vector<signaling::TurnCredentials> MakeTurn(const PublicKey& node) override;

 private:
  std::vector<IpAddress> addresses_;
  SecretString secret_;
};

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
  struct RelaySocket {
    uv::UdpSocket socket;
    std::unique_ptr<uv::Poll> poll;
  };

  [[nodiscard]] Result<void> Listen(const ServerConfig& config);
  [[nodiscard]] Result<void> OpenStun(IpFamily family);
  void Accept(std::unique_ptr<uv::Stream> stream);
  void FlushHub();
  void ArmTimer();
  void Write(const signaling::HubWrite& write);
  void Close(const signaling::HubClose& close);
  void Forget(signaling::ConnectionId id);
  void FlushTurn();
  void OpenRelay(const SocketAddress& address);
  void ReceiveRelayed(const SocketAddress& address);
  [[nodiscard]] bool IsOurs(const IpAddress& ip) const;

  std::unique_ptr<uv::Loop> loop_;
  SystemRandom random_;
  std::vector<IpAddress> addresses_;
  OwnServices services_;
  signaling::Hub hub_;
  ice::turn::Server turn_;
  std::vector<std::unique_ptr<uv::Listener>> listeners_;
  std::map<signaling::ConnectionId, std::unique_ptr<uv::Stream>> streams_;
  std::map<signaling::ConnectionId, std::size_t> unwritten_;  // bytes given to a stream
  signaling::ConnectionId next_id_ = 1;
  std::map<IpFamily, RelaySocket> stun_;
  std::map<SocketAddress, RelaySocket> relays_;
  std::unique_ptr<uv::Signals> signals_;
  std::unique_ptr<uv::Timer> timer_;
};

}  // namespace floe::rendezvous
