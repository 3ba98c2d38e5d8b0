// The hub on the connections of an event loop.

#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/socket_address.h"
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

  [[nodiscard]] Result<void> Listen(const SocketAddress& address);

 private:
  void Accept(std::unique_ptr<uv::ByteStream> stream);
  void Flush();
  void Write(const signaling::HubWrite& write);
  void Close(const signaling::HubClose& close);
  void Forget(signaling::ConnectionId id);

  uv::Loop& loop_;
  signaling::Hub hub_;
  std::vector<std::unique_ptr<uv::Listener>> listeners_;
  std::map<signaling::ConnectionId, std::unique_ptr<uv::ByteStream>> streams_;
  std::map<signaling::ConnectionId, std::size_t> unwritten_;  // bytes given to a stream
  signaling::ConnectionId next_id_ = 1;
  uv::Timer timer_;
};

}  // namespace floe::rendezvous
