// The connections to the rendezvous servers, as the engine asks for them.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/floed/engine/engine.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/socket_address.h"
#include "base/tls/context.h"
#include "base/tls/stream.h"
#include "base/uv/byte_stream.h"
#include "base/uv/loop.h"
#include "base/uv/resolver.h"
#include "signaling/protocol.h"

namespace floe::daemon {

/// Looks the name up, then tries its addresses one after the other.
class RendezvousStreams {
 public:
  struct Handlers {
    std::function<void(engine::StreamId, const std::optional<signaling::ChannelBinding>&)> on_open;
    std::function<void(engine::StreamId, Bytes)> on_bytes;
    std::function<void(engine::StreamId, std::string_view reason)> on_close;
  };

  /// The loop must outlive it.
  RendezvousStreams(uv::Loop& loop, std::uint32_t fwmark, Handlers handlers);

  void Open(const engine::OpenStream& action);
  void Write(const engine::WriteStream& action);
  void Close(const engine::CloseStream& action);

 private:
  struct Connection {
    std::unique_ptr<uv::Resolver> resolver;
    std::unique_ptr<uv::ByteStream> stream;
    std::string host;                      // Whose certificate it has to be; empty without TLS.
    std::vector<SocketAddress> addresses;  // Still to be tried, the next one last.
  };

  /// A stream to `address`, with TLS if the URL wants it.
  [[nodiscard]] Result<std::unique_ptr<uv::ByteStream>> Connect(const SocketAddress& address,
                                                                const std::string& host);
  void HandleOpen(engine::StreamId id);
  void TryNext(engine::StreamId id, std::string reason);
  void Fail(engine::StreamId id, std::string reason);

  uv::Loop& loop_;
  std::uint32_t fwmark_;
  Handlers handlers_;
  std::unique_ptr<tls::Context> tls_;  // Once it is needed.
  std::map<engine::StreamId, Connection> connections_;
};

}  // namespace floe::daemon
