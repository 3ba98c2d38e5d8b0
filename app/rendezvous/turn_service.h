// STUN and TURN on the sockets of an event loop.

#pragma once

#include <map>
#include <memory>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/socket_address.h"
#include "base/uv/loop.h"
#include "base/uv/poll.h"
#include "base/uv/timer.h"
#include "base/uv/udp_socket.h"
#include "ice/turn/server.h"

namespace floe::rendezvous {

/// Serves from the start to its end. Loop and random source must outlive it.
class TurnService {
 public:
  /// Takes the port of STUN at each address, or none. `secret` is that of the credentials.
  [[nodiscard]] static Result<std::unique_ptr<TurnService>> Make(uv::Loop& loop,
                                                                 RandomSource& random,
                                                                 std::vector<IpAddress> addresses,
                                                                 const SecretString& secret);

  /// Use Make().
  TurnService(uv::Loop& loop, RandomSource& random, std::vector<IpAddress> addresses,
              const SecretString& secret);

  TurnService(const TurnService&) = delete;
  TurnService& operator=(const TurnService&) = delete;

 private:
  struct RelaySocket {
    uv::UdpSocket socket;
    std::unique_ptr<uv::Poll> poll;
  };

  [[nodiscard]] Result<void> OpenStun(IpFamily family);
  void Flush();
  void OpenRelay(const SocketAddress& address);
  void ReceiveRelayed(const SocketAddress& address);
  [[nodiscard]] bool IsOurs(const IpAddress& ip) const;

  uv::Loop& loop_;
  std::vector<IpAddress> addresses_;
  ice::turn::Server turn_;
  std::map<IpFamily, RelaySocket> stun_;
  std::map<SocketAddress, RelaySocket> relays_;
  uv::Timer timer_;
};

}  // namespace floe::rendezvous
