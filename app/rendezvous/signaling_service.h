// The hub on the connections of an event loop.

#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/socket_address.h"
#include "base/tls/context.h"
#include "base/uv/byte_stream.h"
#include "base/uv/listener.h"
#include "base/uv/loop.h"
#include "base/uv/timer.h"
#include "signaling/hub.h"

namespace floe::rendezvous {

/// Loop, source and random source must outlive it.
class SignalingService {
 public:
  SignalingService(uv::Loop& loop, signaling::WelcomeSource& source, RandomSource& random);

  SignalingService(const SignalingService&) = delete;
  SignalingService& operator=(const SignalingService&) = delete;

  /// From then on connections are TLS, with this certificate; those that are open keep theirs.
  void UseTls(std::shared_ptr<tls::Context> context) { tls_ = std::move(context); }

  [[nodiscard]] Result<void> Listen(const SocketAddress& address);

 private:
  struct Connection {
    std::shared_ptr<tls::Context> tls;  // Outlives the stream.
    std::unique_ptr<uv::ByteStream> stream;
    std::size_t unwritten = 0;  // bytes given to it
  };

  /// A stream on what was accepted, with TLS if that is to be.
  [[nodiscard]] Result<std::unique_ptr<uv::ByteStream>> Secure(
      std::unique_ptr<uv::ByteStream> below) const;
  void Open(signaling::ConnectionId id, const SocketAddress& remote);
  void Accept(std::unique_ptr<uv::ByteStream> stream);
  void Flush();
  void Write(const signaling::HubWrite& write);
  void Close(const signaling::HubClose& close);
  void Forget(signaling::ConnectionId id);

  uv::Loop& loop_;
  signaling::Hub hub_;
  std::vector<std::unique_ptr<uv::Listener>> listeners_;
  std::shared_ptr<tls::Context> tls_;
  std::map<signaling::ConnectionId, Connection> connections_;
  signaling::ConnectionId next_id_ = 1;
  uv::Timer timer_;
};

}  // namespace floe::rendezvous
