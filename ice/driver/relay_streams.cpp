#include "ice/driver/relay_streams.h"

#include <chrono>
#include <optional>
#include <utility>
#include <variant>

#include "base/log.h"
#include "base/tls/stream.h"
#include "base/uv/http_tunnel.h"
#include "base/uv/stream.h"

namespace floe::ice {
namespace {

constexpr Duration kConnectTimeout = std::chrono::seconds(10);
constexpr std::size_t kMaxUnsent = 16UL * 1024;  // bytes beyond what the kernel has taken

std::string Describe(const Error& error) {
  return error.code ? error.context + ": " + error.code.message() : error.context;
}

/// For the proxy, which looks names up itself.
std::string Target(const OpenStream& action) {
  if (action.name.empty() || ParseIpAddress(action.name)) {
    return ToString(action.remote);
  }
  return action.name + ":" + std::to_string(action.remote.port);
}

}  // namespace

struct RelayStreams::Connection {
  std::optional<uv::Resolver> resolver;  // Of the proxy's name.
  std::unique_ptr<uv::ByteStream> stream;
  SendQueue queue;
  bool closing = false;
};

RelayStreams::RelayStreams(uv::Loop& loop, std::uint32_t fwmark, Handlers handlers)
    : loop_(loop), fwmark_(fwmark), handlers_(std::move(handlers)) {}

RelayStreams::~RelayStreams() = default;

void RelayStreams::Handle(StreamAction action) {
  if (const auto* open = std::get_if<OpenStream>(&action)) {
    Open(*open);
  } else if (auto* write = std::get_if<WriteStream>(&action)) {
    Write(std::move(*write));
  } else {
    Close(std::get<CloseStream>(action));
  }
}

void RelayStreams::Open(const OpenStream& action) {
  Connection& connection = *(connections_[action.id] = std::make_unique<Connection>());
  auto proxy =
      FindProxyInEnvironment(action.name.empty() ? ToString(action.remote.ip) : action.name);
  if (!proxy) {
    Connect(action, action.remote, nullptr);
    return;
  }
  if (const auto ip = ParseIpAddress(proxy->host)) {
    Connect(action, {*ip, proxy->port}, &*proxy);
    return;
  }
  const std::string host = proxy->host;
  const std::uint16_t port = proxy->port;
  const auto shared = std::make_shared<const Proxy>(std::move(*proxy));
  connection.resolver.emplace(loop_);
  const auto started = connection.resolver->Start(
      host, port, [this, action, shared](Result<std::vector<SocketAddress>> resolved) {
        if (resolved) {
          Connect(action, resolved->front(), shared.get());
        } else {
          Fail(action.id, resolved.error());
        }
      });
  if (!started) {
    Fail(action.id, started.error());
  }
}

void RelayStreams::Connect(const OpenStream& action, const SocketAddress& address,
                           const Proxy* proxy) {
  const StreamId id = action.id;
  const TimePoint deadline = uv::Loop::Now() + kConnectTimeout;
  auto below = uv::Stream::ConnectTcp(loop_, address, deadline, fwmark_);
  if (!below) {
    Fail(id, below.error());
    return;
  }
  auto stream = Layer(action, std::move(*below), proxy, deadline);
  if (!stream) {
    Fail(id, stream.error());
    return;
  }
  Connection& connection = *connections_.at(id);
  connection.stream = std::move(*stream);
  connection.stream->Start(
      {.on_connect =
           [this, id] {
             const auto local = connections_.at(id)->stream->local_address();
             if (!local) {
               Fail(id, local.error());
               return;
             }
             handlers_.on_open(id, *local);
           },
       .on_data = [this, id](Bytes bytes) { handlers_.on_bytes(id, bytes); },
       .on_drain = [this, id] { Pump(id); },
       .on_close = [this, id](uv::CloseReason, const Error& error) { Fail(id, error); }});
}

Result<std::unique_ptr<uv::ByteStream>> RelayStreams::Layer(const OpenStream& action,
                                                            std::unique_ptr<uv::ByteStream> below,
                                                            const Proxy* proxy,
                                                            TimePoint deadline) {
  if (proxy != nullptr) {
    below =
        std::make_unique<uv::HttpTunnel>(loop_, std::move(below), Target(action), *proxy, deadline);
  }
  if (action.transport != RelayTransport::kTls) {
    return below;
  }
  if (!tls_) {
    auto context = tls::Context::MakeClient();
    if (!context) {
      return floe::Fail(std::move(context.error()));
    }
    tls_ = std::move(*context);
  }
  auto secured = tls::Stream::MakeClient(
      loop_, *tls_, std::move(below),
      action.name.empty() ? ToString(action.remote.ip) : action.name, {"stun.turn"}, deadline);
  if (!secured) {
    return floe::Fail(std::move(secured.error()));
  }
  return std::unique_ptr<uv::ByteStream>(std::move(*secured));
}

void RelayStreams::Write(WriteStream action) {
  const auto found = connections_.find(action.id);
  if (found == connections_.end()) {
    return;
  }
  if (!found->second->queue.Push(std::move(action.bytes), action.droppable)) {
    Fail(action.id, Error{.code = {}, .context = "the server takes nothing any more"});
    return;
  }
  Pump(action.id);
}

void RelayStreams::Pump(StreamId id) {
  const auto found = connections_.find(id);
  if (found == connections_.end() || !found->second->stream) {
    return;
  }
  Connection& connection = *found->second;
  while (connection.stream->write_queue_size() < kMaxUnsent) {
    const auto bytes = connection.queue.Pop();
    if (!bytes) {
      break;
    }
    connection.stream->Write(*bytes);
  }
  if (connection.closing && connection.queue.empty() &&
      connection.stream->write_queue_size() == 0) {
    connection.stream->Shutdown();
    connections_.erase(found);
  }
}

void RelayStreams::Close(const CloseStream& action) {
  const auto found = connections_.find(action.id);
  if (found == connections_.end()) {
    return;
  }
  Connection& connection = *found->second;
  if (!connection.stream || connection.stream->state() != uv::ByteStream::State::kOpen) {
    connections_.erase(found);
    return;
  }
  connection.closing = true;
  Pump(action.id);
}

void RelayStreams::Fail(StreamId id, const Error& error) {
  const std::string reason = Describe(error);
  const auto found = connections_.find(id);
  if (found == connections_.end()) {
    return;
  }
  const bool closing = found->second->closing;
  connections_.erase(found);
  if (!closing) {
    log::Debug("relay stream: {}", reason);
    handlers_.on_close(id, reason);
  }
}

}  // namespace floe::ice
