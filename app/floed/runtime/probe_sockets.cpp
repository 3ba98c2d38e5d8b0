#include "app/floed/runtime/probe_sockets.h"

#include <utility>

#include "base/log.h"

namespace floe::daemon {

std::vector<SocketAddress> ProbeSockets::Open(const IpAddress& ip, std::size_t count) {
  std::vector<SocketAddress> opened;
  while (opened.size() < count) {
    auto socket = uv::UdpSocket::Open(ip.family, /*port=*/0, fwmark_);
    if (!socket) {
      log::Debug("{}: {}", socket.error().context, socket.error().code.message());
      break;
    }
    const SocketAddress local{ip, socket->port()};
    auto poll = uv::Poll::Make(loop_, socket->fd(), [this, local] { Receive(local); });
    if (!poll) {
      log::Debug("{}: {}", poll.error().context, poll.error().code.message());
      break;
    }
    (*poll)->Watch(uv::Interest::kReadable);
    sockets_[local] =
        std::make_unique<Entry>(Entry{.socket = std::move(*socket), .poll = std::move(*poll)});
    opened.push_back(local);
  }
  return opened;
}

void ProbeSockets::Close(const std::vector<SocketAddress>& sockets) {
  for (const SocketAddress& socket : sockets) {
    sockets_.erase(socket);
  }
}

std::optional<uv::SendResult> ProbeSockets::Send(const SocketAddress& local,
                                                 const SocketAddress& remote, Bytes datagram,
                                                 ice::Handling handling, std::uint32_t interface) {
  const auto found = sockets_.find(local);
  if (found == sockets_.end()) {
    return std::nullopt;
  }
  uv::UdpSocket& socket = found->second->socket;
  return handling.dont_fragment ? socket.SendWhole(local, remote, datagram, interface, handling.tos)
                                : socket.Send(local, remote, datagram, interface, handling.tos);
}

void ProbeSockets::Receive(const SocketAddress& local) {
  // One socket among hundreds: what it has not read in one batch, it reads in the next turn.
  static_cast<void>(sockets_.at(local)->socket.Receive(handlers_.on_datagram, /*max_batches=*/1));
  handlers_.on_batch();
}

}  // namespace floe::daemon
