#include "app/floed/runtime/rendezvous_streams.h"

#include <algorithm>
#include <utility>

#include "base/uv/stream.h"

namespace floe::daemon {
namespace {

constexpr Duration kConnectTimeout = std::chrono::seconds(5);  // For one address.
constexpr Duration kHandshakeTimeout = std::chrono::seconds(5);

std::string Describe(const Error& error) {
  return error.context + ": " + error.code.message();
}

}  // namespace

RendezvousStreams::RendezvousStreams(uv::Loop& loop, std::uint32_t fwmark, Handlers handlers)
    : loop_(loop), fwmark_(fwmark), handlers_(std::move(handlers)) {}

void RendezvousStreams::Open(const engine::OpenStream& action) {
  const engine::StreamId id = action.id;
  Connection& connection = connections_[id] = Connection{};
  if (action.url.secure) {
    connection.host = action.url.host;
  }
  if (const auto ip = ParseIpAddress(action.url.host)) {
    connection.addresses = {{*ip, action.url.port}};
    TryNext(id, {});
    return;
  }
  connection.resolver = std::make_unique<uv::Resolver>(loop_);
  const auto started = connection.resolver->Start(
      action.url.host, action.url.port, [this, id](Result<std::vector<SocketAddress>> resolved) {
        if (!resolved) {
          Fail(id, Describe(resolved.error()));
          return;
        }
        connections_[id].addresses = std::move(*resolved);
        std::ranges::reverse(connections_[id].addresses);
        TryNext(id, {});
      });
  if (!started) {
    Fail(id, Describe(started.error()));
  }
}

Result<std::unique_ptr<uv::ByteStream>> RendezvousStreams::Connect(const SocketAddress& address,
                                                                   const std::string& host) {
  const TimePoint now = uv::Loop::Now();
  auto stream = uv::Stream::ConnectTcp(loop_, address, now + kConnectTimeout, fwmark_);
  if (!stream) {
    return floe::Fail(std::move(stream.error()));
  }
  if (host.empty()) {
    return std::unique_ptr<uv::ByteStream>(std::move(*stream));
  }
  if (!tls_) {
    auto context = tls::Context::MakeClient();
    if (!context) {
      return floe::Fail(std::move(context.error()));
    }
    tls_ = std::move(*context);
  }
  auto secured = tls::Stream::MakeClient(loop_, *tls_, std::move(*stream), host, {"http/1.1"},
                                         now + kConnectTimeout + kHandshakeTimeout);
  if (!secured) {
    return floe::Fail(std::move(secured.error()));
  }
  return std::unique_ptr<uv::ByteStream>(std::move(*secured));
}

void RendezvousStreams::HandleOpen(engine::StreamId id) {
  const Connection& connection = connections_.at(id);
  const auto* secured = dynamic_cast<const tls::Stream*>(connection.stream.get());
  handlers_.on_open(id, secured == nullptr ? std::nullopt : secured->channel_binding());
}

void RendezvousStreams::TryNext(engine::StreamId id, std::string reason) {
  Connection& connection = connections_[id];
  connection.stream.reset();
  while (!connection.addresses.empty()) {
    const SocketAddress address = connection.addresses.back();
    connection.addresses.pop_back();
    auto stream = Connect(address, connection.host);
    if (!stream) {
      reason = Describe(stream.error());
      continue;
    }
    connection.stream = std::move(*stream);
    connection.stream->Start({.on_connect = [this, id] { HandleOpen(id); },
                              .on_data = [this, id](Bytes bytes) { handlers_.on_bytes(id, bytes); },
                              .on_close =
                                  [this, id](uv::CloseReason close_reason, const Error& error) {
                                    const bool never_open =
                                        close_reason == uv::CloseReason::kConnectFailed ||
                                        close_reason == uv::CloseReason::kTimedOut;
                                    const std::string text =
                                        close_reason == uv::CloseReason::kEnded
                                            ? "the server closed the connection"
                                            : Describe(error);
                                    if (never_open) {
                                      TryNext(id, text);
                                    } else {
                                      Fail(id, text);
                                    }
                                  }});
    return;
  }
  Fail(id, std::move(reason));
}

void RendezvousStreams::Fail(engine::StreamId id, std::string reason) {
  connections_.erase(id);
  handlers_.on_close(id, reason);
}

void RendezvousStreams::Write(const engine::WriteStream& action) {
  const auto found = connections_.find(action.id);
  if (found != connections_.end() && found->second.stream) {
    found->second.stream->Write(action.bytes);
  }
}

void RendezvousStreams::Close(const engine::CloseStream& action) {
  connections_.erase(action.id);
}

}  // namespace floe::daemon
