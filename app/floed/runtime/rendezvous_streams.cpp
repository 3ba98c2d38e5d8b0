#include "app/floed/runtime/rendezvous_streams.h"

#include <algorithm>
#include <utility>

namespace floe::daemon {
namespace {

constexpr Duration kConnectTimeout = std::chrono::seconds(5);  // For one address.

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
    Fail(id, "wss:// is not supported by this version; use ws:// to a server you can reach safely");
    return;
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

void RendezvousStreams::TryNext(engine::StreamId id, std::string reason) {
  Connection& connection = connections_[id];
  connection.stream.reset();
  while (!connection.addresses.empty()) {
    const SocketAddress address = connection.addresses.back();
    connection.addresses.pop_back();
    auto stream =
        uv::Stream::ConnectTcp(loop_, address, uv::Loop::Now() + kConnectTimeout, fwmark_);
    if (!stream) {
      reason = Describe(stream.error());
      continue;
    }
    connection.stream = std::move(*stream);
    connection.stream->Start({.on_connect = [this, id] { handlers_.on_open(id); },
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
