// The many UDP sockets of an attempt at port prediction, beside the machine's own.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/socket_address.h"
#include "base/uv/loop.h"
#include "base/uv/poll.h"
#include "base/uv/udp_socket.h"
#include "ice/agent.h"

namespace floe::daemon {

class ProbeSockets {
 public:
  struct Handlers {
    uv::UdpSocket::OnDatagram on_datagram;
    std::function<void()> on_batch;  // After a batch of datagrams.
  };

  /// The loop must outlive it.
  ProbeSockets(uv::Loop& loop, std::uint32_t fwmark, Handlers handlers)
      : loop_(loop), fwmark_(fwmark), handlers_(std::move(handlers)) {}

  ProbeSockets(const ProbeSockets&) = delete;
  ProbeSockets& operator=(const ProbeSockets&) = delete;

  /// As many as the system gives, but `count` at most.
  [[nodiscard]] std::vector<SocketAddress> Open(const IpAddress& ip, std::size_t count);
  void Close(const std::vector<SocketAddress>& sockets);

  /// Nothing if `local` is none of these. `interface` as in UdpSocket::Send().
  [[nodiscard]] std::optional<uv::SendResult> Send(const SocketAddress& local,
                                                   const SocketAddress& remote, Bytes datagram,
                                                   ice::Handling handling, std::uint32_t interface);

 private:
  struct Entry {
    uv::UdpSocket socket;
    std::unique_ptr<uv::Poll> poll;
  };

  void Receive(const SocketAddress& local);

  uv::Loop& loop_;
  std::uint32_t fwmark_;
  Handlers handlers_;
  std::map<SocketAddress, std::unique_ptr<Entry>> sockets_;
};

}  // namespace floe::daemon
