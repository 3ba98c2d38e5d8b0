#include "app/rendezvous/signaling_service.h"

#include <utility>
#include <variant>

namespace floe::rendezvous {
namespace {

constexpr std::size_t kMaxConnections = 20'000;

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

void SignalingService::Accept(std::unique_ptr<uv::ByteStream> stream) {
  const auto remote = stream->remote_address();
  if (!remote || streams_.size() >= kMaxConnections) {
    return;  // Destroying the stream closes it.
  }
  const signaling::ConnectionId id = next_id_++;
  uv::ByteStream& accepted = *streams_.emplace(id, std::move(stream)).first->second;
  accepted.Start({.on_data =
                      [this, id](Bytes bytes) {
                        hub_.HandleBytes(uv::Loop::Now(), id, bytes);
                        Flush();
                      },
                  .on_drain =
                      [this, id] {
                        hub_.HandleWritten(id, std::exchange(unwritten_[id], 0));
                        Flush();
                      },
                  .on_close =
                      [this, id](uv::CloseReason, const Error&) {
                        hub_.HandleClosed(id);
                        Forget(id);
                        Flush();
                      }});
  hub_.HandleOpened(uv::Loop::Now(), id, *remote);
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
  const auto found = streams_.find(write.id);
  if (found == streams_.end()) {
    return;
  }
  found->second->Write(write.bytes);
  if (found->second->write_queue_size() == 0) {
    hub_.HandleWritten(write.id, write.bytes.size());
  } else {
    unwritten_[write.id] += write.bytes.size();
  }
}

void SignalingService::Close(const signaling::HubClose& close) {
  const auto found = streams_.find(close.id);
  if (found == streams_.end()) {
    return;
  }
  if (close.mode == signaling::HubClose::Mode::kFlush) {
    found->second->Shutdown();  // on_close comes when the other end has ended too.
  } else {
    Forget(close.id);
  }
}

void SignalingService::Forget(signaling::ConnectionId id) {
  streams_.erase(id);
  unwritten_.erase(id);
}

}  // namespace floe::rendezvous
