#include "app/rendezvous/signaling_service.h"

#include <optional>
#include <utility>
#include <variant>

#include "base/tls/stream.h"

namespace floe::rendezvous {
namespace {

constexpr std::size_t kMaxConnections = 20'000;
constexpr Duration kHandshakeDeadline = std::chrono::seconds(10);

}  // namespace

SignalingService::SignalingService(uv::Loop& loop, signaling::WelcomeSource& source,
                                   RandomSource& random)
    : loop_(loop), hub_({}, source, random), timer_(loop, [this] {
        hub_.HandleTimeout(uv::Loop::Now());
        Flush();
      }) {}

Result<void> SignalingService::Listen(const SocketAddress& address) {
  auto listener = uv::Listener::ListenTcp(
      loop_, address, [this](std::unique_ptr<uv::Stream> stream) { Accept(std::move(stream)); });
  if (!listener) {
    return Fail(std::move(listener.error()));
  }
  listeners_.push_back(std::move(*listener));
  return {};
}

Result<std::unique_ptr<uv::ByteStream>> SignalingService::Secure(
    std::unique_ptr<uv::ByteStream> below) const {
  if (!tls_) {
    return below;
  }
  auto secured =
      tls::Stream::MakeServer(loop_, *tls_, std::move(below), uv::Loop::Now() + kHandshakeDeadline);
  if (!secured) {
    return Fail(std::move(secured.error()));
  }
  return std::unique_ptr<uv::ByteStream>(std::move(*secured));
}

void SignalingService::Accept(std::unique_ptr<uv::ByteStream> accepted) {
  const auto remote = accepted->remote_address();
  if (!remote || connections_.size() >= kMaxConnections) {
    return;  // Destroying the stream closes it.
  }
  auto stream = Secure(std::move(accepted));
  if (!stream) {
    return;
  }
  const signaling::ConnectionId id = next_id_++;
  Connection& connection = connections_[id];
  connection.tls = tls_;
  connection.stream = std::move(*stream);
  connection.stream->Start({.on_connect = [this, id, remote = *remote] { Open(id, remote); },
                            .on_data =
                                [this, id](Bytes bytes) {
                                  hub_.HandleBytes(uv::Loop::Now(), id, bytes);
                                  Flush();
                                },
                            .on_drain =
                                [this, id] {
                                  const std::size_t written =
                                      std::exchange(connections_.at(id).unwritten, 0);
                                  hub_.HandleWritten(uv::Loop::Now(), id, written);
                                  Flush();
                                },
                            .on_close =
                                [this, id](uv::CloseReason, const Error&) {
                                  hub_.HandleClosed(uv::Loop::Now(), id);
                                  Forget(id);
                                  Flush();
                                }});
  if (!tls_) {
    Open(id, *remote);
  }
}

void SignalingService::Open(signaling::ConnectionId id, const SocketAddress& remote) {
  const auto* secured = dynamic_cast<const tls::Stream*>(connections_.at(id).stream.get());
  hub_.HandleOpened(uv::Loop::Now(), id, remote,
                    secured == nullptr ? std::nullopt : secured->channel_binding());
  Flush();
}

void SignalingService::Flush() {
  while (const auto action = hub_.PollAction()) {
    if (const auto* write = std::get_if<signaling::HubWrite>(&*action)) {
      Write(*write);
    } else if (const auto* close = std::get_if<signaling::HubClose>(&*action)) {
      Close(*close);
    }
  }
  timer_.ArmAt(hub_.NextTimeout());
}

void SignalingService::Write(const signaling::HubWrite& write) {
  const auto found = connections_.find(write.id);
  if (found == connections_.end()) {
    return;
  }
  found->second.stream->Write(write.bytes);
  if (found->second.stream->write_queue_size() == 0) {
    hub_.HandleWritten(uv::Loop::Now(), write.id, write.bytes.size());
  } else {
    found->second.unwritten += write.bytes.size();
  }
}

void SignalingService::Close(const signaling::HubClose& close) {
  const auto found = connections_.find(close.id);
  if (found == connections_.end()) {
    return;
  }
  if (close.mode == signaling::HubClose::Mode::kFlush) {
    found->second.stream->Shutdown();  // on_close comes when the other end has ended too.
  } else {
    Forget(close.id);
  }
}

void SignalingService::Forget(signaling::ConnectionId id) {
  connections_.erase(id);
}

}  // namespace floe::rendezvous
